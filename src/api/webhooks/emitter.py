"""The loop of the emitter: claim what is due, post it, report what came of it.

The core decides order, retries, parking and dead letters. A claim ends with the link that made it, so whatever is lost
here, link or process, is claimed and posted again.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from msgspec import structs

from api.gateway import Core
from corefast import metrics
from corefast.errors import CorefastError
from corefast.limits import CALL_TIMEOUT_MS, WEBHOOK_CONCURRENCY
from corefast.logs import get_logger
from corefast.wire.gateway import Done
from corefast.wire.webhook import ClaimDeliveries, Deliveries, Delivery, Outcome, ReportDeliveries, Webhook

log = get_logger()

CLAIM_WAIT_MS = 20_000
PAUSE_S = 0.5
"""Between a claim that failed and the next; the link's own back-off comes on top."""

FINISH_S = 2.0
"""How long running attempts may take after the stop; what they miss is claimed again by the next emitter."""

Post = Callable[[Webhook, Delivery], Awaitable[Outcome]]


class Emitter:
    """Holds at most *concurrency* deliveries at a time and reports outcomes many at once."""

    def __init__(self, core: Core, post: Post, concurrency: int = WEBHOOK_CONCURRENCY) -> None:
        self._core = core
        self._post = post
        self._concurrency = concurrency
        self._running: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._has_room = asyncio.Event()
        self._reporting: asyncio.Task[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Emit until *stop*, then let what runs finish and report it."""
        claiming = asyncio.create_task(self._claim_forever())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((claiming, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in (claiming, stopping):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await claiming  # a bug in the loop ends the program loudly
        await self._finish()

    async def _claim_forever(self) -> None:
        while True:
            free = self._concurrency - len(self._running)
            if free <= 0:
                self._has_room.clear()
                await self._has_room.wait()
                continue
            try:
                claimed = await self._core.call(
                    ClaimDeliveries(free, CLAIM_WAIT_MS), Deliveries, timeout_ms=CLAIM_WAIT_MS + CALL_TIMEOUT_MS
                )
            except CorefastError as error:
                log.info("no deliveries could be claimed", code=error.code)
                await asyncio.sleep(PAUSE_S)
                continue
            self._concurrency = claimed.webhook.concurrency or self._concurrency
            for delivery in claimed.deliveries:
                self._start(claimed.webhook, delivery)

    def _start(self, webhook: Webhook, delivery: Delivery) -> None:
        task = asyncio.create_task(self._deliver(webhook, delivery))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._has_room.set()

    async def _deliver(self, webhook: Webhook, delivery: Delivery) -> None:
        began = time.perf_counter()
        try:
            outcome = await self._post(webhook, delivery)
        except Exception:
            log.exception("an attempt failed within", attempt=delivery.attempt)
            outcome = Outcome(delivery.event.id, False, error="internal")
        took_s = time.perf_counter() - began
        outcome = structs.replace(outcome, took_ms=round(took_s * 1_000))
        metrics.webhooks_attempt_seconds.observe(took_s)
        metrics.webhooks_attempts.labels("delivered" if outcome.delivered else "failed").inc()
        if not outcome.delivered:
            log.info("a webhook was not taken", status=outcome.status, reason=outcome.error, attempt=delivery.attempt)
        self._outcomes.append(outcome)
        if self._reporting is None or self._reporting.done():
            self._reporting = asyncio.create_task(self._report())

    async def _report(self) -> None:
        """Report all outcomes there are, and those that came meanwhile; a report that is lost costs a repetition."""
        while self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            try:
                await self._core.call(ReportDeliveries(outcomes), Done)
            except CorefastError as error:
                log.info("outcomes could not be reported; their events will be posted again", code=error.code)

    async def _finish(self) -> None:
        if self._running:
            await asyncio.wait(set(self._running), timeout=FINISH_S)
        for task in self._running:
            task.cancel()
        if self._reporting is not None:
            await asyncio.wait((self._reporting,), timeout=FINISH_S / 2)
