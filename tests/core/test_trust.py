"""Faults of keys: swapped, stripped, badly signed, changed while messages wait; and what the operator decides."""

import pytest
from msgspec.structs import replace

from corefast.endpoint.trust import identity_hash, safety_number
from corefast.errors import RemoteRefused
from corefast.limits import MESSAGE_TTL_MS, SIGNED_PREKEY_GRACE_MS, SIGNED_PREKEY_LIFE_MS
from corefast.protocol.message import PreKeySignalMessage
from corefast.wire.event import EventKind, State
from corefast.wire.messages import PostState
from corefast.wire.peer import AcceptIdentity, GetPeer, ListPeers, PeerPin, PinPeer
from tests.core.fake import Phone
from tests.core.test_receive import deliver, meet
from tests.core.world import BUSINESS, CUSTOMER, OTHER, story

SPELLED = "+49 123 123456"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("corefast.core.send.preparer._FIRST_RETRY_MS", 10)
    monkeypatch.setattr("corefast.core.send.preparer._LAST_RETRY_MS", 20)


def another_phone(world):
    """Give the customer's number to another phone, with another identity."""
    phone = Phone(CUSTOMER)
    world.relay.replace(phone)
    return phone


def hash_of(phone):
    return identity_hash(phone.own.identity.public)


def read(world, phone, post=-1):
    return phone.read(world.relay.posts[post].parts[0]).body.body


def show(world, number=SPELLED):
    return world.front.call(GetPeer(number))


async def refused(call):
    with pytest.raises(RemoteRefused) as caught:
        await call
    return caught.value.code


async def kinds(world, count):
    return [event.kind for event in await world.events(count)]


def test_ids_that_a_failed_commit_took_put_no_later_message_under_the_old_identity(tmp_path):
    async def main(world):
        await deliver(world, (await meet(world)).write("hello"))
        heal = world.break_commits()
        for _ in range(5):
            assert await refused(world.send("never")) == "store.full"
        heal()
        stock = world.relay.registers[-1].prekeys
        stock.one_time.pop()
        stock.one_time_kem.pop()
        await deliver(world, (await meet(world, another_phone(world))).write("it is me"))
        await world.restart()
        await world.attached()
        sent = await world.send("welcome")
        await world.events(1, EventKind.DELIVERED)
        assert (await world.view(sent.id)).state == State.DELIVERED

    story(main, tmp_path)


# ── policy ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_flag_goes_on_with_the_new_identity_but_not_with_what_was_meant_for_the_old_one(tmp_path):
    async def main(world):
        world.relay.decide = lambda post: None
        first = [await world.send(f"for the old phone {number}") for number in range(3)]
        await world.relay.until(lambda: len(world.relay.posts) == 3)
        world.relay.decide = lambda post: PostState.DELIVERED
        phone = another_phone(world)
        for post in list(world.relay.posts):
            world.relay.answer(post, PostState.DEVICES_CHANGED)
        failed = await world.events(3, EventKind.FAILED)
        assert {event.message_id for event in failed} == {each.id for each in first}
        assert {event.failure.code for event in failed} == {480}
        await world.send("for the new phone")
        await world.events(1, EventKind.DELIVERED)
        assert len(world.relay.posts) == 4 and read(world, phone) == "for the new phone"
        view = await show(world)
        assert (view.identity_hash, view.acknowledged, view.blocked) == (hash_of(phone), False, False)
        assert len(await world.events(1, EventKind.IDENTITY_CHANGED)) == 1

    story(main, tmp_path)


def test_messages_for_the_old_identity_fail_after_a_restart_too(tmp_path):
    """The change came in with a message; the core died before the relay gave back what was under way."""

    async def main(world):
        world.relay.decide = lambda post: None
        sent = await world.send("for the old phone")
        await world.relay.until(lambda: len(world.relay.posts) == 1)
        phone = another_phone(world)
        await meet(world, phone)
        await deliver(world, phone.write("a new phone"))
        await world.restart()
        [failed] = await world.events(1, EventKind.FAILED)
        assert (failed.message_id, failed.failure.code) == (sent.id, 480)
        assert all(post.devices_version == 1 for post in world.relay.posts)
        world.relay.decide = lambda post: PostState.DELIVERED
        await world.send("welcome")
        await world.events(1, EventKind.DELIVERED)
        assert read(world, phone) == "welcome"

    story(main, tmp_path)


