"""Sender keys: order, loss, replay, forgery, restore."""

import sys

from hypothesis import given
from hypothesis import strategies as st
from pytest import mark, raises

from corefast.errors import (
    CorefastError,
    KeyMalformed,
    MessageGapTooLarge,
    MessageMalformed,
    MessageReplayed,
    MessageTooLong,
    MessageVersionUnsupported,
    PeerError,
    SessionMissing,
    SignatureInvalid,
    SnapshotInvalid,
)
from corefast.limits import MAX_MESSAGE_GAP, MAX_PLAINTEXT_BYTES, MAX_SKIPPED_KEYS
from corefast.protocol.chain import step_chain
from corefast.protocol.fields import put_bytes, put_number, take_fields
from corefast.protocol.group import MAX_STATES, Distribution, GroupReceiver, GroupSender
from corefast.protocol.keys import KeyPair

from .party import RANDOM

GROUP = bytes(range(16))


def group_pair() -> tuple[GroupSender, GroupReceiver]:
    sender, receiver = GroupSender.new(GROUP, RANDOM), GroupReceiver(GROUP)
    receiver.join(Distribution.parse(sender.distribution()))
    return sender, receiver


def refused(receiver: GroupReceiver, message: bytes, error: type[CorefastError]) -> None:
    before = receiver.snapshot()
    with raises(error):
        receiver.decrypt(message)
    assert receiver.snapshot() == before


def skip(sender: GroupSender, count: int) -> None:
    """Let the chain go on without the price of a signature for each message."""
    for _ in range(count):
        _, sender._state.chain_key = step_chain(sender._state.chain_key)
    sender._state.iteration += count


def test_one_message_is_read_by_every_member():
    sender, first = group_pair()
    second = GroupReceiver(GROUP)
    second.join(Distribution.parse(sender.distribution()))
    for number in range(5):
        message = sender.encrypt(b"%d" % number, RANDOM)
        assert first.decrypt(message) == second.decrypt(message) == b"%d" % number


def test_a_member_that_joins_late_reads_only_from_there_on():
    sender, _ = group_pair()
    early = sender.encrypt(b"early", RANDOM)
    late = GroupReceiver(GROUP)
    late.join(Distribution.parse(sender.distribution()))
    refused(late, early, MessageReplayed)
    assert late.decrypt(sender.encrypt(b"on", RANDOM)) == b"on"


def test_messages_in_any_order_are_read_once():
    sender, receiver = group_pair()
    messages = [sender.encrypt(b"%d" % number, RANDOM) for number in range(20)]
    for number in (7, 3, 19, 0, 12):
        assert receiver.decrypt(messages[number]) == b"%d" % number
        receiver = GroupReceiver.restore(receiver.snapshot())
        refused(receiver, messages[number], MessageReplayed)


def test_a_gap_is_bounded_and_the_newest_keys_are_kept():
    sender, receiver = group_pair()
    early = sender.encrypt(b"early", RANDOM)
    skip(sender, MAX_MESSAGE_GAP - MAX_SKIPPED_KEYS - 1)
    kept = sender.encrypt(b"kept", RANDOM)
    skip(sender, MAX_SKIPPED_KEYS - 1)
    last = sender.encrypt(b"last", RANDOM)
    fresh = GroupReceiver.restore(receiver.snapshot())
    skip(sender, 1)
    refused(fresh, sender.encrypt(b"x", RANDOM), MessageGapTooLarge)
    assert receiver.decrypt(last) == b"last"
    assert receiver.decrypt(kept) == b"kept"
    refused(receiver, early, MessageReplayed)
    assert len(receiver.snapshot()) < 100_000


def test_chains_of_one_sender_keep_together_so_many_skipped_keys_and_those_of_the_newest():
    senders, receiver = [GroupSender.new(GROUP, RANDOM) for _ in range(MAX_STATES)], GroupReceiver(GROUP)
    late = {}
    for sender in senders:
        receiver.join(Distribution.parse(sender.distribution()))
        late[sender] = sender.encrypt(b"late", RANDOM)
    for sender in senders:
        skip(sender, MAX_SKIPPED_KEYS - 1)
        assert receiver.decrypt(sender.encrypt(b"on", RANDOM)) == b"on"
        assert receiver.skipped == MAX_SKIPPED_KEYS and len(receiver.snapshot()) < 100_000
    assert receiver.decrypt(late[senders[-1]]) == b"late"
    refused(receiver, late[senders[0]], MessageReplayed)


def test_keys_that_are_used_up_are_wiped(monkeypatch):
    wiped = []
    monkeypatch.setattr("corefast.protocol.group.wipe", lambda secret: wiped.append(bytes(memoryview(secret))))
    sender, receiver = group_pair()
    seeds, chain_key = [], sender._state.chain_key
    chain_keys = [chain_key]
    for _ in range(3):
        seed, chain_key = step_chain(chain_key)
        seeds.append(seed)
        chain_keys.append(chain_key)
    messages = [sender.encrypt(b"x", RANDOM) for _ in range(3)]
    assert {*seeds, *chain_keys[:3]} <= set(wiped)
    wiped.clear()
    receiver.decrypt(messages[2])
    assert {seeds[2], *chain_keys[:3]} <= set(wiped) and seeds[0] not in wiped
    receiver.decrypt(messages[0])
    assert seeds[0] in wiped


