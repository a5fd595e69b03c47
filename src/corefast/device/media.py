"""Files of a phone: put one to the relay, get one back and prove it; on a connection of their own.

medium = await device.files.put(Path("picture.jpg"), "image/jpeg")
await device.send(number, Attachment(MediaKind.IMAGE), media=medium)
await device.files.get(event.media, Path("from-them.jpg"))
"""

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

from corefast.device.connection import FindRelay
from corefast.endpoint.media import Opening, Sealing, blob_size_of, is_mime, is_sound
from corefast.errors import BlobMismatch, CiphertextInvalid, MediaDamaged, MediaTooLarge, MediaUnfit
from corefast.limits import BLOB_CHUNK_BYTES, MAX_MEDIA_BYTES
from corefast.link.secure import initiator_ik
from corefast.net.blob import BlobUpload, read_blob
from corefast.net.client import connect
from corefast.net.transport import Peer
from corefast.wire.codec import relay_codec
from corefast.wire.content import Medium


class Files:
    """Puts and gets files, each over a connection that ends with it. Memory holds a few pieces of one."""

    def __init__(self, find_relay: FindRelay, link_key: Callable[[], bytes], random: Callable[[int], bytes]) -> None:
        self._find_relay = find_relay
        self._link_key = link_key
        self._random = random

    async def put(self, path: Path, mime: str) -> Medium:
        """Return what opens the file for whoever gets it in a message.

        Raises `MediaUnfit` (no MIME type, or an empty file), `MediaTooLarge`, `OSError`, `LinkLost` and what the relay
        refuses.
        """
        if not is_mime(mime):
            raise MediaUnfit("the type of the file is no MIME type")
        with open(path, "rb") as file:  # noqa: ASYNC230 - pieces of a file on a disk
            if os.fstat(file.fileno()).st_size > MAX_MEDIA_BYTES:
                raise MediaTooLarge(f"a file has at most {MAX_MEDIA_BYTES} bytes")
            async with self._peer() as peer:
                return await self._put(peer, file, mime)

    async def _put(self, peer: Peer, file: BinaryIO, mime: str) -> Medium:
        upload = await BlobUpload.open(peer)
        sealing = Sealing(mime, self._random)
        while data := file.read(BLOB_CHUNK_BYTES):
            await upload.write(sealing.update(data))
        if not 0 < sealing.size <= MAX_MEDIA_BYTES:
            raise MediaUnfit("the file is empty, or grew while it was read")
        await upload.write(sealing.finish())
        await upload.keep(sealing.medium.blob)
        return sealing.medium

    async def get(self, medium: Medium, target: Path) -> None:
        """Write the file to *target* (0600), which appears when all of it is proved and not before.

        Raises `MediaDamaged` where it is not the one that was sent, `RemoteRefused` (`blob.unknown`), `LinkLost`.
        """
        if not is_sound(medium):
            raise MediaDamaged("the message does not describe a medium")
        handle, part = tempfile.mkstemp(".part", dir=target.parent)
        try:
            with open(handle, "wb") as file:  # noqa: ASYNC230 - pieces of a file on a disk
                async with self._peer() as peer:
                    await _get(peer, medium, file)
            os.replace(part, target)
        finally:
            _remove(Path(part))

    @asynccontextmanager
    async def _peer(self) -> AsyncIterator[Peer]:
        url = await self._find_relay()
        handshake = initiator_ik(self._link_key(), url.key)
        peer = await connect(url.host, url.port, handshake, relay_codec, _Silent())
        try:
            yield peer
        finally:
            peer.close()
            await peer.closed()


async def _get(peer: Peer, medium: Medium, file: BinaryIO) -> None:
    opening = Opening(medium)
    try:
        async for piece in read_blob(peer, medium.blob, blob_size_of(medium)):
            file.write(opening.update(piece))
        file.write(opening.finish())
    except (CiphertextInvalid, BlobMismatch):
        raise MediaDamaged("the relay's file is not the one that was sent") from None


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


class _Silent:
    """A relay asks nothing on this connection."""

    def received(self, peer: Peer, message: Any, call: int) -> None:
        peer.close()

    def lost(self, peer: Peer, error: Exception | None) -> None:
        pass
