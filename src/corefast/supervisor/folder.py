"""The folder of `corefast up`: what it remembers, each file 0600 and written whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from corefast.address import canonical_number
from corefast.errors import NumberInvalid, SetupError
from corefast.supervisor import port

DEFAULT_NUMBER = "493023125000"

Port = Annotated[int, Meta(ge=1, le=65_535)]


class Memory(msgspec.Struct, kw_only=True):
    """What a second run keeps: others know these ports and this number."""

    number: str
    relay_port: Port
    core_port: Port


class UpFile(msgspec.Struct, frozen=True, kw_only=True):
    """`up.json`: how to reach what runs; there only while it does."""

    api: str
    api_key: str
    relay: str
    number: str
    core: str


class Folder:
    """Paths and contents below the folder; whoever uses it holds its lock."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.logs = self.path / "logs"
        with _explained(self.logs):
            self.logs.mkdir(mode=0o700, exist_ok=True)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def memory(self, number: str, api_port: int, demo_number: str = "") -> Memory:
        """Return what the first run chose, or choose now: the ports after the API's where they are free.

        The number cannot be *demo_number*, which belongs to a phone.
        """
        path = self / "memory.json"
        try:
            number = canonical_number(number) if number else ""
        except NumberInvalid as error:
            raise SetupError(f"--number {number!r}: {error}") from None
        if demo_number and number == demo_number:
            raise SetupError(f"--number {number} is the number of the phone that --demo adds; choose another")
        try:
            memory = msgspec.json.decode(path.read_bytes(), type=Memory)
        except FileNotFoundError:
            relay_port = port.choose(api_port + 1)
            core_port = port.choose(relay_port + 1)
            memory = Memory(number=number or DEFAULT_NUMBER, relay_port=relay_port, core_port=core_port)
            write_whole(path, msgspec.json.encode(memory))
        except msgspec.DecodeError:
            raise SetupError(f"{path} is damaged; restore it, or remove it and start again") from None
        if number not in ("", memory.number):
            raise SetupError(f"{self.path} belongs to the number {memory.number}; use another --data for {number}")
        if memory.number == demo_number:
            raise SetupError(
                f"{self.path} belongs to {demo_number}, the number of the phone that --demo adds; omit --demo"
            )
        return memory

    def api_key(self) -> str:
        """Return the key that was made on the first run."""
        path = self / "api.key"
        if not path.exists() or not path.read_text().strip():
            write_whole(path, f"cf_{secrets.token_urlsafe(32)}\n".encode())
        return path.read_text().strip()

    def publish(self, facts: UpFile) -> None:
        write_whole(self / "up.json", msgspec.json.encode(facts) + b"\n")

    def withdraw(self) -> None:
        (self / "up.json").unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Put *content* under *path* (0600); a crash leaves the old file or the new one. Raises `SetupError`."""
    draft = path.with_name(f".{path.name}.new")
    with _explained(path):
        # Unbuffered: what a full disk does not take is not tried once more on closing.
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0) as file:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        draft.replace(path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the disk says into one sentence for the operator."""
    try:
        yield
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from None
