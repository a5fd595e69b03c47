"""Encrypted files over a link to the relay: several pieces under way, never more than a few in memory.

It does not know what is in them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from corefast.errors import BlobMismatch, CorefastError, RemoteRefused
from corefast.limits import BLOB_CHUNK_BYTES, MAX_BLOB_BYTES
from corefast.net.transport import Peer
from corefast.wire.blob import BlobOpened, BlobPart, DropBlob, GetBlob, KeepBlob, OpenBlob, PutBlob

AHEAD = 8
"""Pieces under way: half a megabyte."""

_TRIES = 8


class BlobUpload:
    """A file on its way to the relay: `write`, then `keep` or `drop`."""

    def __init__(self, peer: Peer, upload: int) -> None:
        self._peer = peer
        self._upload = upload
        self._offset = 0
        self._rest = bytearray()
        self._running: deque[asyncio.Future[Any]] = deque()

    @classmethod
    async def open(cls, peer: Peer) -> "BlobUpload":
        opened: BlobOpened = await _call(peer, OpenBlob())
        return cls(peer, opened.upload)

    async def write(self, data: bytes) -> None:
        """Pass *data* on; waits while `AHEAD` pieces are under way, and raises what became of an earlier one."""
        self._rest += data
        while len(self._rest) >= BLOB_CHUNK_BYTES:
            await self._put(bytes(self._rest[:BLOB_CHUNK_BYTES]))
            del self._rest[:BLOB_CHUNK_BYTES]

    async def keep(self, name: bytes) -> None:
        """Return once the relay has the whole file, durably, under *name*, its SHA-256."""
        if self._rest:
            await self._put(bytes(self._rest))
        while self._running:
            await self._running.popleft()
        await self._peer.call(KeepBlob(self._upload, name))

    def drop(self) -> None:
        """Forget the file."""
        for future in self._running:
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._running.clear()
        self._peer.call_soon_result(DropBlob(self._upload), lambda result: None)

    async def _put(self, piece: bytes) -> None:
        while len(self._running) >= AHEAD:
            await self._running.popleft()
        call = self._peer.call(PutBlob(self._upload, self._offset, piece))
        self._running.append(asyncio.ensure_future(call))
        self._offset += len(piece)


async def read_blob(peer: Peer, name: bytes, size: int) -> AsyncIterator[bytes]:
    """Yield the pieces of a file in order; what it holds is not checked.

    Raises `BlobMismatch` at once where it has not *size* bytes, and what the relay refuses.
    """
    first: BlobPart = await _call(peer, GetBlob(name, 0))
    if first.size != size or size > MAX_BLOB_BYTES:
        raise BlobMismatch("the relay's file has another size than was announced")
    running: deque[asyncio.Future[Any]] = deque()
    asked = BLOB_CHUNK_BYTES
    part = first
    at = 0
    try:
        while True:
            while asked < size and len(running) < AHEAD:
                running.append(asyncio.ensure_future(_call(peer, GetBlob(name, asked))))
                asked += BLOB_CHUNK_BYTES
            if part.size != size or len(part.data) != min(BLOB_CHUNK_BYTES, size - at):
                raise BlobMismatch("the relay's file changed its size")
            at += len(part.data)
            yield part.data
            if not running:
                return
            part = await running.popleft()
    finally:
        for future in running:
            future.cancel()


async def _call(peer: Peer, message: Any) -> Any:
    """Call the relay, as often as it says that we are too fast."""
    for _ in range(_TRIES):
        try:
            return await peer.call(message)
        except RemoteRefused as error:
            if error.code not in ("rate.limited", "overloaded") or error.retry_after_ms > 5_000:
                raise
            await asyncio.sleep(error.retry_after_ms / 1_000)
    raise CorefastError("the relay keeps us waiting")