def test_no_copy_of_a_used_key_keeps_it_from_being_wiped(monkeypatch):
    done = []
    monkeypatch.setattr("corefast.protocol.group.wipe", lambda secret: done.append(sys.getrefcount(secret)))
    sender, receiver = group_pair()
    messages = [sender.encrypt(b"x", RANDOM) for _ in range(3)]
    receiver = GroupReceiver.restore(receiver.snapshot())
    receiver.decrypt(messages[2])
    # The holder that `wipe` allows, the call, the argument of the spy and that of the count.
    assert len(done) > 12 and max(done) <= 4


def test_a_message_that_its_sender_did_not_sign_is_refused():
    sender, receiver = group_pair()
    message = sender.encrypt(b"x", RANDOM)
    for place in (len(message) - 1, len(message) - 70):
        broken = bytearray(message)
        broken[place] ^= 1
        refused(receiver, bytes(broken), SignatureInvalid)
    eve = KeyPair.generate(RANDOM)
    refused(receiver, message[:-64] + eve.sign(message[:-64], RANDOM), SignatureInvalid)
    assert receiver.decrypt(message) == b"x"


def test_a_signed_message_with_a_wrong_body_or_counter_is_refused():
    sender, receiver = group_pair()
    chain_id = sender._state.chain_id
    for iteration, body in ((0, b""), (0, bytes(15)), (0, bytes(16)), (2**32 - 1, bytes(16)), (10**6, bytes(16))):
        fields = put_bytes(1, GROUP) + put_number(2, chain_id) + put_number(3, iteration) + put_bytes(4, body)
        message = b"\x33" + fields
        refused(receiver, message + sender._signing.sign(message, RANDOM), PeerError)
    assert receiver.decrypt(sender.encrypt(b"x", RANDOM)) == b"x"


def test_a_chain_that_was_never_handed_over_is_missing():
    sender, receiver = group_pair()
    refused(receiver, GroupSender.new(GROUP, RANDOM).encrypt(b"x", RANDOM), SessionMissing)
    with raises(MessageMalformed):
        receiver.join(Distribution.parse(GroupSender.new(bytes(16), RANDOM).distribution()))
    assert receiver.decrypt(sender.encrypt(b"x", RANDOM)) == b"x"


def test_late_messages_of_the_last_five_chains_are_read():
    receiver = GroupReceiver(GROUP)
    messages = []
    for number in range(6):
        sender = GroupSender.new(GROUP, RANDOM)
        receiver.join(Distribution.parse(sender.distribution()))
        messages.append(sender.encrypt(b"%d" % number, RANDOM))
    refused(receiver, messages[0], SessionMissing)
    for number in range(1, 6):
        assert receiver.decrypt(messages[number]) == b"%d" % number


def test_a_repeated_distribution_does_not_turn_the_chain_back():
    sender, receiver = group_pair()
    distribution = Distribution.parse(sender.distribution())
    message = sender.encrypt(b"x", RANDOM)
    receiver.decrypt(message)
    receiver.join(distribution)
    refused(receiver, message, MessageReplayed)


def test_a_restored_sender_goes_on_where_it_was():
    sender, receiver = group_pair()
    assert receiver.decrypt(sender.encrypt(b"1", RANDOM)) == b"1"
    sender = GroupSender.restore(sender.snapshot())
    assert receiver.decrypt(sender.encrypt(b"2", RANDOM)) == b"2"


def test_what_cannot_be_sent_changes_nothing():
    sender, _ = group_pair()
    before = sender.snapshot()
    with raises(MessageTooLong):
        sender.encrypt(bytes(MAX_PLAINTEXT_BYTES + 1), RANDOM)
    assert sender.snapshot() == before
    sender._state.iteration = 2**32 - 1
    with raises(MessageGapTooLarge):
        sender.encrypt(b"x", RANDOM)
    with raises(ValueError):
        GroupSender.new(bytes(15), RANDOM)


@mark.parametrize(
    "snapshot",
    [
        b"",
        b"\x00",
        b"\x91" * 60_000,
        b"\x9f\x01" + b"\x91" * 60_000,
        b"\x93\x02\xc4\x00\x90",
        b"\x93\x01\xc4\x00\x91\x95\1\1\xc4\0\xc4\0\x80",
    ],
)
def test_noise_is_no_snapshot(snapshot):
    for kind in (GroupSender, GroupReceiver):
        with raises(SnapshotInvalid):
            kind.restore(snapshot)


def test_a_damaged_sender_snapshot_is_refused():
    sender, _ = group_pair()
    sender._state.chain_key = bytes(31)
    with raises(SnapshotInvalid):
        GroupSender.restore(sender.snapshot())


@mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_distribution_without_a_field_is_malformed(number):
    sender, _ = group_pair()
    fields = take_fields(sender.distribution()[1:])
    rest = b"".join(
        put_number(key, value) if isinstance(value, int) else put_bytes(key, value)
        for key, value in fields.items()
        if key != number
    )
    with raises(MessageMalformed):
        Distribution.parse(b"\x33" + rest)
    with raises(KeyMalformed):
        Distribution.parse(sender.distribution()[:-33] + bytes(33))


@given(st.binary(max_size=300))
def test_noise_is_refused(noise):
    _, receiver = group_pair()
    refused(receiver, noise, PeerError)
    refused(receiver, b"\x33" + noise, PeerError)
    with raises(PeerError):
        Distribution.parse(b"\x33" + noise)
    with raises((MessageMalformed, MessageVersionUnsupported)):
        Distribution.parse(b"\x23" + noise)


@mark.parametrize("iteration", [-5, 2**32])
def test_a_number_out_of_range_is_a_damaged_snapshot(iteration):
    sender, receiver = group_pair()
    sender._state.iteration = receiver._state.states[0].iteration = iteration
    for damaged in (sender, receiver):
        with raises(SnapshotInvalid):
            damaged.restore(damaged.snapshot())
