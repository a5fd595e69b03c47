import os

from msgspec.structs import replace
from pytest import mark

from corefast.address import Address
from corefast.core.account.duties import SWEEP_MS
from corefast.core.receive.batch import Batch
from corefast.core.store.inbound import InboundKind
from corefast.errors import StoreFull
from corefast.store.database import Unit
from corefast.wire.body import Text
from corefast.wire.content import Content, Read, encode_content
from corefast.wire.event import EventKind, State
from corefast.wire.messages import Item, Kind, PostState
from tests.core.fake import NOW_MS, Phone
from tests.core.world import BUSINESS, CUSTOMER, OTHER, story


async def meet(world, phone=None):
    """Let the phone start a session with the business."""
    phone = phone or world.phone
    phone.meet(world.relay.bundle_of_business())
    return phone


async def deliver(world, *items):
    """Deliver and wait for the acks."""
    seqs = world.relay.deliver(*items)
    await world.relay.until(lambda: set(seqs) <= set(world.relay.acked))


def test_message_of_a_customer_is_an_event_and_can_be_read_again(tmp_path):
    async def main(world):
        phone = await meet(world)
        await deliver(world, phone.write("hello business", name="Ada"))
        [event] = await world.events(1, EventKind.MESSAGE)
        assert (event.peer, event.text, event.name) == (CUSTOMER, "hello business", "Ada")
        assert event.message_id.startswith("ABGG") and event.id.startswith("evt_")
        view = await world.view(event.message_id)
        assert (view.direction, view.body, view.state) == ("inbound", Text("hello business"), State.DELIVERED)
        await world.restart()
        assert await world.events(1, EventKind.MESSAGE) == [event]

    story(main, tmp_path)


def test_conversation_goes_on_in_the_session_that_the_customer_started(tmp_path):
    async def main(world):
        phone = await meet(world)
        await deliver(world, phone.write("one"))
        await world.send("two")
        await world.statuses(2)
        assert phone.read(world.relay.posts[0].parts[0]).body.body == "two"
        await deliver(world, phone.write("three"))
        assert [event.text for event in await world.events(2, EventKind.MESSAGE)] == ["one", "three"]

    story(main, tmp_path)


def test_item_of_a_sender_that_cannot_be_is_acked_and_taken_for_nothing(tmp_path):
    async def main(world):
        phone = await meet(world)
        item = phone.write("from nobody")
        for sender in (
            Address(""),
            Address("<b>"),
            Address("4" * 1_000),
            Address(CUSTOMER, 0),
            Address(CUSTOMER, 2**63),
        ):
            await deliver(world, Item(0, item.id, item.kind, sender, NOW_MS, item.body))
        await deliver(world, phone.write("from me"))
        assert [event.text for event in await world.events(1)] == ["from me"]

    story(main, tmp_path)


def test_known_id_is_acked_without_a_second_event(tmp_path):
    async def main(world):
        phone = await meet(world)
        item = phone.write("once")
        await deliver(world, item, item)
        await deliver(world, item)
        await world.restart()
        await world.attached()
        await deliver(world, item)
        await deliver(world, phone.write("twice"))
        events = await world.events(2)
        assert [(event.kind, event.text) for event in events] == [
            (EventKind.MESSAGE, "once"),
            (EventKind.MESSAGE, "twice"),
        ]

    story(main, tmp_path)


def test_equal_ids_of_two_senders_are_two_messages(tmp_path):
    async def main(world):
        same = os.urandom(16)
        first, second = await meet(world), Phone(OTHER)
        await deliver(world, first.write("one", same))
        # the second customer gets other one-time keys
        register = world.relay.registers[-1]
        register.prekeys.one_time.pop()
        register.prekeys.one_time_kem.pop()
        await meet(world, second)
        await deliver(world, second.write("two", same))
        assert [event.text for event in await world.events(2, EventKind.MESSAGE)] == ["one", "two"]

    story(main, tmp_path)


def test_one_time_prekeys_are_used_once_and_their_rows_go(tmp_path):
    async def main(world):
        phone, thief = await meet(world), Phone(OTHER)
        bundle = world.relay.bundle_of_business()
        thief.meet(bundle)
        used = bundle.devices[0].one_time.id
        await deliver(world, phone.write("first"), thief.write("second"))
        kinds = [event.kind for event in await world.events(2)]
        assert kinds == [EventKind.MESSAGE, EventKind.UNREADABLE]
        assert used not in world.business.context.own.one_time
        await world.restart()
        assert used not in world.business.context.own.one_time

    story(main, tmp_path)


