"""The core of a `corefast up` folder: where it listens, and the secret that opens it to us."""

from pathlib import Path

import msgspec

from api.gateway import CoreLink, read_secret
from corefast.errors import SetupError

LINK_WAIT_MS = 3_000
"""How long the command-line helpers wait for the core before they say that it is away."""


class _UpFile(msgspec.Struct):
    core: str


def open_core(data: str, address: str = "") -> CoreLink:
    """Return a started link to the core of folder *data*, at *address* where that is given; raise `SetupError`."""
    folder = Path(data)
    if not folder.is_dir():
        raise SetupError(f"there is no folder {data}; --data names the one of corefast up")
    secret = next((path for path in _secrets(folder) if path.exists()), None)
    if secret is None:
        raise SetupError(f"{data} has no front.secret: start corefast up --data {data} first")
    core = CoreLink(address or _read_address(folder), read_secret(secret))
    core.start()
    return core


def _secrets(folder: Path) -> tuple[Path, Path]:
    return folder / "core" / "front.secret", folder / "front.secret"


def _read_address(folder: Path) -> str:
    path = folder / "up.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=_UpFile).core
    except FileNotFoundError:
        raise SetupError(f"corefast up is not running on {folder}; start it, or give --core HOST:PORT") from None
    except (OSError, msgspec.DecodeError) as error:
        raise SetupError(f"{path} cannot be read: {error}") from None
