"""Webhook deliveries of all accounts, in turn: an emitter claims whatever is due, and each account has its turn."""

import asyncio
import contextlib

from msgspec import structs

from corefast.core.feed.deliveries import NO_WEBHOOK, Schedule
from corefast.limits import MAX_PAGE, MAX_WAIT_MS
from corefast.wire.webhook import Deliveries, Outcome, Webhook

MIN_SHARE = 4
"""Deliveries that one account may have in flight at an emitter, however many accounts there are."""


class Rota:
    """Asks the schedules, the one that was served longest ago first."""

    def __init__(self) -> None:
        self._schedules: list[Schedule] = []
        self._claimed: dict[str, tuple[object, Schedule]] = {}
        """Who has which event, and whose it is."""
        self.authorities = ""
        """Names the certificates that emitters trust besides the system's; empty: none."""
        self.changed = asyncio.Event()
        """Set by each schedule that may have something new."""

    def add(self, schedule: Schedule) -> None:
        self._schedules.append(schedule)
        self.changed.set()

    async def claim(self, owner: object, limit: int, wait_ms: int) -> Deliveries:
        """Return what is due for *owner*, waiting for the first one as long as asked."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(max(wait_ms, 0), MAX_WAIT_MS) / 1_000
        while True:
            self.changed.clear()
            if (found := await self._take(owner, min(max(limit, 1), MAX_PAGE))) is not None:
                return found
            left = deadline - loop.time()
            if left <= 0:
                return Deliveries(self._offer(self._schedules[0].webhook if self._schedules else NO_WEBHOOK), [])
            due_s = min((schedule.seconds_to_due() for schedule in self._schedules), default=left)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, due_s)):
                    await self.changed.wait()

    async def _take(self, owner: object, limit: int) -> Deliveries | None:
        share = self._share()
        for schedule in list(self._schedules):
            room = limit if share is None else min(limit, share - schedule.count_of(owner))
            if room > 0 and (claimed := await schedule.take(owner, room)):
                # To the end of the line. Another claim may have moved it meanwhile.
                self._schedules.remove(schedule)
                self._schedules.append(schedule)
                self._claimed.update((each.event.id, (owner, schedule)) for each in claimed)
                return Deliveries(self._offer(schedule.webhook), claimed)
        return None

    def _share(self) -> int | None:
        """Return how many deliveries of one account an emitter may hold: a slow receiver must not starve the others."""
        active = sum(bool(schedule.webhook.url) for schedule in self._schedules)
        return None if active < 2 else max(self._concurrency() // active, MIN_SHARE)

    def _concurrency(self) -> int:
        """Return how many deliveries an emitter makes at a time: as many as any account asks for."""
        return max((each.effect.concurrency for each in self._schedules if each.webhook.url), default=0)

    def _offer(self, webhook: Webhook) -> Webhook:
        return structs.replace(webhook, concurrency=self._concurrency(), authorities=self.authorities)

    async def report(self, owner: object, outcomes: list[Outcome]) -> None:
        """Store what became of claimed deliveries; those of others are ignored."""
        sorted_out: dict[int, tuple[Schedule, list[Outcome]]] = {}
        for outcome in outcomes:
            claimer, schedule = self._claimed.get(outcome.event_id, (None, None))
            if schedule is not None and claimer is owner:
                del self._claimed[outcome.event_id]
                sorted_out.setdefault(id(schedule), (schedule, []))[1].append(outcome)
        results = await asyncio.gather(
            *(schedule.report(owner, theirs) for schedule, theirs in sorted_out.values()), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def release(self, owner: object) -> None:
        """Give back what *owner* had claimed: its link is gone."""
        self._claimed = {event: claim for event, claim in self._claimed.items() if claim[0] is not owner}
        for schedule in self._schedules:
            schedule.release(owner)

    async def count_waiting(self) -> int:
        return sum([await schedule.count_waiting() for schedule in self._schedules])