@mark.parametrize("is_known", [False, True], ids=["a stranger's", "a customer's"])
def test_first_message_that_the_relay_shows_as_another_ones_leaves_nothing_but_a_record(tmp_path, is_known):
    async def main(world):
        author, other = await meet(world), Phone(OTHER)
        if is_known:
            register = world.relay.registers[-1].prekeys
            register.one_time.pop(), register.one_time_kem.pop()
            await deliver(world, (await meet(world, other)).write("mine"))
        own = world.business.context.own
        stock = own.one_time.keys() | own.one_time_kem.keys()
        item = author.write("hello")
        await deliver(world, replace(item, sender=Address(OTHER)))
        peer = await world.business.context.peers.load(OTHER)
        assert (peer.identity, len(peer.devices)) == ((other.own.identity.public, 1) if is_known else (None, 0))
        assert own.one_time.keys() | own.one_time_kem.keys() == stock
        await deliver(world, item)
        if is_known:
            await deliver(world, other.write("mine too"))
        events = await world.events(4 if is_known else 2)
        told = [(EventKind.UNREADABLE, OTHER, ""), (EventKind.MESSAGE, CUSTOMER, "hello")]
        if is_known:
            told = [(EventKind.MESSAGE, OTHER, "mine"), *told, (EventKind.MESSAGE, OTHER, "mine too")]
        assert [(event.kind, event.peer, event.text) for event in events] == told
        assert world.relay.posts == []

    story(main, tmp_path)


def test_first_message_of_a_release_that_names_no_author_is_taken(tmp_path):
    async def main(world):
        phone = await meet(world)
        content = Content(os.urandom(16), 1, Text("hello"))
        kind, body = phone.business.encrypt(encode_content(content), os.urandom)
        await deliver(world, Item(0, content.id, kind, phone.address, NOW_MS, body))
        assert [event.text for event in await world.events(1)] == ["hello"]

    story(main, tmp_path)


def test_unreadable_message_is_told_and_acked_and_the_next_is_read(tmp_path):
    async def main(world):
        phone = await meet(world)
        first, second = phone.write("lost"), phone.write("read")
        broken = Item(0, first.id, first.kind, first.sender, NOW_MS, first.body[:-4] + b"\0\0\0\0")
        garbage = Item(0, os.urandom(16), Kind.WHISPER, phone.address, NOW_MS, b"garbage")
        swapped = Item(0, os.urandom(16), second.kind, second.sender, NOW_MS, second.body)
        await deliver(world, broken, garbage, swapped)
        await deliver(world, phone.write("fine"))
        events = await world.events(4)
        assert [event.kind for event in events[:3]] == [EventKind.UNREADABLE] * 3
        assert events[3].text == "fine"
        assert (await world.view(events[0].message_id)).body is None

    story(main, tmp_path)


