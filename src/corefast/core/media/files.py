"""Encrypted files on our disk: those that came, ready to be read, and others for as long as somebody reads them.

A file stands here as the relay had it, encrypted, and only after its MAC and both hashes were checked.
"""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from corefast.core.media.link import MediaLink, explain
from corefast.endpoint.media import Opening, blob_size_of
from corefast.errors import BlobMismatch, BlobUnknown, CiphertextInvalid, MediaDamaged, MediaUnknown, RemoteRefused
from corefast.limits import BLOB_CHUNK_BYTES
from corefast.net.blob import read_blob
from corefast.wire.content import Medium

_PART = ".part"
_encode = msgspec.msgpack.Encoder().encode


class Reading:
    """A proved file that somebody reads, decrypted on the way; *path* is its name, where it has one."""

    def __init__(self, file: BinaryIO, medium: Medium, path: Path | None = None) -> None:
        self._file = file
        self._path = path
        self._opening = Opening(medium)
        self.seen_ms = 0
        self.is_over = False
        self.turn = asyncio.Lock()

    def next(self) -> tuple[bytes, bool]:
        """Return the next bytes and whether they are the last.

        Raises `MediaDamaged` where the disk has spoiled the file, which goes then: the relay may still have it.
        """
        try:
            if data := self._file.read(BLOB_CHUNK_BYTES):
                return self._opening.update(data), False
            self.is_over = True
            return self._opening.finish(), True
        except CiphertextInvalid:
            if self._path is not None:
                self._path.unlink(missing_ok=True)
            raise MediaDamaged("the file is damaged on the disk") from None

    def close(self) -> None:
        self.is_over = True
        self._file.close()


class Files:
    """A folder of at most *limit* bytes; the oldest make room, and can be fetched again while the relay has them."""

    def __init__(self, folder: Path, link: MediaLink, limit: int, clock: Callable[[], int]) -> None:
        self._folder = folder
        self._link = link
        self._limit = limit
        self._clock = clock
        self._fetching: dict[Path, asyncio.Future[None]] = {}

    def load(self) -> None:
        """Remove what an earlier process left half-way."""
        if self._folder.exists():
            for path in self._folder.glob(f"*{_PART}"):
                path.unlink(missing_ok=True)

    async def open(self, medium: Medium, *, keep: bool) -> Reading:
        """Return the file, fetched where it is not here; with *keep* it stays.

        Raises `MediaUnknown` where the relay does not have it, `MediaDamaged` where it is another than was announced.
        """
        while True:
            if (file := self._find(medium)) is not None:
                return Reading(file, medium, self._path(medium))
            if not keep:
                return Reading(await self._fetch(medium), medium)
            await self.keep(medium)

    async def keep(self, medium: Medium) -> None:
        """Have the file here; several who want it at a time cause one fetch."""
        path = self._path(medium)
        running = self._fetching.get(path)
        if running is None:
            running = self._fetching[path] = asyncio.ensure_future(self._keep(medium))
            running.add_done_callback(lambda done: self._fetching.pop(path, None))
        await asyncio.shield(running)

    async def _keep(self, medium: Medium) -> None:
        if (file := self._find(medium)) is None:
            file = await self._fetch(medium, self._path(medium))
        file.close()
        self._trim(self._path(medium))

    def _find(self, medium: Medium) -> BinaryIO | None:
        try:
            return open(self._path(medium), "rb")
        except FileNotFoundError:
            return None

    async def _fetch(self, medium: Medium, path: Path | None = None) -> BinaryIO:
        """Return the proved file, at its beginning; without *path* it has no name and ends with its handle."""
        file, part = self._begin()
        try:
            await self._receive(medium, file)
            if path is not None:
                await self._name(file, part, path)
            file.seek(0)
            return file
        except BaseException:
            file.close()
            raise
        finally:
            _remove(part)

    async def _name(self, file: BinaryIO, part: Path, path: Path) -> None:
        """Give a proved file its name once it is on the disk; its time is ours, so nothing may be written after."""
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
        now_ns = self._clock() * 1_000_000
        os.utime(part, ns=(now_ns, now_ns))
        os.rename(part, path)

    def _begin(self) -> tuple[BinaryIO, Path]:
        """Return a new file that only we may read."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(_PART, dir=self._folder)  # 0600
        return open(handle, "w+b"), Path(name)

    async def _receive(self, medium: Medium, file: BinaryIO) -> None:
        opening = Opening(medium)
        try:
            async for piece in read_blob(await self._link.peer(), medium.blob, blob_size_of(medium)):
                opening.update(piece)
                file.write(piece)
            opening.finish()
        except (CiphertextInvalid, BlobMismatch):
            raise MediaDamaged("the relay's file is not the one that was sent") from None
        except RemoteRefused as error:
            if error.code == BlobUnknown.code:
                raise MediaUnknown("the relay does not keep this medium, or no longer") from None
            raise explain(error) from None

    def forget(self, medium: Medium) -> None:
        self._path(medium).unlink(missing_ok=True)

    def _path(self, medium: Medium) -> Path:
        """Each description of a file has its own proof, so a name stands for all of it."""
        return self._folder / hashlib.sha256(_encode(medium)).hexdigest()

    def _trim(self, latest: Path) -> None:
        """Make room: the oldest go first, and *latest* stays, which somebody waits for."""
        found = [(path.stat(), path) for path in self._folder.iterdir() if path.suffix != _PART]
        size = sum(stat.st_size for stat, _ in found)
        for stat, path in sorted(found, key=lambda each: each[0].st_mtime_ns):
            if size <= self._limit:
                return
            if path != latest:
                path.unlink(missing_ok=True)
                size -= stat.st_size

    def sweep(self, before_s: float) -> None:
        """Remove files that came before then."""
        if self._folder.exists():
            for path in self._folder.iterdir():
                if path.suffix != _PART and path.stat().st_mtime < before_s:
                    path.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
