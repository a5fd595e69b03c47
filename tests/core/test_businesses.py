"""Several business numbers on one core: nothing of one is seen, opened or delivered under another."""

import hashlib

import pytest

from corefast.core.business import Business
from corefast.errors import AccountRegistered, RemoteRefused, SetupError
from corefast.wire.access import CheckToken, DeleteUser, GetUser, ListUsers, Login, NewUser, SetPassword
from corefast.wire.body import Text
from corefast.wire.event import ReadEvents
from corefast.wire.gateway import CheckKey, GetHealth, GetMessage, Idempotency, ListKeys, MarkRead, NewKey, Send
from corefast.wire.peer import GetPeer
from corefast.wire.settings import MakeBackup, RestoreBackup
from corefast.wire.webhook import (
    ClaimDeliveries,
    GetWebhook,
    ListDead,
    Outcome,
    ReplayDeliveries,
    ReportDeliveries,
    SetWebhook,
)

from .fake import Phone
from .world import BUSINESS, CUSTOMER, World, story

SECOND = "493023125001"
PASSWORD = "Correct-Horse-1"


async def add_second(world: World) -> Business:
    business = await world.core.make(SECOND)
    world.core.serve(business)
    await business.relay.peer()
    return business


async def refused(call) -> str:
    with pytest.raises(RemoteRefused) as caught:
        await call
    return caught.value.code


async def all_events(world: World, number: str, count: int):
    found, after = [], ""
    while len(found) < count:
        page = await world.front.call(ReadEvents(number, after, 1_000, 5_000))
        found, after = found + page.events, page.cursor
    return found, after


def test_messages_events_peers_and_ids_of_one_number_are_unknown_under_the_other(tmp_path):
    async def main(world):
        await add_second(world)
        first = await world.front.call(Send(BUSINESS, CUSTOMER, Text("of the first")))
        second = await world.front.call(Send(SECOND, CUSTOMER, Text("of the second")))
        ours, cursor = await all_events(world, BUSINESS, 2)
        theirs, _ = await all_events(world, SECOND, 2)
        assert {event.message_id for event in ours} == {first.id}
        assert {event.message_id for event in theirs} == {second.id}
        assert not {event.id for event in ours} & {event.id for event in theirs}
        assert (await world.front.call(GetMessage(SECOND, second.id))).body == Text("of the second")
        assert await refused(world.front.call(GetMessage(SECOND, first.id))) == "message.unknown"
        assert await refused(world.front.call(GetMessage(BUSINESS, second.id))) == "message.unknown"
        assert await refused(world.front.call(ReadEvents(SECOND, cursor))) == "cursor.invalid"
        assert (await world.front.call(GetPeer(CUSTOMER, BUSINESS))).devices == 1
        assert await refused(world.front.call(GetPeer(CUSTOMER))) == "parameter.missing"
        assert await refused(world.front.call(GetPeer(CUSTOMER, "4930111"))) == "account.unknown"
        assert {attach.shards[0] for attach in world.relay.attaches} == {0}
        assert [register.number for register in world.relay.registers] == [BUSINESS, SECOND]
        assert len({register.identity for register in world.relay.registers}) == 2

    story(main, tmp_path)


def test_message_from_a_phone_reaches_the_number_that_it_was_sent_to_even_under_an_id_that_the_other_knows(tmp_path):
    async def main(world):
        item = await received(world, "to the first", b"\7" * 16)
        await world.events(1)
        await add_second(world)
        other = Phone(CUSTOMER)
        other.meet(world.relay.bundle_of_business())
        (seq,) = world.relay.deliver(other.write("to the second", b"\7" * 16))
        ((event,), _) = await all_events(world, SECOND, 1)
        assert event.text == "to the second" and seq
        assert (await world.front.call(GetMessage(SECOND, event.message_id))).body == Text("to the second")
        assert (await world.front.call(GetMessage(BUSINESS, event.message_id))).body == Text("to the first")
        assert item.id == b"\7" * 16

    async def received(world, text, message_id):
        world.phone.meet(world.relay.bundle_of_business())
        item = world.phone.write(text, message_id)
        world.relay.deliver(item)
        return item

    story(main, tmp_path)


def test_message_of_a_customer_is_marked_as_read_by_its_own_number_alone(tmp_path):
    async def main(world):
        await add_second(world)
        phone = Phone(CUSTOMER)
        phone.meet(world.relay.bundle_of_business())
        world.relay.deliver(phone.write("hello"))
        ((event,), _) = await all_events(world, SECOND, 1)
        assert await refused(world.front.call(MarkRead(BUSINESS, event.message_id))) == "message.unknown"

    story(main, tmp_path)


