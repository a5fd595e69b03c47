"""A core that cannot read a message asks for it once more, and resends what a phone could not read."""

import os

import msgspec
import pytest
from prometheus_client import REGISTRY

from corefast.core.account.duties import SWEEP_MS
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.resend import HOUR_MS, derive_resend_id
from corefast.limits import MAX_RESEND_ANSWERS, MAX_RESEND_IDS, MAX_RESENDS, RESEND_REQUESTS
from corefast.store.database import Statement, Unit
from corefast.wire.body import Text
from corefast.wire.content import Content, Read, ResendRequest, encode_content
from corefast.wire.event import EventKind, State
from corefast.wire.messages import Item, Kind, PostState
from tests.core.fake import NOW_MS, Phone
from tests.core.test_receive import deliver, meet
from tests.core.world import CUSTOMER, OTHER, story


def outcomes(*names):
    """Return how often each outcome was counted in this process."""
    return [REGISTRY.get_sample_value("corefast_core_resend_total", {"outcome": name}) or 0 for name in names]


async def break_session(world):
    """Lose the session with the customer on the core's side, as a restore with fresh sessions does."""
    unit = Unit()
    world.business.context.peers.drop_sessions(unit)
    await world.business.context.database.commit(unit)
    await world.restart()
    await world.attached()


async def talk(world):
    """Let the phone and the business write to each other."""
    phone = await meet(world)
    await deliver(world, phone.write("hello"))
    await world.send("hi")
    await world.statuses(2)
    phone.read(world.relay.posts[-1].parts[0])
    return phone


def renew(world, phone):
    """Let the phone start anew with keys of the business that nobody had, and return it."""
    phone.business = Correspondent.new()
    upload = world.relay.registers[-1].prekeys
    upload.one_time.pop()
    upload.one_time_kem.pop()
    phone.meet(world.relay.bundle_of_business())
    return phone


async def post(world, count):
    await world.relay.until(lambda: len(world.relay.posts) >= count)
    return world.relay.posts[count - 1]


def again(phone, text, original, times=1):
    """Return the item by which a phone resends a text."""
    content = Content(derive_resend_id(original, times), 1, Text(text), resent=original)
    kind, body = phone.business.encrypt(encode_content(content), os.urandom)
    return Item(0, content.id, kind, phone.address, NOW_MS, body)


def test_unreadable_message_is_asked_for_in_a_new_session_and_is_then_a_message_once(tmp_path):
    async def main(world):
        phone = await talk(world)
        await break_session(world)
        lost = phone.write("lost")
        await deliver(world, lost)
        request = phone.read((await post(world, 2)).parts[0])
        assert request.body == ResendRequest([lost.id])
        answer = again(phone, "found", lost.id)
        await deliver(world, answer, answer)
        await deliver(world, answer, again(phone, "forged", lost.id, 2))
        await deliver(world, phone.write("next"))
        events = await world.events(5, EventKind.MESSAGE, EventKind.UNREADABLE, EventKind.DELIVERED)
        assert [event.kind for event in events[2:]] == [EventKind.UNREADABLE, EventKind.MESSAGE, EventKind.MESSAGE]
        assert [event.text for event in events[3:]] == ["found", "next"]
        assert events[2].message_id == events[3].message_id and events[2].id != events[3].id
        view = await world.view(events[3].message_id)
        assert view.body == Text("found")
        await world.restart()
        assert (await world.view(events[3].message_id)).body == Text("found")
        assert len(world.relay.posts) == 2

    story(main, tmp_path)


def test_resend_of_what_only_a_later_release_knows_is_no_second_record_and_not_asked_for_again(tmp_path):
    async def main(world):
        phone = await talk(world)
        await break_session(world)
        lost = phone.write("lost")
        await deliver(world, lost)
        phone.read((await post(world, 2)).parts[0])
        late = msgspec.msgpack.encode([derive_resend_id(lost.id, 1), 1, [99, 1], "", None, None, lost.id])
        kind, body = phone.business.encrypt(late + b"\x80", os.urandom)
        await deliver(world, Item(0, derive_resend_id(lost.id, 1), kind, phone.address, NOW_MS, body))
        await deliver(world, phone.write("next"))
        [_, *events] = await world.events(3, EventKind.MESSAGE, EventKind.UNREADABLE)
        assert [event.kind for event in events] == [EventKind.UNREADABLE, EventKind.MESSAGE]
        assert len(world.business.context.book) == 0

    story(main, tmp_path)


