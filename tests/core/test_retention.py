"""Old messages are forgotten, and nothing that is still expected of one gets lost by it."""

import pytest

from corefast.core.account.duties import SWEEP_MS
from corefast.core.account.retention import DAY_MS, SURE_MS
from corefast.core.store.inbound import InboundStore
from corefast.core.store.resend import ResendStore
from corefast.errors import RemoteRefused, StoreConflict
from corefast.limits import EVENT_LIFE_MS
from corefast.store.database import Statement, Unit
from corefast.wire.body import Text
from corefast.wire.content import ResendRequest
from corefast.wire.event import EventKind, ReadEvents, State
from corefast.wire.gateway import Idempotency, MarkRead
from corefast.wire.messages import Kind, PostState
from corefast.wire.webhook import SetWebhook
from tests.core.fake import Phone
from tests.core.test_deliveries import URL, claim, drain, report
from tests.core.test_receive import deliver, meet
from tests.core.test_resend import again, break_session, outcomes, renew, talk
from tests.core.world import BUSINESS, OTHER, story

MESSAGES = Statement("SELECT count(*) FROM message")
RECEIVED = Statement("SELECT kind, sealed IS NULL FROM inbound ORDER BY id")
KEPT = 30 * DAY_MS


async def pass_time(world, ms):
    world.clock.now_ms += ms
    await world.business.duties.round()


async def count(world):
    return (await world.business.context.database.fetch(MESSAGES))[0][0]


async def is_unknown(world, message_id):
    with pytest.raises(RemoteRefused) as refused:
        await world.view(message_id)
    return refused.value.code == "message.unknown"


def test_a_finished_message_is_forgotten_and_what_waits_is_not(tmp_path):
    async def main(world):
        done = await world.send("done")
        await world.statuses(2)
        world.relay.decide = lambda post: PostState.STORED
        on_its_way = await world.send("on its way")
        await world.statuses(3)
        world.relay.decide = lambda post: None
        waits = await world.send("waits for the relay")
        await pass_time(world, KEPT - SWEEP_MS)
        assert (await world.view(done.id)).state is State.DELIVERED
        await pass_time(world, SWEEP_MS + 1)
        assert await is_unknown(world, done.id)
        assert (await world.view(on_its_way.id)).state is State.SENT
        before = (await world.front.call(ReadEvents(BUSINESS))).cursor
        world.relay.deliver(world.relay.receipt(Kind.DELIVERED, world.relay.posts[1].id, world.phone))
        await world.events(1, EventKind.DELIVERED, after=before)
        assert (await world.view(on_its_way.id)).state is State.DELIVERED
        await pass_time(world, SURE_MS)
        assert await is_unknown(world, on_its_way.id)
        assert (await world.view(waits.id)).state is State.ACCEPTED

    story(main, tmp_path)


def test_the_ids_of_forgotten_messages_and_events_are_not_given_again(tmp_path):
    async def main(world):
        first = await world.send("first")
        await world.statuses(2)
        read = await world.front.call(ReadEvents(BUSINESS))
        await pass_time(world, KEPT + 1)
        assert await count(world) == 0 and (await world.front.call(ReadEvents(BUSINESS))).events == []
        await world.restart()
        await world.attached()
        second = await world.send("second")
        events = await world.events(2, after=read.cursor)
        assert second.id != first.id and world.relay.posts[0].id != world.relay.posts[1].id
        assert [event.message_id for event in events] == [second.id] * 2
        assert {event.id for event in events}.isdisjoint(event.id for event in read.events)

    story(main, tmp_path)


def test_a_received_message_loses_its_body_first_and_its_id_when_the_relay_cannot_repeat_it(tmp_path):
    async def main(world):
        phone = await meet(world)
        item = phone.write("hello")
        await deliver(world, item)
        event = (await world.events(1, EventKind.MESSAGE))[0]
        await pass_time(world, KEPT + 1)
        assert await world.business.context.database.fetch(RECEIVED) == [(2, 1)]
        assert await is_unknown(world, event.message_id)
        with pytest.raises(RemoteRefused) as refused:
            await world.front.call(MarkRead(BUSINESS, event.message_id))
        assert refused.value.code == "message.unknown"
        await deliver(world, item)
        assert (await world.front.call(ReadEvents(BUSINESS))).events == []
        await pass_time(world, SURE_MS - KEPT)
        assert await world.business.context.database.fetch(RECEIVED) == []

    story(main, tmp_path)


def test_a_message_stays_as_long_as_an_event_tells_of_it(tmp_path):
    async def main(world):
        emitter = await world.emitter()
        await world.front.call(SetWebhook(URL))
        phone = await meet(world)
        world.clock.now_ms += KEPT
        await deliver(world, phone.write("waited long at the relay"))
        world.relay.decide = lambda post: PostState.STORED
        sent = await world.send("to nobody", opaque="order 7")
        await world.events(2)
        world.clock.now_ms += KEPT
        world.relay.deliver(world.relay.receipt(Kind.EXPIRED, world.relay.posts[-1].id, world.phone))
        await world.events(1, EventKind.EXPIRED)
        await pass_time(world, SWEEP_MS)
        [told] = await drain(emitter)
        assert (told.kind, told.message_id, told.opaque) == (EventKind.EXPIRED, sent.id, "order 7")
        assert told.failure is not None and told.failure.code == 410
        await pass_time(world, EVENT_LIFE_MS)
        assert await is_unknown(world, sent.id)

    story(main, tmp_path, keep_messages_days=1)


