"""What the commands that ask a core share: the way to the core of a `corefast up` folder, and how answers are shown."""

import contextlib
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from api.gateway import CoreLink, read_secret
from corefast.errors import CorefastError, SetupError

LINK_WAIT_MS = 3_000
"""How long the command-line helpers wait for the core before they say that it is away."""


class _UpFile(msgspec.Struct):
    core: str


@contextlib.asynccontextmanager
async def local_core(data: str, address: str = "") -> AsyncIterator[CoreLink]:
    """Give the link that `open_core` returns, and close it; what the core refuses meanwhile is a `SetupError`, too."""
    core = open_core(data, address)
    try:
        yield core
    except SetupError:
        raise
    except CorefastError as error:
        raise SetupError(f"the core did not do it: {error}") from None
    finally:
        await core.close()


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


def print_json(facts: object) -> None:
    """Print *facts* on one line, for a script."""
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")


def spell_time(at_ms: int) -> str:
    """Return a Unix time as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="seconds")
