"""A file on its way out: checked, encrypted as a stream, passed on to the relay piece by piece."""

import asyncio
from collections.abc import Callable

from corefast.core.media.kind import HEAD_BYTES, check_head, sticker_flaw
from corefast.core.media.link import MediaLink, explain
from corefast.endpoint.media import Sealing
from corefast.errors import MediaTooLarge, MediaUnfit, RemoteRefused
from corefast.limits import MAX_MEDIA_BYTES
from corefast.net.blob import BlobUpload
from corefast.wire.content import Medium


class Writer:
    """One file; made by `open`, then `write`, then `finish` or `drop`. Memory holds a few pieces of it."""

    def __init__(self, upload: BlobUpload, mime: str, random: Callable[[int], bytes], limit: int) -> None:
        self._upload = upload
        self._mime = mime
        self._sealing = Sealing(mime, random)
        self._head = b""
        self._limit = limit
        self.flaw = ""
        """Why the file is no sticker, after `finish`."""

    @classmethod
    async def open(
        cls, link: MediaLink, mime: str, random: Callable[[int], bytes], limit: int = MAX_MEDIA_BYTES
    ) -> "Writer":
        try:
            return cls(await BlobUpload.open(await link.peer()), mime, random, limit)
        except RemoteRefused as error:
            raise explain(error) from None

    @property
    def size(self) -> int:
        return self._sealing.size

    async def write(self, data: bytes) -> None:
        """Take the next bytes; waits while the relay is behind. Raises `MediaUnfit`, `MediaTooLarge`, `LinkLost`."""
        if self.size + len(data) > self._limit:
            raise MediaTooLarge(f"the file has more than {self._limit} bytes")
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
            if len(self._head) == HEAD_BYTES:
                check_head(self._mime, self._head)
        await self._upload.write(self._sealing.update(data))

    async def finish(self) -> Medium:
        """Return what opens the file, once the relay has all of it."""
        if not self.size:
            raise MediaUnfit("the file is empty")
        check_head(self._mime, self._head)
        if self._mime.startswith("image/webp"):
            self.flaw = sticker_flaw(self._head, self.size)
        last = self._sealing.finish()
        medium = self._sealing.medium
        await self._upload.write(last)
        await self._upload.keep(medium.blob)
        return medium

    def drop(self) -> None:
        self._upload.drop()


class Upload:
    """A writer that a front feeds; its pieces are taken in turn."""

    def __init__(self, writer: Writer, mime: str) -> None:
        self.writer = writer
        self.mime = mime
        self.seen_ms = 0
        self.is_over = False
        self.turn = asyncio.Lock()