def test_block_sends_nothing_until_the_new_identity_is_acknowledged(tmp_path):
    async def main(world):
        await world.send("hello")
        await world.events(1, EventKind.DELIVERED)
        phone = another_phone(world)
        waiting = await world.send("are you there?")
        [failed] = await world.events(1, EventKind.FAILED)
        assert (failed.message_id, failed.failure.code) == (waiting.id, 480)
        assert "acknowledged" in failed.failure.details
        for _ in range(2):
            assert await refused(world.send("hello?")) == "identity.unacknowledged"
            view = await show(world)
            assert (view.blocked, view.identity_hash, view.devices) == (True, hash_of(phone), 0)
            await world.restart(identity_policy="block")
            await world.attached()
        assert await refused(world.front.call(AcceptIdentity(SPELLED, hash_of(world.phone)))) == "identity.mismatch"
        for _ in range(2):
            view = await world.front.call(AcceptIdentity(SPELLED, hash_of(phone)))
            assert (view.blocked, view.acknowledged) == (False, True)
        await world.send("welcome")
        await world.events(2, EventKind.DELIVERED)
        assert read(world, phone) == "welcome"
        assert len(await world.events(1, EventKind.IDENTITY_CHANGED)) == 1

    story(main, tmp_path, identity_policy="block")


@pytest.mark.one_engine
def test_block_reads_what_comes_under_the_new_identity_and_flags_it_for_good(tmp_path):
    async def main(world):
        await world.send("hello")
        await world.events(1, EventKind.DELIVERED)
        phone = another_phone(world)
        await meet(world, phone)
        await deliver(world, phone.write("it is me"))
        [message] = await world.events(1, EventKind.MESSAGE)
        assert message.text == "it is me"
        assert (message.identity.hash, message.identity.acknowledged) == (hash_of(phone), False)
        assert await refused(world.send("who are you?")) == "identity.unacknowledged"
        await world.front.call(AcceptIdentity(CUSTOMER, message.identity.hash))
        await deliver(world, phone.write("thank you"))
        again, after = await world.events(2, EventKind.MESSAGE)
        assert again == message and after.identity is None
        await world.send("welcome")
        await world.events(2, EventKind.DELIVERED)
        assert read(world, phone) == "welcome"

    story(main, tmp_path, identity_policy="block")


@pytest.mark.one_engine
def test_what_waits_while_the_relay_is_away_is_not_sent_to_whom_the_relay_then_names(tmp_path):
    async def main(world):
        await world.send("hello")
        await world.events(1, EventKind.DELIVERED)
        await world.relay.stop()
        sent = [await world.send(f"in the dark {number}") for number in range(100)]
        another_phone(world)
        await world.relay.start(world.relay.port)
        failed = await world.events(100, EventKind.FAILED)
        assert [event.message_id for event in failed] == [each.id for each in sent]
        assert {post.devices_version for post in world.relay.posts} == {1}

    story(main, tmp_path, identity_policy="block")


@pytest.mark.one_engine
def test_acknowledged_once_is_not_acknowledged_for_good(tmp_path):
    async def main(world):
        await world.send("hello")
        await world.events(1, EventKind.DELIVERED)
        for count in (1, 2):
            phone = another_phone(world)
            await world.send("who are you?")
            await world.events(count, EventKind.FAILED)
            assert (await show(world)).blocked
            assert (await world.front.call(AcceptIdentity(CUSTOMER, hash_of(phone)))).acknowledged
            await world.send("welcome")
            await world.events(1 + count, EventKind.DELIVERED)
            assert read(world, phone) == "welcome"

    story(main, tmp_path, identity_policy="block")


def test_failed_commit_of_an_acknowledgement_leaves_the_peer_blocked(tmp_path):
    async def main(world):
        await world.send("hello")
        await world.events(1, EventKind.DELIVERED)
        phone = another_phone(world)
        await world.send("are you there?")
        await world.events(1, EventKind.FAILED)
        mend = world.break_commits()
        assert await refused(world.front.call(AcceptIdentity(CUSTOMER, hash_of(phone)))) == "store.full"
        mend()
        assert (await show(world)).blocked
        assert await refused(world.send("hello?")) == "identity.unacknowledged"

    story(main, tmp_path, identity_policy="block")


# ── downgrades and bad keys ────────────────────────────────────────────────────────────────────────────────────────


def test_bundle_without_a_kem_key_is_told_once_and_its_messages_wait_for_a_whole_one(tmp_path):
    async def main(world):
        world.phone.has_kem = False
        await world.send("patient")
        await world.relay.until(lambda: len(world.relay.fetched) >= 4)
        await world.restart()
        await world.attached()
        fetched = len(world.relay.fetched)
        await world.relay.until(lambda: len(world.relay.fetched) >= fetched + 2)
        assert (await show(world)).downgraded
        world.phone.has_kem = True
        await world.events(1, EventKind.DELIVERED)
        assert read(world, world.phone) == "patient"
        assert (await kinds(world, 3)).count(EventKind.BUNDLE_DOWNGRADED) == 1
        assert not (await show(world)).downgraded

    story(main, tmp_path)


