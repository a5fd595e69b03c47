"""Encrypted files on our disk: those that came, ready to be read, and others for as long as somebody reads them.

A file stands here as the relay had it, encrypted, and only after its MAC and both hashes were checked.
"""

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

import msgspec

from corefast.core.media.folder import Folder, away, close
from corefast.core.media.link import MediaLink, explain
from corefast.endpoint.media import Opening, blob_size_of
from corefast.errors import BlobMismatch, BlobUnknown, CiphertextInvalid, MediaDamaged, MediaUnknown, RemoteRefused
from corefast.limits import BLOB_CHUNK_BYTES
from corefast.net.blob import read_blob
from corefast.wire.content import Medium

_AT_ONCE = 8
"""Pieces read or written by one trip to the disk: a trip costs as much as the encryption of a piece."""

_encode = msgspec.msgpack.Encoder().encode


class Reading:
    """A proved file that somebody reads, decrypted on the way; *forget* removes it from the disk."""

    def __init__(self, file: BinaryIO, medium: Medium, forget: Callable[[], None] = lambda: None) -> None:
        self._file = file
        self._forget = forget
        self._opening = Opening(medium)
        self._read = b""
        self._at = 0
        self._is_end = False
        self.seen_ms = 0
        self.is_over = False
        self.turn = asyncio.Lock()

    async def next(self) -> tuple[bytes, bool]:
        """Return the next bytes and whether they are the last.

        Raises `MediaDamaged` where the disk has spoiled the file, which goes then: the relay may still have it.
        """
        if self._at == len(self._read) and not self._is_end:
            self._read, self._at = await away(partial(self._file.read, _AT_ONCE * BLOB_CHUNK_BYTES)), 0
            self._is_end = len(self._read) < _AT_ONCE * BLOB_CHUNK_BYTES
        data = self._read[self._at : self._at + BLOB_CHUNK_BYTES]
        self._at += len(data)
        try:
            if data:
                return self._opening.update(data), False
            self.is_over = True
            return self._opening.finish(), True
        except CiphertextInvalid:
            await away(self._forget)
            raise MediaDamaged("the file is damaged on the disk") from None

    def close(self) -> None:
        self.is_over = True
        close(self._file)


class Files:
    """What came, in a folder; what had to make room there can be fetched again while the relay has it."""

    def __init__(self, folder: Folder, link: MediaLink, clock: Callable[[], int]) -> None:
        self._folder = folder
        self._link = link
        self._clock = clock
        self._fetching: dict[str, asyncio.Future[None]] = {}

    async def load(self) -> None:
        await away(self._folder.load)

    async def open(self, medium: Medium, *, keep: bool) -> Reading:
        """Return the file, fetched anew; with *keep* only where it is not here, and it stays.

        Raises `MediaUnknown` where the relay does not have it, `MediaDamaged` where it is another than was announced.
        """
        if not keep:
            return Reading(await self._fetch(medium), medium)
        name = _name(medium)
        while (file := await away(partial(self._folder.open, name))) is None:
            await self.keep(medium)
        return Reading(file, medium, partial(self._folder.remove, name))

    async def keep(self, medium: Medium) -> None:
        """Have the file here; several who want it at a time cause one fetch."""
        name = _name(medium)
        running = self._fetching.get(name)
        if running is None:
            running = self._fetching[name] = asyncio.ensure_future(self._keep(medium))
            running.add_done_callback(lambda done: self._fetching.pop(name, None))
        await asyncio.shield(running)

    async def _keep(self, medium: Medium) -> None:
        name = _name(medium)
        file = await away(partial(self._folder.open, name)) or await self._fetch(medium, name)
        close(file)

    async def _fetch(self, medium: Medium, name: str = "") -> BinaryIO:
        """Return the proved file, at its beginning; without *name* it has none and ends with its handle."""
        file, part = await away(self._folder.begin)
        try:
            rest = await self._receive(medium, file)
            await away(partial(self._folder.finish, file, part, rest, name, self._clock()))
            return file
        except BaseException:
            close(file)
            await away(partial(part.unlink, missing_ok=True))
            raise

    async def _receive(self, medium: Medium, file: BinaryIO) -> list[bytes]:
        """Write a file as it comes, and prove it; return the last pieces, which are still to be written."""
        opening = Opening(medium)
        pieces: list[bytes] = []
        try:
            async for piece in read_blob(await self._link.peer(), medium.blob, blob_size_of(medium)):
                opening.update(piece)
                pieces.append(piece)
                if len(pieces) == _AT_ONCE:
                    await away(partial(file.writelines, pieces))
                    pieces = []
            opening.finish()
            return pieces
        except (CiphertextInvalid, BlobMismatch):
            raise MediaDamaged("the relay's file is not the one that was sent") from None
        except RemoteRefused as error:
            if error.code == BlobUnknown.code:
                raise MediaUnknown("the relay does not keep this medium, or no longer") from None
            raise explain(error) from None

    async def forget(self, medium: Medium) -> None:
        await away(partial(self._folder.remove, _name(medium)))

    async def sweep(self, before_s: float) -> None:
        """Remove files that came before then."""
        await away(partial(self._folder.sweep, before_s))


def _name(medium: Medium) -> str:
    """Each description of a file has its own proof, so a name stands for all of it."""
    return hashlib.sha256(_encode(medium)).hexdigest()