def test_receipt_that_comes_before_the_result_gives_each_status_once(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: None
        accepted = await world.send("x")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        post = world.relay.posts[0]
        await deliver(world, world.relay.receipt(Kind.DELIVERED, post.id, world.phone))
        world.relay.answer(post, PostState.STORED)
        await deliver(world, world.relay.receipt(Kind.DELIVERED, post.id, world.phone))
        kinds = [event.kind for event in await world.events(2)]
        assert kinds == [EventKind.SENT, EventKind.DELIVERED]
        assert len(await world.events(2)) == 2
        assert (await world.view(accepted.id)).state == State.DELIVERED

    story(main, tmp_path)


def test_read_fills_in_what_is_missing_and_only_for_messages_to_that_reader(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: PostState.STORED
        phone = await meet(world)
        await deliver(world, phone.write("hi"))
        accepted = await world.send("x")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        stranger = Phone(OTHER)
        for upload in [world.relay.registers[-1].prekeys]:
            upload.one_time.pop()
            upload.one_time_kem.pop()
        await meet(world, stranger)
        ids = [world.relay.posts[0].id, os.urandom(16)]
        await deliver(world, stranger.write(Read(ids)))
        assert (await world.view(accepted.id)).state == State.SENT
        await deliver(world, phone.write(Read(ids)))
        await deliver(world, phone.write(Read(ids)))
        view = await world.view(accepted.id)
        assert [change.state for change in view.history] == [
            State.ACCEPTED,
            State.SENT,
            State.DELIVERED,
            State.READ,
        ]
        kinds = [event.kind for event in await world.events(4)]
        assert kinds == [EventKind.MESSAGE, EventKind.SENT, EventKind.DELIVERED, EventKind.READ]

    story(main, tmp_path)


def test_all_old_read_marks_are_forgotten_in_one_round(tmp_path):
    async def main(world):
        context, unit = world.business.context, Unit()
        for number in range(2_500):
            item = (number.to_bytes(16, "big"), 0, None)
            context.inbound.put(unit, context.next_inbound.take(), 1, InboundKind.READ, item)
        await context.database.commit(unit)
        world.clock.now_ms += SWEEP_MS
        await world.business.duties.round()
        assert await context.inbound.last_id() == 0

    story(main, tmp_path)


def test_expired_ends_a_message_and_a_delivered_one_does_not_expire(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: PostState.STORED
        first = await world.send("x")
        second = await world.send("y")
        await world.relay.until(lambda: len(world.relay.posts) == 2)
        late, good = world.relay.posts
        receipt = world.relay.receipt
        await deliver(
            world,
            receipt(Kind.EXPIRED, late.id, world.phone),
            receipt(Kind.DELIVERED, late.id, world.phone),
            receipt(Kind.DELIVERED, good.id, world.phone),
            receipt(Kind.EXPIRED, good.id, world.phone),
            receipt(Kind.FAILED, os.urandom(16), world.phone),
        )
        expired = await world.view(first.id)
        assert expired.state == State.EXPIRED and expired.failure.code == 410
        assert (await world.view(second.id)).state == State.DELIVERED

    story(main, tmp_path)


def test_failed_commit_brings_the_message_again_and_nothing_is_lost(tmp_path):
    async def main(world):
        phone = await meet(world)
        item = phone.write("kept")
        heal = world.break_commits()
        world.relay.deliver(item)
        attached = len(world.relay.attaches)
        peer = world.relay.peer
        await peer.closed()
        heal()
        await world.relay.until(lambda: len(world.relay.attaches) > attached)
        await world.attached()
        await deliver(world, item)
        [event] = await world.events(1)
        assert (event.kind, event.text) == (EventKind.MESSAGE, "kept")
        await world.send("answer")
        await world.statuses(2)
        assert phone.read(world.relay.posts[0].parts[0]).body.body == "answer"

    story(main, tmp_path)


def test_frame_behind_one_whose_commit_failed_comes_again_after_it(tmp_path):
    async def main(world):
        phone = await meet(world)
        await deliver(world, phone.write("first"))
        context, attached = world.business.context, len(world.relay.attaches)

        def fail_once():
            context.database.set_prelude(context.lease._prelude)
            raise StoreFull("the disk is full")

        context.database.set_prelude(fail_once)
        items = phone.write("second"), phone.write("third")
        for item in items:
            world.relay.deliver(item)
        await world.relay.peer.closed()
        await world.relay.until(lambda: len(world.relay.attaches) > attached)
        await world.attached()
        await deliver(world, *items)
        texts = [event.text for event in await world.events(3, EventKind.MESSAGE)]
        assert texts == ["first", "second", "third"]

    story(main, tmp_path)


def test_frame_that_could_not_be_gathered_comes_again_and_is_taken(tmp_path, monkeypatch):
    async def main(world):
        phone = await meet(world)
        item = phone.write("kept")
        seal = Batch.seal

        def break_once(batch):
            monkeypatch.setattr(Batch, "seal", seal)
            raise MemoryError

        monkeypatch.setattr(Batch, "seal", break_once)
        attached = len(world.relay.attaches)
        world.relay.deliver(item)
        await world.relay.until(lambda: len(world.relay.attaches) > attached)
        await world.attached()
        await deliver(world, item)
        assert [event.text for event in await world.events(1)] == ["kept"]

    story(main, tmp_path)


def test_new_identity_of_a_writer_is_told_and_the_answer_goes_to_it(tmp_path):
    async def main(world):
        await world.send("to the old phone")
        await world.statuses(2)
        phone = Phone(CUSTOMER)
        world.relay.replace(phone)
        await meet(world, phone)
        await deliver(world, phone.write("it is me"))
        kinds = [event.kind for event in await world.events(4)]
        assert kinds[2:] == [EventKind.IDENTITY_CHANGED, EventKind.MESSAGE]
        await world.send("welcome")
        await world.statuses(4)
        assert phone.read(world.relay.posts[-1].parts[0]).body.body == "welcome"
        assert phone.address.id == CUSTOMER and world.relay.registers[-1].number == BUSINESS

    story(main, tmp_path)