@pytest.mark.one_engine
def test_messages_that_waited_too_long_for_usable_keys_fail_with_a_reason(tmp_path):
    async def main(world):
        world.phone.has_kem = False
        old = await world.send("patient")
        await world.relay.until(lambda: len(world.relay.fetched) >= 1)
        world.clock.now_ms += MESSAGE_TTL_MS + 1
        new = await world.send("younger")
        [failed] = await world.events(1, EventKind.FAILED)
        assert (failed.message_id, failed.failure.code) == (old.id, 408)
        assert (await world.view(new.id)).state is State.ACCEPTED
        world.phone.has_kem = True
        await world.events(1, EventKind.DELIVERED)
        assert read(world, world.phone) == "younger"

    story(main, tmp_path)


def test_pin_to_x3dh_sends_what_waited_and_reads_version_3(tmp_path):
    async def main(world):
        world.phone.has_kem = False
        await world.send("patient")
        await world.events(1, EventKind.BUNDLE_DOWNGRADED)
        view = await world.front.call(PinPeer(SPELLED, PeerPin.X3DH))
        assert (view.number, view.pin, view.downgraded) == (CUSTOMER, PeerPin.X3DH, False)
        await world.events(1, EventKind.DELIVERED)
        assert PreKeySignalMessage.parse(world.relay.posts[-1].parts[0].body).version == 3
        assert read(world, world.phone) == "patient"
        await deliver(world, world.phone.write("thank you"))
        other = Phone(OTHER)
        other.has_kem = False
        await world.front.call(PinPeer(OTHER, PeerPin.X3DH))
        await meet(world, other)
        await deliver(world, other.write("from another one, first"))
        assert [event.text for event in await world.events(2, EventKind.MESSAGE)] == [
            "thank you",
            "from another one, first",
        ]
        await world.restart()
        listed = (await world.front.call(ListPeers())).peers
        assert [(peer.number, peer.pin, peer.devices) for peer in listed] == [
            (CUSTOMER, PeerPin.X3DH, 1),
            (OTHER, PeerPin.X3DH, 1),
        ]
        page = await world.front.call(ListPeers(limit=1))
        assert page.peers == listed[:1]
        assert (await world.front.call(ListPeers(page.next, 1))).peers == listed[1:]

    story(main, tmp_path)


@pytest.mark.one_engine
def test_unpinned_peer_never_falls_back_and_an_old_session_of_version_3_ends(tmp_path):
    async def main(world):
        world.phone.has_kem = False
        await world.front.call(PinPeer(CUSTOMER, PeerPin.X3DH))
        await world.send("old way")
        await world.events(1, EventKind.DELIVERED)
        await world.front.call(PinPeer(CUSTOMER, PeerPin.NONE))
        await world.send("new way")
        await world.events(1, EventKind.BUNDLE_DOWNGRADED)
        world.phone.has_kem = True
        await world.events(2, EventKind.DELIVERED)
        assert PreKeySignalMessage.parse(world.relay.posts[-1].parts[0].body).version == 4
        world.phone.has_kem = False
        await world.send("still the new way")
        await world.events(3, EventKind.DELIVERED)
        assert len(await world.events(1, EventKind.BUNDLE_DOWNGRADED)) == 1

    story(main, tmp_path)


@pytest.mark.one_engine
def test_without_spqr_is_version_4_without_the_field(tmp_path):
    async def main(world):
        await world.front.call(PinPeer(CUSTOMER, PeerPin.WITHOUT_SPQR))
        await world.send("hello")
        await world.events(1, EventKind.DELIVERED)
        message = PreKeySignalMessage.parse(world.relay.posts[-1].parts[0].body)
        assert message.version == 4 and b"\x01\x01\x01\x00" not in message.message[-20:]
        assert read(world, world.phone) == "hello"

    story(main, tmp_path)


