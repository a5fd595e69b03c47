"""What clients may do with encrypted files: put one piece by piece, read it, keep it longer; all of it within limits.

Everything is by link key: a connection need not attach, so that files have one of their own and delay no message.
"""

import asyncio
import hashlib
from collections.abc import Callable
from weakref import WeakValueDictionary

from corefast.errors import (
    BlobMismatch,
    BlobQuota,
    BlobTooLarge,
    BlobUnknown,
    CorefastError,
    NotAttached,
    Overloaded,
    ParameterInvalid,
    RateLimited,
    StoreBusy,
)
from corefast.limits import (
    BLOB_BURST,
    BLOB_CHUNK_BYTES,
    BLOB_IDLE_MS,
    BLOB_LIFE_MS,
    BLOB_READ_BURST,
    BLOB_READ_REFILL_PER_S,
    BLOB_REFILL_PER_S,
    BLOB_SLACK_MS,
    MAX_BLOB_BYTES,
    MAX_READS,
    MAX_UPLOADS,
    MAX_UPLOADS_OF_ONE,
)
from corefast.logs import get_logger
from corefast.metrics import relay_blob_bytes
from corefast.net.calls import Function
from corefast.net.transport import Peer
from corefast.relay.blob import BlobFiles, Partial
from corefast.relay.client import Client
from corefast.relay.mailbox import Device
from corefast.relay.rate import Buckets
from corefast.relay.registry import Registry
from corefast.relay.store.blob import BlobStore
from corefast.wire.blob import BlobOpened, BlobPart, DropBlob, GetBlob, KeepBlob, OpenBlob, PutBlob, TouchBlob
from corefast.wire.messages import Done

log = get_logger()

NAME_BYTES = 32
PAGE_ROWS = 200


class Upload:
    """A file on its way in; its pieces are written in turn."""

    def __init__(self, client: Client, owner: str, partial: Partial) -> None:
        self.client = client
        self.owner = owner
        self.partial = partial
        self.hash = hashlib.sha256()
        self.size = 0
        self.seen_ms = 0
        self.is_over = False
        self.turn = asyncio.Lock()