def test_request_waits_through_restarts_for_the_relay_and_is_sent_once(tmp_path):
    async def main(world):
        phone = await talk(world)
        await break_session(world)
        world.relay.decide = lambda post: None
        lost = phone.write("lost")
        await deliver(world, lost)
        first = await post(world, 2)
        await world.restart()
        world.relay.decide = lambda post: PostState.STORED
        world.clock.now_ms += 2_000
        await world.attached()
        world.business.resender.wake(CUSTOMER)
        second = await post(world, 3)
        assert first.id != second.id
        for each in (first, second):
            assert phone.read(each.parts[0]).body == ResendRequest([lost.id])
        await world.relay.until(lambda: not world.business.context.book.due(CUSTOMER) or world.relay.posts)
        await world.restart()
        await world.attached()
        await world.send("nothing else is under way")
        assert phone.read((await post(world, 4)).parts[0]).body == Text("nothing else is under way")

    story(main, tmp_path)


def test_repeats_wrong_ids_and_unknown_bodies_are_not_asked_for(tmp_path):
    async def main(world):
        phone = await talk(world)
        item = phone.write("once")
        swapped = phone.write("swapped")
        swapped = Item(0, os.urandom(16), swapped.kind, swapped.sender, NOW_MS, swapped.body)
        await deliver(world, item, item, swapped)
        await deliver(world, phone.write("fine"))
        assert len(world.business.context.book) == 0 and len(world.relay.posts) == 1

    story(main, tmp_path)


def test_nothing_is_asked_for_after_the_identity_changed(tmp_path):
    async def main(world):
        phone = await talk(world)
        await break_session(world)
        lost = phone.write("lost")
        stranger = Phone(CUSTOMER)
        world.relay.replace(stranger)
        before = outcomes("stranger")
        await deliver(world, lost)
        await world.relay.until(lambda: len(world.relay.fetched) >= 2)
        await deliver(world, again(renew(world, stranger), "I was never there", lost.id))
        assert outcomes("stranger")[0] == before[0] + 1
        assert len(world.relay.posts) == 1 and len(world.business.context.book) == 0
        kinds = [event.kind for event in await world.events(5)]
        assert kinds[-2:] == [EventKind.UNREADABLE, EventKind.IDENTITY_CHANGED]

    story(main, tmp_path)


def test_answer_of_another_identity_is_passed_over(tmp_path):
    async def main(world):
        phone = await talk(world)
        await break_session(world)
        lost = phone.write("lost")
        await deliver(world, lost)
        await post(world, 2)
        stranger = renew(world, Phone(CUSTOMER))
        await deliver(world, again(stranger, "forged", lost.id))
        await deliver(world, again(renew(world, Phone(OTHER)), "forged too", lost.id))
        texts = [event.text for event in await world.events(1, EventKind.MESSAGE)]
        assert texts == ["hello"]

    story(main, tmp_path)


def test_flood_of_unreadable_messages_makes_few_requests_and_one_session_an_hour(tmp_path):
    async def main(world):
        phone = await talk(world)
        await break_session(world)
        flood = [Item(0, os.urandom(16), Kind.WHISPER, phone.address, NOW_MS, b"x") for _ in range(300)]
        for at in range(0, 300, 30):
            await deliver(world, *flood[at : at + 30])
            world.clock.now_ms += 60_000
            world.business.resender.wake(CUSTOMER)
        fetched = len(world.relay.fetched)
        assert 1 <= len(world.relay.posts) - 1 <= RESEND_REQUESTS
        assert len(world.business.context.book) == MAX_RESEND_IDS
        world.clock.now_ms += 25 * HOUR_MS + SWEEP_MS
        await world.business.duties.round()
        assert len(world.business.context.book) == 0
        assert fetched <= 2

    story(main, tmp_path)


