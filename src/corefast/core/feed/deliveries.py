"""Which event goes to the webhook next, and how far it has come.

The cursor moves over events that are delivered or have a row of their own; so a crash repeats at most what was under
way. In memory there is a window of events behind the cursor, in conversations (one for each peer).
"""

import asyncio
from base64 import b64encode

from corefast import metrics
from corefast.core.context import Context
from corefast.core.feed import tally
from corefast.core.feed.conversation import Conversation, Pending, fail
from corefast.core.feed.events import Feed
from corefast.core.settings.application import effect_of
from corefast.core.store.deliveries import DeliveryPhase, DeliveryRow
from corefast.core.store.events import Fact
from corefast.errors import CorefastError, ParameterInvalid
from corefast.limits import MAX_PAGE, MAX_WAIT_MS
from corefast.logs import get_logger
from corefast.store.database import Unit
from corefast.wire.event import EventKind, State
from corefast.wire.webhook import Delivery, Outcome, SetWebhook, Webhook

log = get_logger()

WINDOW = 2_000
"""Events behind the cursor that are kept in memory."""

MAX_FAILED = 10_000
"""Failed deliveries kept on the schedule; a further one goes to the dead letters at once."""

FIRST_PAUSE_MS, MAX_PAUSE_MS = 1_000, 32_000
"""How long nothing is claimed after outcomes that could not be stored: what they told of will be posted once more."""

_MAX_URL_CHARACTERS = 2_048
_SECRET_BYTES = 32
_PAGE = 500
NO_WEBHOOK = Webhook("", "", SetWebhook("").statuses)
_STATES = {
    Fact.SENT: (State.SENT,),
    Fact.DELIVERED: (State.DELIVERED,),
    Fact.READ: (State.READ,),
    Fact.FAILED: (State.FAILED,),
    Fact.EXPIRED: (State.EXPIRED, State.FAILED),
}
_SECURITY = (Fact.IDENTITY_CHANGED, Fact.BUNDLE_DOWNGRADED)