def test_key_opens_the_number_that_it_was_made_for(tmp_path):
    async def main(world):
        assert (await world.front.call(NewKey("of the only one"))).view.account == BUSINESS
        await add_second(world)
        assert await refused(world.front.call(NewKey("of whom?"))) == "parameter.missing"
        assert await refused(world.front.call(NewKey("x", account="4930111"))) == "account.unknown"
        made = await world.front.call(NewKey("of the second", account=SECOND))
        digest = hashlib.sha256(made.key.encode()).digest()
        assert (await world.front.call(CheckKey(digest))).account == SECOND
        taken = NewKey("again", key=made.key, account=BUSINESS)
        assert await refused(world.front.call(taken)) == "parameter.invalid"
        assert [view.name for view in (await world.front.call(ListKeys(SECOND))).keys] == ["of the second"]
        assert len((await world.front.call(ListKeys())).keys) == 2
        await world.restart()
        assert (await world.front.call(CheckKey(digest))).account == SECOND

    story(main, tmp_path)


def test_users_of_one_number_are_unknown_to_the_other_and_the_administrator_names_one(tmp_path):
    async def main(world):
        await add_second(world)
        assert (await world.front.call(NewUser(SECOND, "ann.smith", PASSWORD))).account == SECOND
        assert await refused(world.front.call(NewUser("", "bob.smith", PASSWORD))) == "parameter.missing"
        for call in (GetUser(BUSINESS, "ann.smith"), SetPassword(BUSINESS, "ann.smith", PASSWORD)):
            assert await refused(world.front.call(call)) == "user.unknown"
        assert await refused(world.front.call(DeleteUser(BUSINESS, "ann.smith"))) == "user.unknown"
        assert await refused(world.front.call(GetUser(SECOND, "admin"))) == "user.unknown"
        assert [user.username for user in (await world.front.call(ListUsers(SECOND))).users] == ["ann.smith"]
        assert len((await world.front.call(ListUsers(""))).users) == 2
        view = await world.front.call(CheckToken((await world.front.call(Login("ann.smith", PASSWORD))).token))
        assert (view.account, view.may_choose) == (SECOND, False)
        view = await world.front.call(CheckToken((await world.front.call(Login("admin", PASSWORD))).token))
        assert (view.account, view.may_choose) == ("", True)

    story(main, tmp_path, admin_password=PASSWORD)


def test_emitter_gets_deliveries_of_all_numbers_each_for_its_own_webhook(tmp_path):
    async def main(world):
        await add_second(world)
        for number in (BUSINESS, SECOND):
            await world.front.call(SetWebhook(f"https://example.org/{number}", account=number))
        assert (await world.front.call(GetWebhook(SECOND))).url.endswith(SECOND)
        emitter = await world.emitter()
        for number in (BUSINESS, SECOND):
            await world.front.call(Send(number, CUSTOMER, Text("x")))
        await all_events(world, BUSINESS, 2)
        await all_events(world, SECOND, 2)
        by_url = {}
        for _ in range(4):
            claimed = await emitter.call(ClaimDeliveries(24, 5_000))
            (delivery,) = claimed.deliveries
            by_url.setdefault(claimed.webhook.url[-12:], []).append(delivery.event.message_id)
            await emitter.call(ReportDeliveries([Outcome(delivery.event.id, True)]))
        assert sorted(by_url) == [BUSINESS, SECOND]
        assert all(len(ids) == 2 and len(set(ids)) == 1 for ids in by_url.values())
        assert (await emitter.call(ClaimDeliveries(24, 0))).deliveries == []
        assert (await world.front.call(ListDead(account=SECOND))).deliveries == []
        await world.front.call(ReplayDeliveries(account=SECOND))
        assert (await world.front.call(GetHealth())).waiting_deliveries == 0

    story(main, tmp_path)


def test_slow_receiver_of_one_number_leaves_room_for_the_other(tmp_path):
    async def main(world):
        await add_second(world)
        phones = [Phone(f"49171392{at:04}") for at in range(40)]
        world.relay.add(*phones)
        for number in (BUSINESS, SECOND):
            await world.front.call(SetWebhook("https://example.org/", account=number))
        for phone in phones:
            await world.front.call(Send(BUSINESS, phone.number, Text("x")))
        await all_events(world, BUSINESS, 80)
        emitter = await world.emitter()
        held = 0
        while claimed := (await emitter.call(ClaimDeliveries(24 - held, 0))).deliveries:
            held += len(claimed)
        assert held == 12
        await world.front.call(Send(SECOND, CUSTOMER, Text("x")))
        assert (await emitter.call(ClaimDeliveries(24 - held, 5_000))).deliveries
        emitter.close()
        again = await world.emitter()
        assert (await again.call(ClaimDeliveries(24, 5_000))).deliveries

    story(main, tmp_path)