def test_message_under_a_used_counter_is_asked_for_as_its_sender_went_back_to_an_older_session(tmp_path):
    async def main(world):
        phone = await talk(world)
        item = phone.write("once")
        other = Item(0, os.urandom(16), item.kind, item.sender, NOW_MS, item.body)
        await deliver(world, item, other)
        renewed = (await post(world, 2)).parts[0]
        assert phone.read(renewed).body == ResendRequest([other.id])

    story(main, tmp_path)


@pytest.mark.parametrize("together", [False, True])
def test_resend_that_cannot_be_read_either_is_no_second_record(tmp_path, together):
    async def main(world):
        phone = await talk(world)
        await break_session(world)
        lost = phone.write("lost")
        if together:
            first_try = Item(0, derive_resend_id(lost.id, 3), lost.kind, phone.address, NOW_MS, lost.body)
            await deliver(world, lost, first_try)
        else:
            await deliver(world, lost)
        await post(world, 2)
        bad = Item(0, derive_resend_id(lost.id, 1), lost.kind, phone.address, NOW_MS, lost.body)
        await deliver(world, bad, bad)
        world.clock.now_ms += 2_000
        world.business.resender.wake(CUSTOMER)
        phone.read(world.relay.posts[1].parts[0])
        assert phone.read((await post(world, 3)).parts[0]).body == ResendRequest([lost.id])
        await deliver(world, again(phone, "found", lost.id, 2))
        kinds = [event.kind for event in await world.events(5)]
        assert kinds.count(EventKind.UNREADABLE) == 1 and kinds[-1] == EventKind.MESSAGE

    story(main, tmp_path)


def test_unreadable_receipt_comes_once_more_as_a_state_and_not_as_a_message(tmp_path):
    async def main(world):
        phone = await talk(world)
        accepted = (await world.statuses(2))[0].message_id
        message_id = world.relay.posts[0].id
        await break_session(world)
        lost = phone.write(Read([message_id]))
        await deliver(world, lost)
        phone.read((await post(world, 2)).parts[0])
        content = Content(derive_resend_id(lost.id, 1), 1, Read([message_id]), resent=lost.id)
        kind, body = phone.business.encrypt(encode_content(content), os.urandom)
        await deliver(world, Item(0, content.id, kind, phone.address, NOW_MS, body))
        assert (await world.view(accepted)).state == State.READ
        kinds = [event.kind for event in await world.events(5)]
        assert kinds.count(EventKind.MESSAGE) == 1

    story(main, tmp_path)


# ── being asked ────────────────────────────────────────────────────────────────────────────────────────────────────


async def settled(world, *items):
    """Deliver, and wait until nothing is due to the customer any more."""
    await deliver(world, *items)
    query = Statement("SELECT count(*) FROM debt WHERE is_due = 1")
    while world.business.context.book.debtors or (await world.business.context.database.fetch(query))[0][0]:
        await world.business.context.database.commit(Unit())


def test_message_asked_for_is_resent_under_the_new_session_and_keeps_its_id(tmp_path):
    async def main(world):
        phone = await talk(world)
        await world.send("unread")
        await world.statuses(4)
        original = world.relay.posts[-1].id
        renew(world, phone)
        await settled(world, phone.write(ResendRequest([original])))
        resent = await post(world, 3)
        assert resent.id == derive_resend_id(original, 1) != original
        content = phone.read(resent.parts[0])
        assert (content.id, content.resent, content.body.body) == (resent.id, original, "unread")
        assert len(await world.events(5)) == 5, "a resend is no event"
        await deliver(world, phone.write(Read([original])))
        assert (await world.statuses(5))[-1].kind == EventKind.READ
        await settled(world, phone.write(ResendRequest([original])))
        assert len(world.relay.posts) == 3, "it was read"

    story(main, tmp_path)