def test_deliveries_that_failed_keep_their_messages_until_they_are_through(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.account.duties._CHUNK", 1)

    async def main(world):
        emitter = await world.emitter()
        await world.front.call(SetWebhook(URL))
        for phone in (world.phone, Phone(OTHER), Phone("491713920002")):
            await deliver(world, renew(world, phone).write("hello"))
        await world.events(3)
        await report(emitter, await claim(emitter, wait_ms=1_000), delivered=False, status=500)
        await pass_time(world, EVENT_LIFE_MS + DAY_MS)
        await world.restart(keep_messages_days=1)
        emitter = await world.emitter()
        assert [event.text for event in await drain(emitter)] == ["hello"] * 3
        await pass_time(world, SWEEP_MS)
        assert await world.business.context.database.fetch(RECEIVED) == [(2, 1)] * 3

    story(main, tmp_path, keep_messages_days=1)


def test_a_message_that_is_asked_for_is_waited_for_and_one_that_is_gone_is_not_resent(tmp_path):
    async def main(world):
        phone = await talk(world)
        await break_session(world)
        await world.restart(keep_messages_days=1, resend_hours=1_000)
        await world.attached()
        lost = phone.write("lost")
        await deliver(world, lost)
        await world.relay.until(lambda: len(world.relay.posts) == 2)
        assert phone.read(world.relay.posts[1].parts[0]).body == ResendRequest([lost.id])
        await pass_time(world, EVENT_LIFE_MS + DAY_MS)
        assert await count(world) == 0
        before = outcomes("refused_unknown")
        ours = world.relay.posts[0].id
        await deliver(world, again(phone, "found", lost.id), phone.write(ResendRequest([ours])))
        [event] = await world.events(1, EventKind.MESSAGE)
        assert (event.text, (await world.view(event.message_id)).body) == ("found", Text("found"))
        await world.relay.until(lambda: outcomes("refused_unknown")[0] == before[0] + 1)
        assert len(world.relay.posts) == 2

    story(main, tmp_path)


def test_an_idempotency_key_answers_for_as_long_as_it_holds(tmp_path):
    async def main(world):
        key = Idempotency("scope", "key", b"the same")
        first = await world.send("x", idempotency=key)
        await world.statuses(2)
        await pass_time(world, DAY_MS)
        again = await world.send("x", idempotency=key)
        assert again.id == first.id and again.replayed
        await pass_time(world, EVENT_LIFE_MS + SWEEP_MS)
        assert await is_unknown(world, first.id)
        later = await world.send("x", idempotency=key)
        assert later.id != first.id and not later.replayed

    story(main, tmp_path, keep_messages_days=1)


def test_zero_days_keep_messages_for_ever(tmp_path):
    async def main(world):
        sent = await world.send("hello")
        await world.statuses(2)
        await pass_time(world, 100 * KEPT)
        assert (await world.view(sent.id)).body == Text("hello")

    story(main, tmp_path, keep_messages_days=0)


def test_a_backlog_is_forgotten_in_one_round_whatever_clocks_say(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.account.retention.PAGE_ROWS", 4)
    monkeypatch.setattr("corefast.core.account.retention.CHUNK_ROWS", 3)

    async def main(world):
        now_ms = world.clock.now_ms
        for number in range(14):
            world.clock.now_ms = now_ms + (300 * DAY_MS if 4 <= number < 8 else 0)
            await world.send(str(number))
        await world.statuses(28)
        unit = Unit()
        world.business.context.events.delete(unit, world.business.context.events.last)
        await world.business.context.database.commit(unit)
        world.clock.now_ms = now_ms
        await pass_time(world, KEPT + 1)
        assert await count(world) == 4

    story(main, tmp_path)


@pytest.mark.parametrize(
    "index,statement",
    [
        ("inbound_seen", InboundStore._OLD),
        ("debt_age", ResendStore._OLD_DEBTS),
        ("ask_budget_age", ResendStore._OLD_BUDGETS),
    ],
)
def test_what_is_swept_by_its_age_is_found_by_an_index(index, statement, tmp_path):
    async def main(world):
        query = statement.sqlite.replace("DELETE", "SELECT *")
        explain = Statement(f"EXPLAIN QUERY PLAN {query}", f"EXPLAIN {query}")
        plan = await world.business.context.database.fetch(explain, *[1] * query.count("?"))
        assert index in str(plan) and "SCAN" not in str(plan), plan

    story(main, tmp_path)


def test_database_holds_a_number_once(tmp_path):
    async def main(world):
        columns = "number, phase, own_keys, link_key, id_key, token, next_token"
        twice = f"INSERT INTO account (account, {columns}) SELECT 7, {columns} FROM account"  # noqa: S608
        unit = Unit()
        unit.add(Statement(twice))
        with pytest.raises(StoreConflict):
            await world.business.context.database.commit(unit)

    story(main, tmp_path)