def test_numbers_go_on_after_a_restart_with_their_own_ids_and_idempotency_keys(tmp_path):
    async def main(world):
        await add_second(world)
        key = Idempotency("scope", "once", b"\1" * 32)
        first = await world.front.call(Send(BUSINESS, CUSTOMER, Text("x"), idempotency=key))
        second = await world.front.call(Send(SECOND, CUSTOMER, Text("x"), idempotency=key))
        assert first.id != second.id and not second.replayed
        await all_events(world, SECOND, 2)
        await world.restart()
        for business in world.core.all():
            await business.relay.peer()
        assert (await world.front.call(Send(SECOND, CUSTOMER, Text("x"), idempotency=key))).id == second.id
        assert (await world.front.call(GetMessage(SECOND, second.id))).peer == CUSTOMER
        third = await world.front.call(Send(SECOND, CUSTOMER, Text("y")))
        events, _ = await all_events(world, SECOND, 4)
        assert events[-1].message_id == third.id
        positions = [event.position for event in events]
        assert positions == sorted(positions) and positions[0] > 1 << 53
        assert len(world.relay.registers) == 2
        assert (await world.front.call(GetHealth(SECOND))).number == SECOND
        assert (await world.front.call(GetHealth())).gateway_status == "connected"

    story(main, tmp_path)


def test_sweep_of_one_number_leaves_the_events_of_the_other(tmp_path):
    async def main(world):
        second = await add_second(world)
        for number in (BUSINESS, SECOND):
            await world.front.call(Send(number, CUSTOMER, Text("x")))
            await all_events(world, number, 2)
        world.clock.now_ms += 8 * 86_400_000
        await world.business.duties.round()
        assert (await world.front.call(ReadEvents(BUSINESS))).events == []
        assert len((await world.front.call(ReadEvents(SECOND))).events) == 2
        await second.duties.round()
        assert (await world.front.call(ReadEvents(SECOND))).events == []

    story(main, tmp_path)


def test_restored_copy_takes_all_its_numbers_over_with_ids_above_those_used(tmp_path):
    async def main(world):
        await add_second(world)
        before = await world.front.call(Send(SECOND, CUSTOMER, Text("x")))
        await all_events(world, SECOND, 2)
        await world.restart(adopt_restored=True)
        for business in world.core.all():
            await business.relay.peer()
            assert business.context.next_message.last - business.context.span.floor >= 1 << 32
        after = await world.front.call(Send(SECOND, CUSTOMER, Text("y")))
        assert after.id != before.id
        await world.restart()
        assert world.core.find(SECOND).context.next_message.last - world.core.find(SECOND).context.span.floor > 1 << 32

    story(main, tmp_path)


def test_core_without_a_number_says_that_none_is_registered(tmp_path):
    async def main(world):
        await world.stop()
        await world.start(folder=tmp_path / "empty", number="")
        assert (await world.front.call(GetHealth())).gateway_status == "unregistered"
        assert await refused(world.front.call(Send(BUSINESS, CUSTOMER, Text("x")))) == "account.unknown"
        assert await refused(world.front.call(NewKey("x"))) == "account.unknown"
        emitter = await world.emitter()
        assert (await emitter.call(ClaimDeliveries(24, 0))).deliveries == []

    (tmp_path / "empty").mkdir()
    story(main, tmp_path)


def test_number_that_the_core_does_not_have_is_refused_at_the_start(tmp_path):
    async def main(world):
        await world.stop()
        with pytest.raises(SetupError, match="another number"):
            await world.start(number=SECOND)
        await world.start()

    story(main, tmp_path)


def test_number_whose_registration_waits_is_not_restored_beside_it(tmp_path):
    async def main(world):
        made = await world.front.call(MakeBackup(BUSINESS, PASSWORD))
        await world.stop()
        await world.start(folder=tmp_path / "second", number="")
        waiting = await world.core.make(BUSINESS)
        assert await refused(world.front.call(RestoreBackup("", PASSWORD, made.data))) == "account.registered"
        again = await world.core.make(BUSINESS)
        assert again.context.account == waiting.context.account
        assert again.context.own.identity.public == waiting.context.own.identity.public
        await waiting.close(), await again.close()

    (tmp_path / "second").mkdir()
    story(main, tmp_path)


def test_number_at_work_gets_no_second_account(tmp_path):
    async def main(world):
        with pytest.raises(AccountRegistered):
            await world.core.make(BUSINESS)
        assert len(world.core.all()) == 1

    story(main, tmp_path)