def test_a_message_is_resent_so_many_times_and_so_many_hours(tmp_path):
    async def main(world):
        phone = await talk(world)
        original = world.relay.posts[0].id
        for _ in range(MAX_RESENDS + 2):
            await settled(world, phone.write(ResendRequest([original, original])))
        ids = [each.id for each in world.relay.posts[1:]]
        assert ids == [derive_resend_id(original, times) for times in range(1, MAX_RESENDS + 1)]
        await world.send("young")
        await world.statuses(4)
        young = world.relay.posts[-1].id
        world.clock.now_ms += 24 * HOUR_MS
        before = outcomes("refused_age", "refused_limit")
        await settled(world, phone.write(ResendRequest([young, original])))
        assert outcomes("refused_age", "refused_limit") == [before[0] + 2, before[1]]
        assert len(world.relay.posts) == MAX_RESENDS + 2

    story(main, tmp_path)


def test_nothing_is_resent_to_an_identity_that_it_was_not_encrypted_to(tmp_path):
    async def main(world):
        await talk(world)
        original = world.relay.posts[0].id
        stranger = Phone(CUSTOMER)
        world.relay.replace(stranger)
        before = outcomes("refused_identity")
        await settled(world, renew(world, stranger).write(ResendRequest([original])))
        assert outcomes("refused_identity")[0] == before[0] + 1 and len(world.relay.posts) == 1

    story(main, tmp_path)


def test_ids_of_others_and_of_nobody_are_refused_in_silence(tmp_path):
    async def main(world):
        await talk(world)
        thief = Phone(OTHER)
        world.relay.add(thief)
        ids = [world.relay.posts[0].id, os.urandom(16), b"", b"short", world.business.context.ids.message_id(1 << 40)]
        before = outcomes("refused_unknown")
        await settled(world, renew(world, thief).write(ResendRequest(ids)))
        assert outcomes("refused_unknown")[0] == before[0] + 3 and len(world.relay.posts) == 1

    story(main, tmp_path)


def test_requests_in_a_loop_are_looked_at_so_often_an_hour(tmp_path):
    async def main(world):
        phone = await talk(world)
        before = outcomes("refused_unknown", "refused_rate")
        items = [phone.write(ResendRequest([os.urandom(16)])) for _ in range(MAX_RESEND_ANSWERS + 5)]
        await settled(world, *items)
        assert outcomes("refused_unknown", "refused_rate") == [before[0] + MAX_RESEND_ANSWERS, before[1] + 5]
        world.clock.now_ms += HOUR_MS
        await settled(world, phone.write(ResendRequest([world.relay.posts[0].id])))
        await post(world, 2)

    story(main, tmp_path)


@pytest.mark.parametrize("fault", ["restart", "silence", "commit"])
def test_a_resend_that_was_cut_short_is_made_again_under_the_same_id(tmp_path, fault):
    async def main(world):
        phone = await talk(world)
        original = world.relay.posts[0].id
        world.relay.decide = lambda post: None
        heal = lambda: None  # noqa: E731
        if fault == "commit":
            load = world.business.context.resends.load_debts

            async def load_and_break(*args):
                nonlocal heal
                found = await load(*args)
                heal = world.break_commits()
                world.business.context.resends.load_debts = load
                return found

            world.business.context.resends.load_debts = load_and_break
        await deliver(world, phone.write(ResendRequest([original])))
        if fault != "commit":
            await post(world, 2)
        else:
            while world.business.context.resends.load_debts != load:
                await world.business.context.database.fetch(Statement("SELECT 1"))
        heal()
        world.relay.decide = lambda post: PostState.STORED
        if fault == "silence":
            world.relay.peer.close()
        else:
            await world.restart()
        last = await post(world, 2 if fault == "commit" else 3)
        assert last.id == derive_resend_id(original, 1)
        assert phone.read(last.parts[0]).resent == original

    story(main, tmp_path)


def test_hours_of_zero_turn_both_sides_off(tmp_path):
    async def main(world):
        phone = await talk(world)
        before = outcomes("refused_off")
        await deliver(world, phone.write(ResendRequest([world.relay.posts[0].id])))
        await deliver(world, Item(0, os.urandom(16), Kind.WHISPER, phone.address, NOW_MS, b"garbage"))
        await deliver(world, phone.write("fine"))
        assert outcomes("refused_off")[0] == before[0] + 1
        assert len(world.relay.posts) == 1 and len(world.business.context.book) == 0

    story(main, tmp_path, resend_hours=0)
