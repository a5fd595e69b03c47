"""Forgets messages, in both directions, once they are older than the operator keeps them.

A sent one goes as a whole, when nothing more is expected of it. Of a received one the body goes first: its id has to be
known for as long as the relay may repeat it. Neither goes while an event tells of it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

from corefast.core.context import Context
from corefast.core.store.events import RECEIVED, STATES
from corefast.core.store.messages import OldMessage
from corefast.limits import MESSAGE_TTL_MS
from corefast.store.database import Unit

DAY_MS = 86_400_000
SURE_MS = 2 * MESSAGE_TTL_MS
"""Twice the relay's own limit: later it neither repeats an item nor reports on a message."""

PAGE_ROWS = 2_000
CHUNK_ROWS = 250
"""Rows changed by one unit; sends go in between."""

Page = Callable[[int, int, int], Awaitable[list[OldMessage]]]


class Retention:
    """Sweeps the rows of our account and shard."""

    def __init__(self, context: Context, keep_days: int) -> None:
        self._context = context
        self._keep_ms = keep_days * DAY_MS
        self._ids = (context.span.floor, context.span.last + 1)

    async def sweep(self, now_ms: int) -> int:
        """Drop what is too old, nothing where messages are kept for ever; return how many went."""
        if not self._keep_ms:
            return 0
        count = 0
        messages, inbound = self._context.messages, self._context.inbound
        async for page in self._old(messages.load_page, now_ms):
            told = await self._context.events.told_of(STATES, page[0].id, page[-1].id)
            count += await self._drop([row for row in page if row.id not in told and _is_over(row, now_ms)])
        async for page in self._old(inbound.load_page, now_ms):
            told = await self._context.events.told_of(RECEIVED, page[0].id, page[-1].id)
            count += await self._empty([row.id for row in page if row.id not in told])
        await self._drop_said(now_ms - self._keep_ms)
        return count

    async def _drop_said(self, before_ms: int) -> None:
        """Drop the bodies of groups' messages of which no member's part is left."""
        while True:
            unit = Unit()
            if not await self._context.said.sweep(unit, before_ms, CHUNK_ROWS):
                return
            await self._context.database.commit(unit)

    async def _old(self, load: Page, now_ms: int) -> AsyncIterator[list[OldMessage]]:
        """Walk the rows from the oldest one; yield those of each page that are too old."""
        after, end = self._ids
        before_ms = now_ms - self._keep_ms
        while rows := await load(after, end, PAGE_ROWS):
            after = rows[-1].id
            if old := [row for row in rows if row.at_ms < before_ms]:
                yield old
            # Where a clock was wrong the walk goes on.
            if all(before_ms <= row.at_ms <= now_ms for row in rows):
                return

    async def _drop(self, rows: list[OldMessage]) -> int:
        context = self._context
        for start in range(0, len(rows), CHUNK_ROWS):
            unit = Unit()
            # So that no later process gives the ids of dropped rows again.
            context.floors.keep(unit, context.next_message.last, context.events.last)
            for row in rows[start : start + CHUNK_ROWS]:
                context.messages.delete(unit, row)
                if len(context.groups):
                    context.said.delete_part(unit, row.id)
            await context.database.commit(unit)
        return len(rows)

    async def _empty(self, rows: list[int]) -> int:
        for start in range(0, len(rows), CHUNK_ROWS):
            unit = Unit()
            for row in rows[start : start + CHUNK_ROWS]:
                self._context.inbound.empty(unit, row)
            await self._context.database.commit(unit)
        return len(rows)


def _is_over(row: OldMessage, now_ms: int) -> bool:
    """Tell whether nothing more is expected: it waits for nobody, and has come to its end."""
    return not row.is_waiting and (row.done_ms > 0 or row.at_ms < now_ms - SURE_MS)
