"""The secrets that fronts and emitters show: one file a role, one base64url line a secret, two during a rotation."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Broken
from collections.abc import Callable
from pathlib import Path

from corefast.errors import SetupError

SECRET_BYTES = 32
MAX_SECRETS = 2


def load_secrets(path: Path, random: Callable[[int], bytes]) -> list[bytes]:
    """Return the secrets in the file, which is made (0600) when there is none."""
    try:
        lines = path.read_text(encoding="ascii").split()
    except FileNotFoundError:
        secret = random(SECRET_BYTES)
        _write(path, urlsafe_b64encode(secret).rstrip(b"=") + b"\n")
        return [secret]
    except (OSError, UnicodeDecodeError):
        raise SetupError(f"the secret file {path} cannot be read") from None
    if not 0 < len(lines) <= MAX_SECRETS:
        raise SetupError(f"the secret file {path} must hold one line, or two during a rotation")
    return [_decode(line, path) for line in lines]


def _decode(line: str, path: Path) -> bytes:
    try:
        secret = urlsafe_b64decode(line + "=" * (-len(line) % 4))
    except (Base64Broken, ValueError):
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise SetupError(f"a line of the secret file {path} is not {SECRET_BYTES} bytes in base64url")
    return secret


def _write(path: Path, content: bytes) -> None:
    """Write under another name first, so that a crash leaves no half a file."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    except OSError as error:
        raise SetupError(f"the secret file {path} cannot be written: {error.strerror}") from None