class Schedule:
    """Claims and outcomes of deliveries."""

    def __init__(self, context: Context, feed: Feed, changed: asyncio.Event) -> None:
        self._context = context
        self._feed = feed
        self.webhook = NO_WEBHOOK
        self.effect = effect_of({})
        self._cursor = 0
        self._loaded = 0
        """The window holds every undelivered event up to here."""
        self._open: dict[int, Pending] = {}
        """Pending events by position."""
        self._window: dict[int, None] = {}
        """Positions behind the cursor that are pending, in order; the cursor stays before the first."""
        self._conversations: dict[int, Conversation] = {}
        self._dead: set[int] = set()
        """Dead deliveries behind the cursor, which the window passes over."""
        self._is_filled = False
        self._loading = asyncio.Lock()
        self._reporting = asyncio.Lock()
        self._pause_ms = 0
        self._paused_until_ms = 0
        self._changed = changed
        context.bell.listen(changed.set)

    async def load(self) -> None:
        """Go on where the last process ended."""
        store = self._context.deliveries
        self.webhook = await store.load_webhook() or NO_WEBHOOK
        self._cursor = self._loaded = max(await store.load_cursor(), self._feed.oldest)
        self._dead = await store.load_dead_ids(self._cursor)
        for row in await store.load_alive():
            await self._put_failed(row)

    async def count_waiting(self) -> int:
        """Return how many events wait for the webhook."""
        if not self.webhook.url or self._is_filled:
            return len(self._open)
        return len(self._open) + await self._context.events.count(self._loaded)

    async def set(self, request: SetWebhook, also: Unit | None = None) -> Webhook:
        """Set the webhook that an operator asks for, together with what is in *also*; raise `ParameterInvalid`."""
        if request.url and not request.url.startswith(("http://", "https://")):
            raise ParameterInvalid("a webhook's URL begins with https:// or http://")
        if len(request.url) > _MAX_URL_CHARACTERS:
            raise ParameterInvalid(f"a webhook's URL has at most {_MAX_URL_CHARACTERS} characters")
        secret = self.webhook.secret or "whsec_" + b64encode(self._context.random(_SECRET_BYTES)).decode()
        await self.set_webhook(Webhook(request.url, secret, tuple(dict.fromkeys(request.statuses))), also)
        return self.webhook

    async def set_webhook(self, webhook: Webhook, also: Unit | None = None) -> None:
        """Store the webhook, and what is in *also*; one that was off begins with the events of this moment."""
        unit = Unit() if also is None else also
        self._context.deliveries.put_webhook(unit, webhook)
        was_off = not self.webhook.url
        position = self._context.events.last
        if was_off and webhook.url:
            self._context.deliveries.put_cursor(unit, position)
        await self._context.database.commit(unit)
        async with self._loading:
            if was_off and webhook.url:
                self._cursor = self._loaded = position
            elif not webhook.url:
                self._drop_window()
            self.webhook = webhook
        self._changed.set()

    async def reload_webhook(self) -> None:
        """Take over a webhook that was set through another core."""
        stored = await self._context.deliveries.load_webhook()
        if stored is not None and stored != self.webhook:
            await self.set_webhook(stored)

    def _drop_window(self) -> None:
        """Forget what has no row of its own and is not in flight."""
        for position in list(self._window):
            pending = self._open[position]
            if pending.row is None and pending.owner is None:
                self._conversations[pending.peer].ordered.remove(pending)
                del self._open[position], self._window[position]

    async def take(self, owner: object, limit: int) -> list[Delivery]:
        """Return what is due for *owner*; nothing where there is no webhook."""
        if not self.webhook.url:
            return []
        await self._fill()
        return self._take_due(owner, limit)

    def count_of(self, owner: object) -> int:
        """Return how many deliveries *owner* has in flight."""
        return sum(pending.owner is owner for pending in self._open.values())

    def _take_due(self, owner: object, limit: int) -> list[Delivery]:
        now_ms = self._context.clock()
        claimed: list[Delivery] = []
        if now_ms < self._paused_until_ms:
            return claimed
        for peer, conversation in list(self._conversations.items()):
            if len(claimed) == limit:
                break
            pending = conversation.take(now_ms)
            if pending is not None:
                pending.owner = owner
                self._conversations[peer] = self._conversations.pop(peer)  # to the end: everybody has a turn
                claimed.append(Delivery(pending.event, pending.attempts + 1))
        return claimed

    def seconds_to_due(self) -> float:
        """Return after how long a claim may find more than now, if nothing changes until then."""
        times = [due for each in self._conversations.values() if (due := each.due_ms()) is not None]
        if not times:
            return MAX_WAIT_MS / 1_000
        return max(min(times) - self._context.clock(), self._paused_until_ms - self._context.clock(), 0) / 1_000 + 0.001

    def _pause(self) -> None:
        """Let no more be claimed for a while, twice as long each time; reports of the same claims count once."""
        now_ms = self._context.clock()
        if now_ms >= self._paused_until_ms:
            self._pause_ms = min(max(2 * self._pause_ms, FIRST_PAUSE_MS), MAX_PAUSE_MS)
            self._paused_until_ms = now_ms + self._pause_ms

    def release(self, owner: object) -> None:
        """Give back what *owner* had claimed: its link is gone."""
        for pending in self._open.values():
            if pending.owner is owner:
                pending.owner = None
                self._conversations[pending.peer].put_back()
        self._changed.set()

    async def report(self, owner: object, outcomes: list[Outcome]) -> None:
        """Store what became of claimed deliveries; those of others are ignored."""
        async with self._reporting:
            unit = Unit()
            ended = self._collect(unit, owner, outcomes)
            done = {pending.event.position for pending, _ in ended}
            cursor = next((position for position in self._window if position not in done), self._loaded + 1) - 1
            if cursor > self._cursor:
                self._context.deliveries.put_cursor(unit, cursor)
            try:
                if unit.ops:
                    await self._context.database.commit(unit)
            except CorefastError:
                for pending, _ in ended:
                    pending.owner = None
                    self._conversations[pending.peer].put_back()
                self._pause()
                raise
            finally:
                self._changed.set()
            if unit.ops:
                self._pause_ms = self._paused_until_ms = 0
            if cursor > self._cursor:
                self._cursor = cursor
                self._dead = {position for position in self._dead if position > cursor}
            for pending, row in ended:
                self._window.pop(pending.event.position, None)
                self._settle(pending, row)
        if any(outcome.disable for outcome in outcomes) and self.webhook.url:
            log.warning("the webhook's receiver is gone (410); webhooks are off until one is set again")
            await self.set_webhook(Webhook("", self.webhook.secret, self.webhook.statuses))

    def _collect(self, unit: Unit, owner: object, outcomes: list[Outcome]) -> list[tuple[Pending, DeliveryRow | None]]:
        """Add the outcomes to *unit*; return what ends, with the row that remains of it."""
        ended: list[tuple[Pending, DeliveryRow | None]] = []
        for outcome in outcomes:
            pending = self._open.get(self._context.ids.position_of(outcome.event_id) or 0)
            if pending is None or pending.owner is not owner:
                continue
            tally.count(pending.event.kind, outcome)
            pending.owner = self  # until it is stored nobody gives it back, and nobody drops it
            row = None if outcome.delivered else fail(pending, outcome, self._context.clock(), self.effect.backoff)
            if row is not None and len(self._open) - len(self._window) >= MAX_FAILED and pending.row is None:
                row.phase = DeliveryPhase.DEAD
            self._store(unit, pending, row)
            ended.append((pending, row))
        return ended

    def _store(self, unit: Unit, pending: Pending, row: DeliveryRow | None) -> None:
        if row is None and self._context.pass_through and pending.event.kind is EventKind.MESSAGE:
            self._context.inbound.forget(unit, pending.event.position)
        if row is not None:
            self._context.deliveries.put(unit, row)
        elif pending.row is not None:
            self._context.deliveries.delete(unit, pending.event.position)

    def _settle(self, pending: Pending, row: DeliveryRow | None) -> None:
        """Put *pending* where its outcome belongs."""
        conversation = self._conversations[pending.peer]
        pending.row, pending.owner = row, None
        if row is not None and row.phase is DeliveryPhase.HELD:
            conversation.put_back()
            return
        conversation.finish()
        if row is not None and row.phase is DeliveryPhase.PARKED:
            conversation.park(pending)
            return
        if row is not None:
            self._dead.add(row.id)
        del self._open[pending.event.position]
        if conversation.is_empty:
            del self._conversations[pending.peer]

    async def _fill(self) -> None:
        """Read further events until the window is full; filtered ones are passed over."""
        async with self._loading:
            while len(self._window) < WINDOW // 2:
                rows = await self._context.events.load(self._loaded, _PAGE)
                for row in rows:
                    self._loaded = row.position
                    if self._is_wanted(row.kind) and not (row.position in self._open or row.position in self._dead):
                        self._window[row.position] = None
                        self._put(Pending(self._feed.event_of(row), row.peer))
                self._is_filled = len(rows) < _PAGE
                if self._is_filled:
                    return

    def _is_wanted(self, fact: Fact) -> bool:
        if fact in _SECURITY and not self.effect.tells_security:
            return False
        states = _STATES.get(fact)
        return states is None or any(state in self.webhook.statuses for state in states)

    def _put(self, pending: Pending) -> None:
        self._open[pending.event.position] = pending
        conversation = self._conversations.setdefault(pending.peer, Conversation())
        if pending.row is not None and pending.row.phase is DeliveryPhase.PARKED:
            conversation.park(pending)
        else:
            conversation.ordered.append(pending)

    async def _put_failed(self, row: DeliveryRow) -> None:
        if row.id in self._open:
            return
        events = await self._context.events.load(row.id - 1, 1)
        if events and events[0].position == row.id:
            self._put(Pending(self._feed.event_of(events[0]), row.peer, row))
        else:
            unit = Unit()
            self._context.deliveries.delete(unit, row.id)
            await self._context.database.commit(unit)
            metrics.core_dropped_deliveries.inc()

    async def dead(self, limit: int) -> list[DeliveryRow]:
        """Return the deliveries that used up their schedule, oldest first."""
        return await self._context.deliveries.load_dead(min(max(limit, 1), MAX_PAGE))

    async def replay(self, event_ids: list[str]) -> None:
        """Put dead deliveries (all of them when none is named) back, due at once."""
        store = self._context.deliveries
        positions = [self._context.ids.position_of(event_id) or 0 for event_id in event_ids]
        while True:
            rows = await store.load_dead(_PAGE) if not event_ids else await store.load_dead_of(positions)
            if not rows:
                return
            unit = Unit()
            for row in rows:
                row.phase, row.parked, row.next_ms = DeliveryPhase.PARKED, 0, self._context.clock()
                store.put(unit, row)
            await self._context.database.commit(unit)
            for row in rows:
                self._dead.discard(row.id)
                await self._put_failed(row)
            self._changed.set()

    async def forget(self, up_to: int) -> int:
        """Drop pending events without a row up to that position: they are too old. Return how many."""
        async with self._loading:
            dropped = 0
            for position in [position for position in self._window if position <= up_to]:
                pending = self._open[position]
                if pending.owner is None:
                    self._conversations[pending.peer].ordered.remove(pending)
                    del self._open[position], self._window[position]
                    dropped += 1
            if self.webhook.url and up_to > self._loaded:
                events = self._context.events
                dropped += await events.count(self._loaded) - await events.count(up_to)
                self._loaded = up_to
            metrics.core_dropped_deliveries.inc(dropped)
            return dropped