class Files:
    """Serves the messages of the relay protocol that are about files.

    *quotas*: bytes of one number, where it is a phone's and where it is a core's.
    """

    def __init__(
        self,
        files: BlobFiles,
        store: BlobStore,
        registry: Registry,
        is_core: Callable[[Device], bool],
        quotas: tuple[int, int],
        clock: Callable[[], int],
    ) -> None:
        self._files = files
        self._store = store
        self._registry = registry
        self._is_core = is_core
        self._quotas = quotas
        self._clock = clock
        self._used: dict[str, int] = {}
        self._uploads: dict[int, Upload] = {}
        self._last = 0
        self._reads: dict[Client, int] = {}
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        """By name; held by whoever stores, prolongs or removes that file."""
        self._put_rate = Buckets(BLOB_BURST, BLOB_REFILL_PER_S)
        self._read_rate = Buckets(BLOB_READ_BURST, BLOB_READ_REFILL_PER_S)

    def functions(self) -> dict[type, Function]:
        return {
            OpenBlob: self.open,
            PutBlob: self.put,
            KeepBlob: self.keep,
            DropBlob: self.drop,
            GetBlob: self.get,
            TouchBlob: self.touch,
        }

    async def load(self) -> None:
        """Learn what is there, and remove what an earlier process left half-way."""
        self._used = await self._store.sums()
        try:
            await self._files.sweep()
        except StoreBusy as error:  # messages need no files
            log.error("the blob store cannot be used; files are refused until it can", code=error.code)

    # ── putting ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, peer: Peer, message: OpenBlob) -> BlobOpened:
        device = self._device(peer)
        client: Client = peer.state
        owner = device.account.number
        if not self._is_core(device):
            self._limit(self._put_rate, device)
            if sum(each.owner == owner for each in self._uploads.values()) >= MAX_UPLOADS_OF_ONE:
                raise Overloaded("too many files of this number are on their way")
        if len(self._uploads) >= MAX_UPLOADS:
            raise Overloaded("too many files are on their way")
        if self._used.get(owner, 0) >= self._quota(device):
            raise BlobQuota("this number has too much stored; it is kept for 30 days")
        self._last = number = self._last + 1
        upload = Upload(client, owner, await self._files.begin())
        upload.seen_ms = self._clock()
        self._uploads[number] = upload
        if not peer.is_open:
            await self._end(number, upload)
        return BlobOpened(number)

    async def put(self, peer: Peer, message: PutBlob) -> Done:
        device = self._device(peer)
        upload = self._find(peer, message.upload)
        async with upload.turn:
            try:
                self._check(upload, device, message)
                await self._files.write(upload.partial, message.data)
            except CorefastError:
                await self._end(message.upload, upload)
                raise
        return Done()

    def _check(self, upload: Upload, device: Device, message: PutBlob) -> None:
        """Count a piece in; raise where it is out of order or beyond a limit."""
        size = len(message.data)
        if upload.is_over:
            raise BlobUnknown("this file is not on its way any more")
        if message.offset != upload.size or not 0 < size <= BLOB_CHUNK_BYTES:
            raise ParameterInvalid(f"a file comes in order, in pieces of up to {BLOB_CHUNK_BYTES} bytes")
        if upload.size + size > MAX_BLOB_BYTES:
            raise BlobTooLarge(f"a file has at most {MAX_BLOB_BYTES} bytes")
        if self._used.get(upload.owner, 0) + size > self._quota(device):
            raise BlobQuota("this number has too much stored; it is kept for 30 days")
        upload.seen_ms = self._clock()
        upload.size += size
        upload.hash.update(message.data)
        self._count(upload.owner, size)
        relay_blob_bytes.labels("in").inc(size)

    async def keep(self, peer: Peer, message: KeepBlob) -> Done:
        self._device(peer)
        upload = self._find(peer, message.upload)
        async with upload.turn:
            if upload.is_over:
                raise BlobUnknown("this file is not on its way any more")
            if upload.hash.digest() != message.name:
                await self._end(message.upload, upload)
                raise BlobMismatch("the file is not what its name says")
            async with self._turn(message.name):
                await self._keep(message, upload)
        return Done()

    async def _keep(self, message: KeepBlob, upload: Upload) -> None:
        """Write the row first: a file without one would never be swept."""
        before = await self._store.load(message.name)
        try:
            await self._store.put(message.name, upload.owner, upload.size, self._clock())
            await self._files.keep(upload.partial, message.name)
        except CorefastError:
            await self._end(message.upload, upload)
            if before is None:
                await self._store.delete(message.name)
            raise
        upload.is_over = True
        del self._uploads[message.upload]
        if before is not None:
            self._count(before[0], -before[1])

    async def drop(self, peer: Peer, message: DropBlob) -> Done:
        upload = self._uploads.get(message.upload)
        if upload is not None and upload.client is peer.state:
            await self._end(message.upload, upload)
        return Done()

    async def _end(self, number: int, upload: Upload) -> None:
        """Forget an upload that does not become a file."""
        if upload.is_over:
            return
        upload.is_over = True
        self._uploads.pop(number, None)
        self._count(upload.owner, -upload.size)
        await self._files.drop(upload.partial)

    async def lost(self, client: Client) -> None:
        """Forget the uploads of a connection that ended."""
        for number, upload in list(self._uploads.items()):
            if upload.client is client:
                async with upload.turn:
                    await self._end(number, upload)

    def has_uploads(self, client: Client) -> bool:
        return any(upload.client is client for upload in self._uploads.values())

    # ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def get(self, peer: Peer, message: GetBlob) -> BlobPart:
        device = self._device(peer)
        client: Client = peer.state
        if not self._is_core(device):
            self._limit(self._read_rate, device)
        if self._reads.get(client, 0) >= MAX_READS:
            raise Overloaded("too many reads at a time")
        self._reads[client] = self._reads.get(client, 0) + 1
        try:
            return await self._read(peer, message)
        finally:
            self._reads[client] -= 1
            if not self._reads[client]:
                del self._reads[client]

    async def _read(self, peer: Peer, message: GetBlob) -> BlobPart:
        row = await self._row(message.name)
        size: int = row[1]
        if not 0 <= message.offset < size:
            raise ParameterInvalid("the file has no byte there")
        await peer.writable()  # nobody gets more than he takes
        length = min(BLOB_CHUNK_BYTES, size - message.offset)
        data = await self._files.read(message.name, message.offset, length, size)
        relay_blob_bytes.labels("out").inc(len(data))
        return BlobPart(size, data)

    async def touch(self, peer: Peer, message: TouchBlob) -> Done:
        """Keep a file longer; only its owner may, or somebody else's quota would stay filled."""
        device = self._device(peer)
        async with self._turn(message.name):
            row = await self._row(message.name)
            if row[0] != device.account.number:
                raise BlobUnknown("this file belongs to another number")
            await self._store.touch(message.name, self._clock())
        return Done()

    async def _row(self, name: bytes) -> tuple[str, int]:
        row = await self._store.load(name) if len(name) == NAME_BYTES else None
        if row is None:
            raise BlobUnknown("there is no such file, or no longer")
        return row[0], row[1]

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def sweep(self) -> None:
        """Remove files whose time is over, and uploads that nobody goes on with."""
        now_ms = self._clock()
        for number, upload in list(self._uploads.items()):
            if now_ms - upload.seen_ms > BLOB_IDLE_MS and not upload.turn.locked():
                await self._end(number, upload)
        before_ms = now_ms - BLOB_LIFE_MS - BLOB_SLACK_MS
        while names := await self._store.old(before_ms, PAGE_ROWS):
            for name in names:
                async with self._turn(name):
                    await self._remove(name, before_ms)

    async def _remove(self, name: bytes, before_ms: int) -> None:
        """Remove a file unless it was prolonged or stored anew since it was found to be old."""
        row = await self._store.load(name)
        if row is None or row[2] >= before_ms:
            return
        await self._files.delete(name)
        await self._store.delete(name)
        self._count(row[0], -row[1])

    def _turn(self, name: bytes) -> asyncio.Lock:
        """Return what is to be held meanwhile; it is remembered for as long as somebody holds it or waits for it."""
        turn = self._turns.get(name)
        if turn is None:
            turn = self._turns[name] = asyncio.Lock()
        return turn

    # ── who may ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _device(self, peer: Peer) -> Device:
        client: Client = peer.state
        device = self._registry.find_link(client.link_key)
        if device is None or device.is_gone:
            raise NotAttached("this link key has no number; register it first")
        return device

    def _find(self, peer: Peer, number: int) -> Upload:
        upload = self._uploads.get(number)
        if upload is None or upload.client is not peer.state:
            raise BlobUnknown("this file is not on its way")
        return upload

    def _quota(self, device: Device) -> int:
        return self._quotas[self._is_core(device)]

    def _count(self, owner: str, size: int) -> None:
        left = self._used.get(owner, 0) + size
        if left > 0:
            self._used[owner] = left
        else:
            self._used.pop(owner, None)

    def _limit(self, buckets: Buckets, device: Device) -> None:
        wait_ms = buckets.take(device.row, self._clock())
        if wait_ms:
            raise RateLimited("too many files", wait_ms)
