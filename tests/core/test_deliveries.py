import asyncio

import pytest

from corefast.core.feed.conversation import Conversation, Pending, fail
from corefast.core.store.deliveries import DeliveryPhase
from corefast.errors import RemoteRefused
from corefast.limits import WEBHOOK_HOLD_MS, WEBHOOK_SCHEDULE_MS
from corefast.wire.body import Text
from corefast.wire.event import Event, EventKind, State
from corefast.wire.gateway import Send
from corefast.wire.webhook import (
    ClaimDeliveries,
    GetWebhook,
    ListDead,
    Outcome,
    ReplayDeliveries,
    ReportDeliveries,
    SetWebhook,
    Webhook,
)
from tests.core.fake import Phone
from tests.core.world import BUSINESS, CUSTOMER, OTHER, story

URL = "https://example.test/hook"


async def claim(emitter, limit=100, wait_ms=0):
    return (await emitter.call(ClaimDeliveries(limit, wait_ms))).deliveries


async def report(emitter, deliveries, **outcome):
    outcome.setdefault("delivered", True)
    await emitter.call(ReportDeliveries([Outcome(each.event.id, **outcome) for each in deliveries]))


async def drain(emitter):
    """Deliver everything that is due; return the events in order."""
    events = []
    while deliveries := await claim(emitter):
        events += [each.event for each in deliveries]
        await report(emitter, deliveries)
    return events


def kinds(deliveries):
    return [each.event.kind for each in deliveries]


# ── the order of one conversation, without a store ─────────────────────────────────────────────────────────────────


def pending(position):
    return Pending(Event(f"evt_{position}", 0, position, EventKind.SENT, 0), 1)


def test_failing_delivery_is_held_with_growing_delays_then_parked_then_dead():
    one, now_ms, delays = pending(1), 0, []
    while one.row is None or one.row.phase is not DeliveryPhase.DEAD:
        one.row = fail(one, Outcome("evt_1", False, 500, "broken"), now_ms)
        if one.row.phase is DeliveryPhase.DEAD:
            break
        delays.append(one.row.next_ms - now_ms)
        now_ms = one.row.next_ms
        assert one.row.phase is DeliveryPhase.PARKED or now_ms <= WEBHOOK_HOLD_MS
    assert delays == [1_000, 2_000, 4_000, 8_000, 16_000, *WEBHOOK_SCHEDULE_MS[2:]]
    assert (one.row.status, one.row.error) == (500, "broken")


def test_retry_after_is_honoured():
    one = pending(1)
    assert fail(one, Outcome("evt_1", False, 429, retry_after_ms=20_000), 0).next_ms == 20_000
    assert fail(one, Outcome("evt_1", False, 429, retry_after_ms=200_000), 0).phase is DeliveryPhase.PARKED


def test_conversation_has_one_in_flight_and_keeps_its_order():
    conversation = Conversation()
    first, second = pending(1), pending(2)
    conversation.ordered += [first, second]
    assert conversation.take(0) is first
    assert conversation.take(0) is None
    conversation.finish()
    assert conversation.take(0) is second


# ── the whole core ─────────────────────────────────────────────────────────────────────────────────────────────────


async def set_up(world, **options):
    await world.front.call(SetWebhook(URL, **options))
    return await world.emitter()


