"""The media of an account: what fronts put, read and delete, and what becomes of an id or a link in a message."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from corefast.core.config import Network
from corefast.core.context import Context
from corefast.core.media.download import Downloads
from corefast.core.media.files import Files, Reading
from corefast.core.media.info import info_of
from corefast.core.media.kind import UNKNOWN_TYPE, bare, check_kind, check_type, limit_of, read_mime, sniff
from corefast.core.media.link import MediaLink
from corefast.core.media.writer import Upload, Writer
from corefast.core.store.media import Direction, MediaRow
from corefast.errors import (
    BlobUnknown,
    BusyError,
    LinkRefused,
    MediaTooLarge,
    MediaUnknown,
    Overloaded,
    ParameterInvalid,
    RemoteRefused,
)
from corefast.limits import (
    BLOB_CHUNK_BYTES,
    BLOB_IDLE_MS,
    BLOB_LIFE_MS,
    BLOB_SLACK_MS,
    LINK_CACHE_MS,
    LINKS_AT_A_TIME,
    MAX_LINKS_CACHED,
    MAX_LINKS_OPEN,
    MAX_OPEN_MEDIA,
)
from corefast.logs import get_logger
from corefast.store.database import Unit
from corefast.wire.blob import TouchBlob
from corefast.wire.body import MediaKind
from corefast.wire.content import Medium
from corefast.wire.gateway import Done
from corefast.wire.media import (
    DeleteMedia,
    DropMedia,
    FetchMedia,
    KeepMedia,
    MediaKept,
    MediaOpened,
    MediaPart,
    MediaRef,
    OpenMedia,
    PutMedia,
    ReadMedia,
)
from corefast.wire.settings import Provider

if TYPE_CHECKING:
    from corefast.core.media.fetch import Fetched

log = get_logger()

Providers = Callable[[], Awaitable[list[Provider]]]
"""Returns those whose links need credentials."""

MEDIA_LIFE_MS = 30 * 86_400_000
"""How long media are kept that nobody sends (the on-premises API's collector)."""

_PAGE = 500

T = TypeVar("T", Upload, Reading)
LinkKey = tuple[str, str, MediaKind]


class Media:
    """Serves the messages of `wire.media`, and the sender."""

    def __init__(
        self, context: Context, link: MediaLink, files: Files, networks: Sequence[Network], providers: Providers
    ) -> None:
        self._context = context
        self._link = link
        self._files = files
        self._networks = networks
        self.downloads = Downloads(context, files)
        self._providers = providers
        self._open: dict[int, Upload | Reading] = {}
        self._linked: dict[LinkKey, tuple[int, str]] = {}
        self._fetches = asyncio.Semaphore(LINKS_AT_A_TIME)
        self._linking: dict[LinkKey, asyncio.Future[str]] = {}

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        return {
            OpenMedia: self.open,
            PutMedia: self.put,
            KeepMedia: self.keep,
            DropMedia: self.drop,
            FetchMedia: self.fetch,
            ReadMedia: self.read,
            DeleteMedia: self.delete,
        }

    async def load(self) -> None:
        await self._files.load()
        await self.downloads.load()

    async def close(self) -> None:
        await self.downloads.close()
        for number in list(self._open):
            self._end(number)
        await self._link.close()

    # ── putting ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, request: OpenMedia) -> MediaOpened:
        mime = read_mime(request.mime)
        self._check_room()
        upload = Upload(await Writer.open(self._link, mime, self._context.random), mime)
        return MediaOpened(self._number(upload))

    async def put(self, request: PutMedia) -> Done:
        upload = self._find(request.number, Upload)
        async with upload.turn:
            try:
                self._check_piece(upload, request)
                await upload.writer.write(request.data)
            except Exception:
                self._end(request.number)
                raise
            self._see(upload)
        return Done()

    def _check_piece(self, upload: Upload, request: PutMedia) -> None:
        if upload.is_over:
            raise MediaUnknown("this upload has ended")
        if request.offset != upload.writer.size or not 0 < len(request.data) <= BLOB_CHUNK_BYTES:
            raise ParameterInvalid("a file comes in order and in small pieces")

    async def keep(self, request: KeepMedia) -> MediaKept:
        upload = self._find(request.number, Upload)
        async with upload.turn:
            try:
                if upload.is_over:
                    raise MediaUnknown("this upload has ended")
                row = await self._store(upload.writer)
            except Exception:
                self._end(request.number)
                raise
            upload.is_over = True
            del self._open[request.number]
        return MediaKept(info_of(row.id, row.medium))

    async def _store(self, writer: Writer) -> MediaRow:
        """Return the durable row of a file that is whole."""
        medium = await writer.finish()
        now_ms = self._context.clock()
        media_id = self._context.ids.media_id(medium)
        row = MediaRow(media_id, Direction.OUT, medium, now_ms, now_ms, flaw=writer.flaw)
        unit = Unit()
        self._context.media.put(unit, row)
        await self._context.database.commit(unit)
        return row

    async def drop(self, request: DropMedia) -> Done:
        self._end(request.number)
        return Done()

    # ── reading and forgetting ─────────────────────────────────────────────────────────────────────────────────────

    async def fetch(self, request: FetchMedia) -> MediaOpened:
        row = await self._row(request.id)
        self._check_room()
        reading = await self._files.open(row.medium, keep=row.direction is Direction.IN)
        return MediaOpened(self._number(reading), info_of(row.id, row.medium))

    async def read(self, request: ReadMedia) -> MediaPart:
        reading = self._find(request.number, Reading)
        async with reading.turn:
            if reading.is_over:
                return MediaPart(b"", True)
            try:
                data, is_last = await reading.next()
            except Exception:
                self._end(request.number)
                raise
            self._see(reading)
            return MediaPart(data, is_last)

    async def delete(self, request: DeleteMedia) -> Done:
        row = await self._row(request.id)
        unit = Unit()
        self._context.media.delete(unit, row.id)
        await self._context.database.commit(unit)
        await self._files.forget(row.medium)
        return Done()

    async def _row(self, media_id: str) -> MediaRow:
        row = await self._context.media.load(media_id) if 0 < len(media_id) <= 36 else None
        if row is None:
            raise MediaUnknown("no medium has this id")
        return row

    # ── for the sender ─────────────────────────────────────────────────────────────────────────────────────────────

    async def resolve(self, ref: MediaRef, kind: MediaKind) -> Medium:
        """Return the medium that a message names; raise `MediaUnknown`, `MediaUnfit`, `LinkRefused`, `Overloaded`."""
        media_id = ref.id or await self._follow(ref, kind)
        row = await self._row(media_id)
        check_kind(kind, row.medium, row.flaw)
        await self._use(row)
        return row.medium

    async def _use(self, row: MediaRow) -> None:
        """Note that a file is sent, and let the relay keep it as long as the message may wait."""
        now_ms = self._context.clock()
        if now_ms - row.used_ms < BLOB_SLACK_MS:
            return
        try:
            await self._touch(row.medium)
        except BusyError:
            return  # the relay is away: the message waits too, and the next use asks again
        unit = Unit()
        self._context.media.use(unit, row.id, now_ms)
        await self._context.database.commit(unit)

    async def _touch(self, medium: Medium) -> None:
        peer = await self._link.peer()
        try:
            await peer.call(TouchBlob(medium.blob))
        except RemoteRefused as error:
            if error.code == BlobUnknown.code:
                raise MediaUnknown("the relay does not keep this medium any more; put it again") from None

    async def _follow(self, ref: MediaRef, kind: MediaKind) -> str:
        """Return the id of what a link leads to; a link is fetched once for all who send it within ten minutes."""
        key = (ref.link, ref.provider, kind)
        now_ms = self._context.clock()
        known = self._linked.get(key)
        if known is not None and known[0] > now_ms and await self._context.media.load(known[1]) is not None:
            return known[1]
        running = self._linking.get(key)
        if running is None:
            running = self._linking[key] = asyncio.ensure_future(self._fetch_link(ref, kind))
            running.add_done_callback(lambda done: self._learn(key, done))
        return await asyncio.shield(running)

    def _learn(self, key: LinkKey, done: asyncio.Future[str]) -> None:
        del self._linking[key]
        if done.cancelled() or done.exception() is not None:
            return
        if len(self._linked) >= MAX_LINKS_CACHED:
            self._linked.clear()
        self._linked[key] = (self._context.clock() + LINK_CACHE_MS, done.result())

    async def _fetch_link(self, ref: MediaRef, kind: MediaKind) -> str:
        if len(self._linking) > MAX_LINKS_OPEN:
            raise Overloaded("too many links are being fetched")
        from corefast.core.media.fetch import Links

        headers = await self._credentials(ref.provider) if ref.provider else {}
        async with self._fetches, Links(self._networks).open(ref.link, headers) as fetched:
            if fetched.size is not None and fetched.size > limit_of(kind):
                raise MediaTooLarge(f"the file behind the link has more than {limit_of(kind)} bytes")
            return (await self._take(fetched, kind)).id

    async def _credentials(self, name: str) -> dict[str, str]:
        from corefast.core.media.fetch import credentials_of

        for provider in await self._providers():
            if provider.name == name:
                return credentials_of(provider)
        raise LinkRefused("`provider.name`: there is no media provider of that name")

    async def _take(self, fetched: "Fetched", kind: MediaKind) -> MediaRow:
        """Pass an answer on to the relay as it comes in."""
        writer: Writer | None = None
        head = b""
        try:
            async for piece in fetched.pieces():
                if writer is None:
                    head += piece
                    mime = _mime_of(fetched.mime, head)
                    check_type(kind, mime)
                    writer = await Writer.open(self._link, mime, self._context.random, limit_of(kind))
                await writer.write(piece)
            if writer is None:
                raise LinkRefused("the file behind the link is empty")
            return await self._store(writer)
        except BaseException:
            if writer is not None:
                writer.drop()
            raise

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def sweep_open(self) -> None:
        """End uploads and readings that nobody goes on with."""
        now_ms = self._context.clock()
        for number, each in list(self._open.items()):
            if now_ms - each.seen_ms > BLOB_IDLE_MS and not each.turn.locked():
                self._end(number)

    async def collect(self) -> int:
        """Forget media of ours that were not sent for 30 days; return how many."""
        return await self._drop_old(Direction.OUT, self._context.clock() - MEDIA_LIFE_MS)

    async def sweep(self) -> int:
        """Forget customers' media after their time, on the disk too, ours long after the relay did; return how many."""
        now_ms = self._context.clock()
        await self._files.sweep((now_ms - BLOB_LIFE_MS) / 1_000)
        received = await self._drop_old(Direction.IN, now_ms - BLOB_LIFE_MS)
        return received + await self._drop_old(Direction.OUT, now_ms - 2 * MEDIA_LIFE_MS)

    async def _drop_old(self, direction: Direction, before_ms: int) -> int:
        count = 0
        while ids := await self._context.media.old(direction, before_ms, _PAGE):
            unit = Unit()
            for media_id in ids:
                self._context.media.delete(unit, media_id)
            await self._context.database.commit(unit)
            count += len(ids)
        return count

    # ── what is open ───────────────────────────────────────────────────────────────────────────────────────────────

    def _check_room(self) -> None:
        if len(self._open) >= MAX_OPEN_MEDIA:
            self.sweep_open()
        if len(self._open) >= MAX_OPEN_MEDIA:
            raise Overloaded("too many files are on their way")

    def _number(self, each: Upload | Reading) -> int:
        number = int.from_bytes(self._context.random(7), "big")
        self._open[number] = each
        self._see(each)
        return number

    def _see(self, each: Upload | Reading) -> None:
        each.seen_ms = self._context.clock()

    def _find(self, number: int, kind: type[T]) -> T:
        found = self._open.get(number)
        if not isinstance(found, kind):
            raise MediaUnknown("this file is not on its way")
        return found

    def _end(self, number: int) -> None:
        found = self._open.pop(number, None)
        if isinstance(found, Reading):
            found.close()
        elif found is not None and not found.is_over:
            found.is_over = True
            found.writer.drop()


def _mime_of(told: str, head: bytes) -> str:
    """Return the type of an answer: as it says, or as its first bytes do where it says nothing."""
    if told and bare(told.lower()).strip() not in (UNKNOWN_TYPE, "binary/octet-stream"):
        return read_mime(told)
    found = sniff(head)
    return next(iter(found)) if len(found) == 1 else UNKNOWN_TYPE
