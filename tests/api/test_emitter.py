"""The emitter's loop against a scripted core."""

import asyncio

import uvloop
from msgspec import structs

from api.webhooks.emitter import Emitter
from corefast.errors import LinkLost
from corefast.wire.event import Event, EventKind
from corefast.wire.gateway import Done
from corefast.wire.webhook import ClaimDeliveries, Deliveries, Delivery, Outcome, ReportDeliveries, Webhook

from ..support.fake_core import FakeCore

WEBHOOK = Webhook("http://127.0.0.1:1/hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ())


def deliveries(*ids: str) -> list[Delivery]:
    return [Delivery(Event(one, 0, 1, EventKind.SENT, 0, message_id="gBGGx"), 1) for one in ids]


class Feed:
    """Hands out batches once each, then waits; remembers what was reported."""

    def __init__(self, core: FakeCore, *batches: list[Delivery]) -> None:
        self.batches = list(batches)
        self.limits: list[int] = []
        self.outcomes: list[Outcome] = []
        self.reports = 0
        self.all_reported = asyncio.Event()
        self._expected = sum(map(len, batches))
        core.on[ClaimDeliveries] = self.claim
        core.on[ReportDeliveries] = self.report

    async def claim(self, message: ClaimDeliveries) -> Deliveries:
        self.limits.append(message.limit)
        if not self.batches:
            await asyncio.Event().wait()
        return Deliveries(WEBHOOK, self.batches.pop(0))

    def report(self, message: ReportDeliveries) -> Done:
        self.reports += 1
        self.outcomes += message.outcomes
        if len(self.outcomes) == self._expected:
            self.all_reported.set()
        return Done()


async def delivered(webhook: Webhook, delivery: Delivery) -> Outcome:
    return Outcome(delivery.event.id, True, 200)


async def run(emitter: Emitter, until: asyncio.Event) -> None:
    stop = asyncio.Event()
    running = asyncio.ensure_future(emitter.run(stop))
    async with asyncio.timeout(20):
        await until.wait()
        stop.set()
        await running


def test_every_claimed_delivery_is_posted_and_reported():
    async def main():
        core = FakeCore()
        feed = Feed(core, deliveries("evt_1", "evt_2"), deliveries("evt_3"))
        await run(Emitter(core, delivered), feed.all_reported)
        assert sorted(outcome.event_id for outcome in feed.outcomes) == ["evt_1", "evt_2", "evt_3"]
        assert all(outcome.delivered for outcome in feed.outcomes)

    uvloop.run(main())


def test_outcomes_that_come_together_are_one_report():
    async def main():
        core = FakeCore()
        feed = Feed(core, deliveries(*(f"evt_{n}" for n in range(20))))
        await run(Emitter(core, delivered), feed.all_reported)
        assert feed.reports == 1

    uvloop.run(main())


def test_no_more_is_claimed_than_there_are_hands():
    async def main():
        core, go = FakeCore(), asyncio.Event()
        feed = Feed(core, deliveries("evt_1", "evt_2"), deliveries("evt_3"), deliveries("evt_4"))
        most = running = 0

        async def slow(webhook, delivery):
            nonlocal most, running
            running += 1
            most = max(most, running)
            await go.wait()
            running -= 1
            return Outcome(delivery.event.id, True, 200)

        emitter = Emitter(core, slow, concurrency=3)
        ended = asyncio.ensure_future(run(emitter, feed.all_reported))
        while running < 3:
            await asyncio.sleep(0)
        assert feed.limits == [3, 1]
        go.set()
        await ended
        assert most == 3
        assert max(feed.limits) <= 3 and 0 not in feed.limits

    uvloop.run(main())


def test_one_receiver_that_hangs_does_not_hold_up_the_others():
    async def main():
        core, go = FakeCore(), asyncio.Event()
        feed = Feed(core, deliveries("evt_slow", "evt_1"), deliveries("evt_2"))

        async def some_slow(webhook, delivery):
            if delivery.event.id == "evt_slow":
                await go.wait()
            return Outcome(delivery.event.id, True, 200)

        ended = asyncio.ensure_future(run(Emitter(core, some_slow), feed.all_reported))
        while len(feed.outcomes) < 2:
            await asyncio.sleep(0)
        assert {outcome.event_id for outcome in feed.outcomes} == {"evt_1", "evt_2"}
        go.set()
        await ended

    uvloop.run(main())


def test_a_fault_of_ours_is_reported_as_a_failure():
    async def fail(webhook, delivery):
        raise KeyError("secret")

    async def main():
        core = FakeCore()
        feed = Feed(core, deliveries("evt_1"))
        await run(Emitter(core, fail), feed.all_reported)
        assert [structs.replace(each, took_ms=0) for each in feed.outcomes] == [
            Outcome("evt_1", False, error="internal")
        ]

    uvloop.run(main())


def test_a_report_that_is_lost_ends_nothing():
    async def main():
        core = FakeCore()
        feed = Feed(core, deliveries("evt_1"), deliveries("evt_2"))
        losses = [LinkLost("gone")]

        def report(message):
            if losses:
                feed.all_reported.set()
                raise losses.pop()
            return feed.report(message)

        core.on[ReportDeliveries] = report
        await run(Emitter(core, delivered), feed.all_reported)
        assert losses == []

    uvloop.run(main())


def test_what_runs_at_the_stop_is_finished_and_reported():
    async def main():
        core, go, stop = FakeCore(), asyncio.Event(), asyncio.Event()
        feed = Feed(core, deliveries("evt_1"))

        async def slow(webhook, delivery):
            stop.set()
            await go.wait()
            return Outcome(delivery.event.id, True, 200)

        running = asyncio.ensure_future(Emitter(core, slow).run(stop))
        await stop.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        go.set()
        await running
        assert [outcome.event_id for outcome in feed.outcomes] == ["evt_1"]

    uvloop.run(main())