def test_first_attempts_come_in_order_one_of_a_conversation_at_a_time(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        world.relay.add(Phone(OTHER))
        await world.send("a")
        await world.statuses(2)
        await world.send("b", OTHER)
        await world.statuses(4)
        first = await claim(emitter)
        assert kinds(first) == [EventKind.SENT, EventKind.SENT]
        assert {each.event.peer for each in first} == {CUSTOMER, OTHER}
        assert [each.attempt for each in first] == [1, 1]
        assert await claim(emitter) == []
        await report(emitter, first)
        assert kinds(await claim(emitter)) == [EventKind.DELIVERED, EventKind.DELIVERED]

    story(main, tmp_path)


def test_failing_delivery_holds_its_conversation_then_is_parked_beside_it(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        await world.send("a")
        await world.statuses(2)
        start_ms, attempts, went_on_ms = world.clock.now_ms, [], None
        while went_on_ms is None:
            for each in await claim(emitter):
                is_first = each.event.kind == EventKind.SENT
                await report(emitter, [each], delivered=not is_first, status=500)
                if is_first:
                    attempts.append(world.clock.now_ms - start_ms)
                else:
                    went_on_ms = world.clock.now_ms - start_ms
            world.clock.now_ms += 1_000
        assert attempts == [0, 1_000, 3_000, 7_000, 15_000, 31_000]
        assert 31_000 <= went_on_ms <= WEBHOOK_HOLD_MS
        assert await claim(emitter) == []
        world.clock.now_ms += 300_000
        [parked] = await claim(emitter)
        assert (parked.event.kind, parked.attempt) == (EventKind.SENT, 7)

    story(main, tmp_path)


def test_cursor_passes_over_what_is_delivered_and_a_restart_repeats_only_what_was_under_way(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        for number in range(5):
            await world.send(str(number))
        await world.statuses(10)
        for _ in range(4):
            await report(emitter, await claim(emitter))
        under_way = await claim(emitter)
        await world.restart()
        emitter = await world.emitter()
        events = await drain(emitter)
        assert events[0].id == under_way[0].event.id
        assert len(events) == 6
        assert await claim(emitter) == []

    story(main, tmp_path)


def test_claims_end_with_their_link(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        await world.send("x")
        await world.statuses(2)
        [lost] = await claim(emitter)
        emitter.close()
        await emitter.closed()
        other = await world.emitter()
        async with asyncio.timeout(8):
            [again] = await claim(other, wait_ms=1_000)
        assert again == lost

    story(main, tmp_path)


def test_outcome_of_a_claim_that_is_not_ours_is_ignored(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        await world.send("x")
        await world.statuses(2)
        [mine] = await claim(emitter)
        thief = await world.emitter()
        await report(thief, [mine])
        await report(emitter, [mine], delivered=False, status=500)
        world.clock.now_ms += 1_000
        [again] = await claim(emitter)
        assert again.event == mine.event and again.attempt == 2

    story(main, tmp_path)


def test_failed_deliveries_outlive_a_restart_and_the_dead_can_be_replayed(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.feed.conversation.WEBHOOK_HOLD_MS", 0)
    monkeypatch.setattr("corefast.core.feed.conversation.WEBHOOK_SCHEDULE_MS", (0, 1, 10, 20))

    async def main(world):
        emitter = await set_up(world, statuses=(State.SENT,))
        await world.send("x")
        await world.statuses(2)
        attempts = []
        while deliveries := await claim(emitter):
            attempts += [each.attempt for each in deliveries]
            await report(emitter, deliveries, delivered=False, status=503, error="busy")
            await world.restart()
            emitter = await world.emitter()
            world.clock.now_ms += 100
        assert attempts == [1, 2, 3]
        [dead] = (await world.front.call(ListDead())).deliveries
        assert (dead.attempts, dead.status, dead.error) == (3, 503, "busy")
        await world.front.call(ReplayDeliveries())
        assert (await world.front.call(ListDead())).deliveries == []
        [again] = await claim(emitter)
        assert again.event.id == dead.event_id and again.attempt == 4
        await report(emitter, [again])
        assert await claim(emitter) == []

    story(main, tmp_path)


def test_receiver_that_is_gone_turns_webhooks_off_and_the_feed_goes_on(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        await world.send("x")
        await world.statuses(2)
        await report(emitter, await claim(emitter), delivered=False, status=410, disable=True)
        webhook = await world.front.call(GetWebhook())
        assert webhook.url == "" and webhook.secret.startswith("whsec_")
        assert await claim(emitter) == []
        again = await world.front.call(SetWebhook(URL))
        assert again.secret == webhook.secret
        world.clock.now_ms += 1_000
        accepted = await world.send("y")
        await world.statuses(4)
        events = await drain(emitter)
        assert [event.kind for event in events] == [EventKind.SENT, EventKind.SENT, EventKind.DELIVERED]
        assert {event.message_id for event in events[1:]} == {accepted.id}

    story(main, tmp_path)


def test_first_webhook_begins_with_the_events_of_that_moment(tmp_path):
    async def main(world):
        await world.send("before")
        await world.statuses(2)
        emitter = await set_up(world)
        await world.send("after")
        events = await world.statuses(4)
        assert await drain(emitter) == events[2:]

    story(main, tmp_path)


def test_statuses_that_are_not_wanted_are_passed_over(tmp_path):
    async def main(world):
        emitter = await set_up(world, statuses=(State.DELIVERED,))
        await world.send("x")
        await world.statuses(2)
        assert [event.kind for event in await drain(emitter)] == [EventKind.DELIVERED]
        world.clock.now_ms += 1
        assert await world.business.schedule.count_waiting() == 0

    story(main, tmp_path)


def test_claim_waits_for_the_next_event(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        waiting = asyncio.ensure_future(claim(emitter, wait_ms=10_000))
        await asyncio.sleep(0)
        await world.send("x")
        async with asyncio.timeout(8):
            assert kinds(await waiting) == [EventKind.SENT]

    story(main, tmp_path)


def test_deliveries_whose_report_cannot_be_stored_are_due_again_after_growing_pauses(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        await world.send("x")
        await world.statuses(2)
        claimed = await claim(emitter)
        heal = world.break_commits()
        for pause_ms in (1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 32_000):
            with pytest.raises(RemoteRefused):
                await report(emitter, claimed)
            world.clock.now_ms += pause_ms - 1
            assert await claim(emitter) == []
            world.clock.now_ms += 1
            assert await claim(emitter) == claimed
        heal()
        await report(emitter, claimed)
        assert kinds(await claim(emitter)) == [EventKind.DELIVERED]

    story(main, tmp_path)


def test_report_whose_commit_meets_the_end_of_the_webhook_is_stored(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        await world.send("x")
        await world.statuses(2)
        claimed = await claim(emitter)
        schedule = world.business.schedule
        (owner,) = {pending.owner for pending in schedule._open.values()} - {None}
        off = Webhook("", schedule.webhook.secret, schedule.webhook.statuses)
        outcomes = [Outcome(each.event.id, True) for each in claimed]
        await asyncio.gather(schedule.set_webhook(off), schedule.report(owner, outcomes))
        assert not schedule._open
        await world.front.call(SetWebhook(URL))
        await world.send("y")
        await world.statuses(4)
        assert kinds(await claim(emitter)) == [EventKind.SENT]

    story(main, tmp_path)


def test_each_role_may_ask_only_its_own(tmp_path):
    async def main(world):
        emitter = await set_up(world)
        with pytest.raises(RemoteRefused) as refused:
            await emitter.call(Send(BUSINESS, CUSTOMER, Text("x")))
        assert refused.value.code == "scope.missing"
        with pytest.raises(RemoteRefused) as refused:
            await world.front.call(ClaimDeliveries())
        assert refused.value.code == "scope.missing"

    story(main, tmp_path)


@pytest.mark.parametrize("url", ["ftp://example.test", "example.test", "https://" + "x" * 3_000])
def test_url_that_cannot_be_called_is_refused(tmp_path, url):
    async def main(world):
        with pytest.raises(RemoteRefused) as refused:
            await world.front.call(SetWebhook(url))
        assert refused.value.code == "parameter.invalid"

    story(main, tmp_path)
