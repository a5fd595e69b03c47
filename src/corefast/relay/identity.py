"""The relay's own key: the part behind # in its URL, by which clients know it."""

import base64
import binascii
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from corefast.errors import SetupError
from corefast.protocol.keys import KeyPair


def load_key(path: Path, random: Callable[[int], bytes]) -> KeyPair:
    """Return the static key in *path*; make it, durably and 0600, where there is none."""
    if not path.exists():
        _write(path, base64.urlsafe_b64encode(random(32)) + b"\n")
    try:
        private = base64.urlsafe_b64decode(path.read_bytes().strip())
    except (OSError, binascii.Error, ValueError):
        private = b""
    if len(private) != 32:
        raise SetupError(f"{path} is no relay key; restore it from a backup, as clients know the relay by it")
    return KeyPair.from_private(private)


def _write(path: Path, content: bytes) -> None:
    """Create the file whole or not at all."""
    draft = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, content)
            os.fsync(file)
        finally:
            os.close(file)
        draft.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}") from None
