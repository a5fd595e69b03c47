"""A folder of files on our disk that stays within a size: the oldest make room.

Every method asks the disk, which may take its time: they are called through `away`, from any thread.
"""

import asyncio
import contextlib
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

T = TypeVar("T")

_PART = ".part"
_THREADS = 4
_ROOM = 8
"""The part of its limit that a full folder makes free, so that not every file has it looked through."""

_disk = ThreadPoolExecutor(_THREADS, "media")


async def away(work: Callable[[], T]) -> T:
    """Return what *work* returns, done in a thread: the loop goes on however slow the disk is."""
    return await asyncio.get_running_loop().run_in_executor(_disk, work)


def close(file: BinaryIO) -> None:
    """Close a file soon, in a thread; what is under way with it ends before."""
    _disk.submit(file.close)


class Folder:
    """Files by name, of at most *limit* bytes together; a name is given once all of a file is on the disk."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self.limit = limit
        self._size = 0
        """Bytes, or too many: what is removed elsewhere is noticed when room is made."""
        self._changing = threading.Lock()

    def load(self) -> None:
        """Look at what an earlier process left, and remove what it left half-way."""
        for path in self._path.glob(f"*{_PART}"):
            path.unlink(missing_ok=True)
        self._size = sum(size for _, size, _ in self._list())

    def open(self, name: str) -> BinaryIO | None:
        try:
            return open(self._path / name, "rb")
        except FileNotFoundError:
            return None

    def begin(self) -> tuple[BinaryIO, Path]:
        """Return a new file that only we may read, without a name that lasts."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(_PART, dir=self._path)  # 0600
        return open(handle, "w+b"), Path(part)

    def finish(self, file: BinaryIO, part: Path, rest: list[bytes], name: str, now_ms: int) -> None:
        """Write the last pieces of a file that came at *now_ms*, and go to its beginning.

        With *name* it stays; without it is gone when it is closed.
        """
        file.writelines(rest)
        if name:
            self._keep(file, part, name, now_ms)
        else:
            part.unlink()
        file.seek(0)

    def _keep(self, file: BinaryIO, part: Path, name: str, now_ms: int) -> None:
        """Give a file its name once it is on the disk, and make room for it; nothing may be written to it after."""
        file.flush()
        os.fsync(file.fileno())
        now_ns = now_ms * 1_000_000
        os.utime(part, ns=(now_ns, now_ns))
        with self._changing:
            os.rename(part, self._path / name)
            self._size += os.fstat(file.fileno()).st_size
            if self._size > self.limit:
                self._trim(name)

    def remove(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    def sweep(self, before_s: float) -> None:
        """Remove files that came before then."""
        with self._changing:
            for name, _, at_s in self._list():
                if at_s < before_s:
                    self.remove(name)

    def _trim(self, latest: str) -> None:
        """Make room: the oldest go first, and *latest* stays, which somebody waits for."""
        found = self._list()
        self._size = sum(size for _, size, _ in found)
        for name, size, _ in sorted(found, key=lambda each: each[2]):
            if self._size <= self.limit - self.limit // _ROOM:
                return
            if name != latest:
                self.remove(name)
                self._size -= size

    def _list(self) -> list[tuple[str, int, float]]:
        """Return name, size and time of each file."""
        found: list[tuple[str, int, float]] = []
        if not self._path.exists():
            return found
        with os.scandir(self._path) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                    if not entry.name.endswith(_PART):
                        stat = entry.stat()
                        found.append((entry.name, stat.st_size, stat.st_mtime))
        return found