def test_first_message_of_version_3_is_refused_and_told_once(tmp_path):
    async def main(world):
        phone = world.phone
        phone.has_kem = False
        await meet(world)
        await deliver(world, phone.write("one"), phone.write("two"))
        expected = [EventKind.BUNDLE_DOWNGRADED, EventKind.UNREADABLE, EventKind.UNREADABLE]
        assert await kinds(world, 3) == expected
        await world.restart()
        await world.attached()
        await deliver(world, phone.write("three"))
        assert await kinds(world, 4) == [*expected, EventKind.UNREADABLE]
        phone.has_kem = True
        await meet(world)
        await deliver(world, phone.write("four"))
        [message] = await world.events(1, EventKind.MESSAGE)
        assert message.text == "four" and not (await show(world)).downgraded

    story(main, tmp_path)


@pytest.mark.parametrize("spoil", ["identity", "signed", "kem"])
@pytest.mark.one_engine
def test_bundle_that_was_tampered_with_gets_nothing_and_changes_nothing(tmp_path, spoil):
    """What a relay can do to a bundle without the owner's private key."""

    async def main(world):
        other, good, identity = Phone(CUSTOMER), world.phone.bundle, world.phone.own.identity
        swapped = {
            "identity": lambda: good(),
            "signed": lambda: replace(good(), signed=other.upload.signed),
            "kem": lambda: replace(good(), kem=other.upload.last_resort),
        }[spoil]
        world.phone.bundle = swapped
        if spoil == "identity":
            world.phone.own.identity = other.own.identity
        await world.send("patient")
        await world.relay.until(lambda: len(world.relay.fetched) >= 3)
        assert world.relay.posts == []
        assert (await show(world)).identity_hash == ""
        world.phone.bundle, world.phone.own.identity = good, identity
        await world.events(1, EventKind.DELIVERED)
        assert read(world, world.phone) == "patient"
        assert await kinds(world, 2) == [EventKind.SENT, EventKind.DELIVERED]

    story(main, tmp_path)


@pytest.mark.one_engine
def test_message_under_a_signed_prekey_that_is_gone_is_unreadable_and_one_within_the_grace_is_read(tmp_path):
    async def main(world):
        stale = world.relay.bundle_of_business()
        world.clock.now_ms += SIGNED_PREKEY_LIFE_MS
        await world.business.duties.round()
        await deliver(world, (await meet_with(world.phone, stale)).write("late but in time"))
        [message] = await world.events(1, EventKind.MESSAGE)
        assert message.text == "late but in time"
        world.clock.now_ms += SIGNED_PREKEY_LIFE_MS + SIGNED_PREKEY_GRACE_MS
        await world.business.duties.round()
        await deliver(world, (await meet_with(Phone(OTHER), stale)).write("too late"))
        [unreadable] = await world.events(1, EventKind.UNREADABLE)
        assert unreadable.peer == OTHER

    story(main, tmp_path)


async def meet_with(phone, bundle):
    """Start a session from a bundle without its one-time key, as a relay keeps it back."""
    phone.meet(replace(bundle, devices=[replace(bundle.devices[0], one_time=None)]))
    return phone


# ── what the operator sees ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.one_engine
def test_both_sides_see_the_same_safety_number(tmp_path):
    async def main(world):
        stranger = await show(world)
        assert (stranger.number, stranger.identity_hash, stranger.safety_number) == (CUSTOMER, "", "")
        await world.send("hello")
        await world.events(1, EventKind.DELIVERED)
        view = await show(world)
        assert (
            len(bytes.fromhex(view.identity_hash)) == 16
        )  # no dash at its beginning, which a shell's word may not have
        assert view.created_ms == world.clock.now_ms and view.devices == 1 and view.acknowledged
        theirs = (CUSTOMER, world.phone.own.identity.public)
        ours = (BUSINESS, world.relay.registers[-1].identity)
        assert view.safety_number == safety_number(*theirs, *ours)
        assert [len(group) for group in view.safety_number.split(" ")] == [5] * 12

    story(main, tmp_path)


@pytest.mark.one_engine
def test_question_about_a_peer_that_cannot_be_served_says_why(tmp_path):
    async def main(world):
        calls = {
            GetPeer("five"): "number.invalid",
            GetPeer(BUSINESS): "recipient.is_sender",
            GetPeer(CUSTOMER, "491713920009"): "account.unknown",
            AcceptIdentity(CUSTOMER, "x"): "peer.unknown",
            ListPeers(limit=0): "parameter.invalid",
            ListPeers(account="491713920009"): "account.unknown",
        }
        for call, code in calls.items():
            assert await refused(world.front.call(call)) == code
        emitter = await world.emitter()
        for call in (GetPeer(CUSTOMER), PinPeer(CUSTOMER, PeerPin.X3DH), AcceptIdentity(CUSTOMER, "x"), ListPeers()):
            assert await refused(emitter.call(call)) == "scope.missing"
        emitter.close()

    story(main, tmp_path)
