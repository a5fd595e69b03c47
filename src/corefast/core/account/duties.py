"""Housekeeping: what is too old is dropped, and prekeys are rotated."""

from collections.abc import Awaitable, Callable, Sequence

from corefast.core.account.retention import SURE_MS, Retention
from corefast.core.account.stock import Stock
from corefast.core.context import Context
from corefast.core.feed.deliveries import Schedule
from corefast.core.feed.events import Feed
from corefast.core.media.media import Media
from corefast.core.send.resender import Resender
from corefast.errors import CorefastError
from corefast.limits import EVENT_LIFE_MS, IDEMPOTENCY_LIFE_MS, MAX_EVENTS
from corefast.logs import get_logger
from corefast.net.transport import Peer
from corefast.store.database import Unit

log = get_logger()

ROUND_S = 60
SWEEP_MS = 3_600_000
SWEEP_EVENTS = 100_000
"""A busy feed is swept after so many events."""

_CHUNK = 2_000
"""Events dropped by one unit."""


Chore = Callable[[Unit], None]
"""Adds to a unit what is to be swept for the whole process."""


class Duties:
    """Run in rounds, from `run` until it is cancelled."""

    def __init__(
        self,
        context: Context,
        feed: Feed,
        schedule: Schedule,
        stock: Stock,
        resender: Resender,
        retention: Retention,
        chores: Sequence[Chore],
        media: Media,
    ) -> None:
        self._context = context
        self._feed = feed
        self._schedule = schedule
        self._stock = stock
        self._chores = chores
        self._resender = resender
        self._retention = retention
        self._media = media
        self._swept_ms = 0
        self._swept_at = 0
        self.peer: Peer | None = None

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        while True:
            try:
                await self.round()
            except CorefastError as error:
                log.warning("housekeeping failed", code=error.code)
            except Exception:
                log.exception("housekeeping failed")
            await sleep(ROUND_S)

    async def round(self) -> None:
        """Do what is due."""
        context = self._context
        now_ms = context.clock()
        if self.peer is not None and self.peer.is_open:
            await self._stock.rotate(self.peer)
        self._media.sweep_open()
        if now_ms - self._swept_ms < SWEEP_MS and context.events.last - self._swept_at < SWEEP_EVENTS:
            return
        self._swept_ms, self._swept_at = now_ms, context.events.last
        await self._sweep_events(now_ms)
        unit = Unit()
        context.idempotency.sweep(unit, now_ms - IDEMPOTENCY_LIFE_MS)
        context.deliveries.sweep(unit, now_ms - EVENT_LIFE_MS)
        for chore in self._chores:
            chore(unit)
        await context.database.commit(unit)
        await self._resender.sweep(now_ms)
        await self._retention.sweep(now_ms)
        await self._media.sweep()
        await self._sweep_read_marks(now_ms)

    async def _sweep_read_marks(self, now_ms: int) -> None:
        """Forget what the relay cannot repeat any more."""
        unit = Unit()
        while await self._context.inbound.sweep(unit, now_ms - SURE_MS):
            await self._context.database.commit(unit)
            unit = Unit()

    async def _sweep_events(self, now_ms: int) -> None:
        context = self._context
        cut = await context.events.expired(now_ms - EVENT_LIFE_MS, MAX_EVENTS)
        if cut > self._feed.oldest:
            self._feed.oldest = cut
            await self._schedule.forget(cut)
        step = (await context.events.first_id() or cut + 1) - 1
        while step < cut:
            step = min(await context.events.nth(step, _CHUNK) or cut, cut)
            unit = Unit()
            context.floors.keep(unit, context.next_message.last, context.events.last)
            context.events.delete(unit, step)
            await context.database.commit(unit)
