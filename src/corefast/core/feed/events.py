"""The feed: every event in order, for whoever reads it with a cursor."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

from corefast.core.context import Context
from corefast.core.feed.cursor import decode_cursor, encode_cursor
from corefast.core.ids import group_id, inbound_id, outbound_id
from corefast.core.media.info import info_of
from corefast.core.send.status import FAILURES
from corefast.core.store.events import EventRow, Fact
from corefast.endpoint.media import is_sound
from corefast.errors import ContentMalformed, CursorInvalid, ParameterInvalid
from corefast.limits import MAX_PAGE, MAX_WAIT_MS
from corefast.wire.body import Saying
from corefast.wire.content import Medium, decode_content
from corefast.wire.event import Event, EventKind, Events, Failure, ReadEvents, SeenIdentity
from corefast.wire.media import MediaInfo

MAX_PAGE_BYTES = 524_288
"""Text in one answer: half of the largest message a link carries."""

_KINDS = {fact: EventKind[fact.name] for fact in Fact}
_COLLECTED = (Fact.MESSAGES_COLLECTED, Fact.MEDIA_COLLECTED)
_OF_OURS = (Fact.SENT, Fact.DELIVERED, Fact.READ, Fact.FAILED, Fact.EXPIRED)


class Feed:
    """Serves `ReadEvents`, and turns rows into events for the webhook too."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiters: set[asyncio.Future[None]] = set()
        self.oldest = 0
        """The position before the oldest event kept."""
        context.bell.listen(self._wake)

    async def load(self) -> None:
        first = await self._context.events.first_id()
        self.oldest = first - 1 if first else self._context.events.last

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {ReadEvents: self.read}

    async def read(self, request: ReadEvents) -> Events:
        """Return the events behind the cursor, waiting for the first one as long as asked."""
        context = self._context
        if request.limit < 1:
            raise ParameterInvalid("limit starts at 1")
        positions = decode_cursor(request.after) if request.after else {}
        after = positions.get(context.shard, self.oldest)
        if not context.span.floor <= after <= context.span.last:
            raise CursorInvalid("the cursor is another number's: use one of an earlier answer, or none")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(max(request.wait_ms, 0), MAX_WAIT_MS) / 1_000
        while True:
            waiter = self._waiter()
            events = await self.page(after, min(request.limit, MAX_PAGE))
            if events or not await _within(waiter, deadline - loop.time()):
                break
        self._waiters.discard(waiter)
        last = events[-1].position if events else after
        return Events(events, encode_cursor({context.shard: last}), encode_cursor({context.shard: self.oldest}))

    async def page(self, after: int, limit: int) -> list[Event]:
        """Return at most *limit* events behind *after*, fewer where they are large."""
        events: list[Event] = []
        size = 0
        for row in await self._context.events.load(after, limit):
            event = self.event_of(row)
            size += len(row.plaintext or b"")
            if events and size > MAX_PAGE_BYTES:
                break
            events.append(event)
        return events

    def event_of(self, row: EventRow) -> Event:
        """Return the event of a row, the same each time."""
        ids = self._context.ids
        facts = (ids.event_id(row.position), self._context.shard, row.position, _KINDS[row.kind], row.at_ms, row.number)
        if row.kind in _OF_OURS:
            extra, failure = row.extra, failure_of(row.failure)
            if not extra.group:
                return Event(*facts, outbound_id(ids.message_id(row.ref)), failure=failure, opaque=extra.opaque)
            message_id, group = outbound_id(ids.said_id(extra.group_message)), group_id(extra.group)
            return Event(*facts, message_id, failure=failure, opaque=extra.opaque, group=group)
        if row.kind in _COLLECTED:
            return Event(*facts, count=row.ref)
        if row.remote_id is None:
            return Event(*facts)
        message_id, group = inbound_id(row.said or row.remote_id), group_id(row.group) if row.group else ""
        if row.plaintext is None:
            return Event(*facts, message_id, group=group)
        said = read_plaintext(row.plaintext)
        seen = None
        if row.identity_hash is not None and row.identity_ms is not None:
            seen = SeenIdentity(row.identity_hash, row.identity_ms, acknowledged=False)
        media = self.media_of(said.medium, is_ready=not row.is_undownloaded)
        told = (message_id, said.body, said.name, self.quoted_id(said.reply_to))
        return Event(*facts, *told, identity=seen, media=media, group=group)

    def media_of(self, medium: Medium | None, *, is_ready: bool = True) -> MediaInfo | None:
        """Return the medium of a message as clients see it; None where there is none, or its description is damaged."""
        if medium is None or not is_sound(medium):
            return None
        return info_of(self._context.ids.media_id(medium), medium, is_ready=is_ready)

    def quoted_id(self, reply_to: bytes | None) -> str:
        """Return a quoted message's id as clients see it: one of ours, or the peer's."""
        if reply_to is None or len(reply_to) != 16:
            return ""
        return outbound_id(reply_to) if self._context.ids.is_ours(reply_to) else inbound_id(reply_to)

    def _waiter(self) -> asyncio.Future[None]:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        return waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def failure_of(code: int | None) -> Failure | None:
    """Return the failure that a row's code stands for."""
    return None if code is None else FAILURES.get(code, Failure(code, "Message failed", "The message has failed."))


class Said(NamedTuple):
    """What a stored message says."""

    body: Saying | None = None
    name: str = ""
    reply_to: bytes | None = None
    medium: Medium | None = None


def read_plaintext(plaintext: bytes) -> Said:
    """Return what a stored message says; nothing where it was forgotten or is damaged."""
    try:
        content = decode_content(plaintext)
    except ContentMalformed:
        return Said()
    body = content.body if isinstance(content.body, Saying) else None
    return Said(body, content.name, content.reply_to, content.media)


async def _within(waiter: asyncio.Future[None], seconds: float) -> bool:
    """Wait for *waiter*; tell whether it came in time."""
    if seconds > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await waiter
            return True
    waiter.cancel()
    return False
