"""One session with one device: order, loss, replay, forgery, restore."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import mark, raises

from corefast.errors import (
    CorefastError,
    KeyAgreementFailed,
    KeyMalformed,
    MessageGapTooLarge,
    MessageMacInvalid,
    MessageReplayed,
    MessageTooLong,
    MessageVersionUnsupported,
    PeerError,
    PreKeyUnknown,
)
from corefast.limits import MAX_MESSAGE_GAP, MAX_PLAINTEXT_BYTES, MAX_SKIPPED_KEYS
from corefast.protocol.message import PreKeySignalMessage, SignalMessage
from corefast.protocol.session import Session
from corefast.protocol.start import accept

from .party import RANDOM, Party, pass_on, read, session_pair, write


def refused(session: Session, message: bytes, error: type[CorefastError]) -> None:
    """Reading *message* raises *error* and changes nothing."""
    before = session.snapshot()
    with raises(error):
        read(session, message)
    assert session.snapshot() == before


# ── the start ──────────────────────────────────────────────────────────────────────────────────────────────────────


@mark.parametrize("with_one_time", [True, False])
def test_a_bundle_is_enough_to_write_and_a_first_message_to_answer(with_one_time):
    alice, bob = Party(), Party()
    ours = alice.initiate(bob.bundle(with_one_time))
    kind, message = ours.encrypt(b"hello", RANDOM)
    assert kind == 3
    theirs, plaintext = bob.accept(message, with_one_time)
    assert plaintext == b"hello"
    assert (ours.their_identity, theirs.their_identity) == (bob.identity.public, alice.identity.public)
    assert ours.base_key == theirs.base_key == PreKeySignalMessage.parse(message).base_key
    kind, answer = theirs.encrypt(b"hi", RANDOM)
    assert kind == 2
    assert read(ours, answer) == b"hi"


def test_every_message_carries_the_start_until_the_first_answer():
    alice, bob = Party(), Party()
    ours = alice.initiate(bob.bundle())
    first, second = (ours.encrypt(text, RANDOM) for text in (b"1", b"2"))
    assert first[0] == second[0] == 3
    theirs, _ = bob.accept(second[1])
    assert read(theirs, PreKeySignalMessage.parse(first[1]).message) == b"1"
    assert not ours.is_answered
    read(ours, write(theirs, b"answer"))
    assert ours.is_answered
    assert ours.encrypt(b"3", RANDOM)[0] == 2


def test_a_first_message_names_the_prekeys_it_needs():
    alice, bob = Party(), Party()
    message = PreKeySignalMessage.parse(write(alice.initiate(bob.bundle()), b"hello"))
    assert (message.version, message.registration_id) == (4, alice.registration_id)
    assert (message.signed_id, message.kem_id, message.one_time_id) == (11, 12, 13)
    assert message.identity == alice.identity.public
    with raises(PreKeyUnknown):
        accept(bob.identity, message, bob.signed, bob.kem, None, RANDOM)


def test_a_first_message_for_other_keys_opens_nothing():
    alice, bob, eve = Party(), Party(), Party()
    message = write(alice.initiate(bob.bundle()), b"hello")
    with raises(MessageMacInvalid):
        eve.accept(message)
    eve.identity = bob.identity
    with raises(MessageMacInvalid):
        eve.accept(message)


@mark.parametrize("u", [0, 1, 2, 2**255 - 20, 2**255 - 19, 2**255 - 18])
def test_a_base_key_off_the_prime_order_group_is_refused(u):
    alice, bob = Party(), Party()
    message = write(alice.initiate(bob.bundle()), b"hello")
    base_key = PreKeySignalMessage.parse(message).base_key
    with raises(KeyMalformed):
        bob.accept(message.replace(base_key, b"\x05" + u.to_bytes(32, "little")))


def test_an_identity_of_low_order_agrees_with_nobody():
    alice, bob = Party(), Party()
    message = write(alice.initiate(bob.bundle()), b"hello")
    with raises(KeyAgreementFailed):
        bob.accept(message.replace(alice.identity.public, b"\x05" + bytes(32)))


# ── order, loss, replay ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_long_talk_in_turns_keeps_both_in_step():
    ours, theirs = session_pair()
    for turn in range(20):
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            for message in range(turn % 3 + 1):
                pass_on(sender, receiver, b"%d.%d" % (turn, message))


def test_messages_may_come_in_any_order():
    ours, theirs = session_pair()
    messages = [write(ours, b"%d" % i) for i in range(50)]
    for i in [*range(49, 25, -1), *range(0, 26)]:
        assert read(theirs, messages[i]) == b"%d" % i


def test_a_message_of_an_older_chain_is_read_after_the_turn():
    ours, theirs = session_pair()
    late = write(ours, b"late")
    pass_on(ours, theirs, b"in time")
    pass_on(theirs, ours, b"answer")
    pass_on(ours, theirs, b"next chain")
    assert read(theirs, late) == b"late"


def test_five_receiving_chains_are_kept():
    ours, theirs = session_pair()
    late = []
    for _ in range(6):
        late.append(write(ours, b"late"))
        pass_on(ours, theirs, b"in time")
        pass_on(theirs, ours, b"turn")
    refused(theirs, late[0], MessageMacInvalid)
    for message in late[1:]:
        assert read(theirs, message) == b"late"


def test_replayed_message_is_refused_and_state_is_unchanged():
    ours, theirs = session_pair()
    message = write(ours, b"once")
    skipped = write(ours, b"skipped")
    pass_on(ours, theirs, b"ahead")
    for text in (message, skipped):
        read(theirs, text)
        refused(theirs, text, MessageReplayed)


def test_a_lost_message_costs_a_seed_and_a_salt_and_a_read_one_none():
    ours, theirs = session_pair()
    plain = len(theirs.snapshot())
    messages = [write(ours, b"%d" % i) for i in range(11)]
    read(theirs, messages[10])
    assert len(theirs.snapshot()) == plain + 10 * 2 * 36
    for message in messages[:10]:
        read(theirs, message)
    assert len(theirs.snapshot()) == plain


def test_a_gap_is_read_up_to_its_limit_and_keeps_the_newest_keys():
    ours, theirs = session_pair()
    messages = [write(ours, b"x") for _ in range(MAX_MESSAGE_GAP + 2)]
    refused(theirs, messages[MAX_MESSAGE_GAP + 1], MessageGapTooLarge)
    assert read(theirs, messages[MAX_MESSAGE_GAP]) == b"x"
    oldest_kept = MAX_MESSAGE_GAP - MAX_SKIPPED_KEYS
    refused(theirs, messages[oldest_kept - 1], MessageReplayed)
    assert read(theirs, messages[oldest_kept]) == b"x"
    assert len(theirs.snapshot()) < 150_000


def test_two_gaps_share_the_kept_keys():
    ours, theirs = session_pair()
    messages = [write(ours, b"x") for _ in range(MAX_SKIPPED_KEYS + 12)]
    read(theirs, messages[10])
    read(theirs, messages[MAX_SKIPPED_KEYS + 11])
    assert read(theirs, messages[11]) == b"x"
    refused(theirs, messages[0], MessageReplayed)


def test_the_oldest_keys_of_an_earlier_gap_give_way_first():
    ours, theirs = session_pair()
    messages = [write(ours, b"x") for _ in range(MAX_SKIPPED_KEYS + 12)]
    read(theirs, messages[MAX_SKIPPED_KEYS - 10])
    read(theirs, messages[MAX_SKIPPED_KEYS + 11])
    # 1,990 and 20 seeds were skipped, ten more than are kept.
    refused(theirs, messages[9], MessageReplayed)
    assert read(theirs, messages[10]) == b"x"


@settings(max_examples=25)
@given(st.data())
def test_any_talk_over_a_bad_network_is_read_once_each(data):
    sessions = list(session_pair())
    waiting: list[tuple[int, bytes, bytes]] = []
    for number in range(data.draw(st.integers(1, 40))):
        if data.draw(st.booleans()) or not waiting:
            sender = data.draw(st.integers(0, 1))
            text = b"%d" % number
            waiting.append((1 - sender, write(sessions[sender], text), text))
        else:
            receiver, message, text = waiting.pop(data.draw(st.integers(0, len(waiting) - 1)))
            if data.draw(st.booleans()):
                sessions[receiver] = Session.restore(sessions[receiver].snapshot())
            try:
                assert read(sessions[receiver], message) == text
            except MessageMacInvalid:
                # More than five chains back: its key is gone, by design.
                continue
            refused(sessions[receiver], message, MessageReplayed)


# ── forgery ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_flipped_bit_is_refused_and_the_message_is_read_afterwards():
    ours, theirs = session_pair()
    pass_on(theirs, ours, b"turn")
    message = write(ours, b"hello")
    for bit in range(8 * len(message)):
        broken = bytearray(message)
        broken[bit // 8] ^= 1 << bit % 8
        refused(theirs, bytes(broken), PeerError)
    assert read(theirs, message) == b"hello"


def test_every_truncation_is_refused():
    ours, theirs = session_pair()
    message = write(ours, b"hello")
    for size in range(len(message)):
        refused(theirs, message[:size], PeerError)


def test_our_own_message_sent_back_is_refused():
    ours, theirs = session_pair()
    message = write(ours, b"hello")
    refused(ours, message, MessageMacInvalid)
    pass_on(theirs, ours, b"turn")
    refused(ours, write(ours, b"again"), MessageMacInvalid)


def test_a_new_ratchet_key_of_low_order_is_refused():
    ours, theirs = session_pair()
    message = write(ours, b"hello")
    ratchet_key = SignalMessage.parse(message).ratchet_key
    pass_on(theirs, ours, b"turn")
    refused(theirs, message.replace(ratchet_key, b"\x05" + bytes(32)), KeyAgreementFailed)


def test_a_new_ratchet_key_before_we_made_one_of_ours_is_refused_unused():
    ours, theirs = session_pair()
    message = write(theirs, b"hello")
    read(ours, message)
    ratchet_key = SignalMessage.parse(message).ratchet_key
    refused(ours, message.replace(ratchet_key, b"\x05" + bytes(32)), MessageMacInvalid)


def test_a_counter_at_the_end_of_a_chain_is_refused():
    ours, theirs = session_pair()
    message = write(ours, b"hello")
    behind_key = 1 + 2 + 33  # version, tag and length, the random ratchet key
    at = message.index(b"\x10" + bytes([SignalMessage.parse(message).counter]), behind_key)
    refused(theirs, message[: at + 1] + b"\xff\xff\xff\xff\x0f" + message[at + 2 :], MessageGapTooLarge)


def test_a_message_of_another_version_is_refused():
    ours, theirs = session_pair()
    message = write(ours, b"hello")
    assert message[0] == 0x44
    refused(theirs, b"\x34" + message[1:], MessageVersionUnsupported)
    refused(theirs, b"\x24" + message[1:], MessageVersionUnsupported)
    refused(theirs, b"\x54" + message[1:], MessageVersionUnsupported)


@given(st.binary(max_size=300))
def test_noise_is_refused_with_a_typed_error(noise):
    refused(NOISE_TARGET, noise, PeerError)
    refused(NOISE_TARGET, b"\x44" + noise, PeerError)


NOISE_TARGET = session_pair()[0]


# ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────────


@mark.parametrize("size", [0, 1, 15, 16, 17, 100, MAX_PLAINTEXT_BYTES])
def test_every_size_of_plaintext_comes_through(size):
    ours, theirs = session_pair()
    pass_on(ours, theirs, b"x" * size)


def test_a_plaintext_above_the_limit_is_refused_and_changes_nothing():
    ours, theirs = session_pair()
    pass_on(theirs, ours, b"turn")
    before = ours.snapshot()
    with raises(MessageTooLong):
        write(ours, b"x" * (MAX_PLAINTEXT_BYTES + 1))
    assert ours.snapshot() == before


def test_no_two_messages_share_a_place_in_a_chain():
    ours, theirs = session_pair()
    places = set()
    for _ in range(5):
        for _ in range(7):
            message = SignalMessage.parse(write(ours, b"x"))
            places.add((message.ratchet_key, message.counter))
        pass_on(ours, theirs, b"x")
        pass_on(theirs, ours, b"turn")
    assert len(places) == 35


def test_our_ratchet_key_is_made_at_the_first_send_after_a_turn():
    ours, theirs = session_pair()
    drawn: list[int] = []

    def random(size: int) -> bytes:
        drawn.append(size)
        return RANDOM(size)

    message = write(theirs, b"turn")
    assert ours.decrypt(message, random) == b"turn"
    assert drawn == []
    ours.encrypt(b"first", random)
    ours.encrypt(b"second", random)
    assert drawn == [32]


def test_a_source_of_randomness_that_ends_early_changes_nothing():
    ours, theirs = session_pair()
    pass_on(theirs, ours, b"turn")
    before = ours.snapshot()
    with raises(KeyMalformed):
        ours.encrypt(b"x", lambda size: RANDOM(size - 1))
    assert ours.snapshot() == before
    pass_on(ours, theirs, b"x")


@mark.parametrize(("count", "expect"), [(1, 0), (2, 1), (5, 4)])
def test_the_previous_counter_is_the_last_index_as_libsignal_writes_it(count, expect):
    ours, theirs = session_pair()
    pass_on(theirs, ours, b"turn")
    for _ in range(count):
        pass_on(ours, theirs, b"x")
    pass_on(theirs, ours, b"turn")
    assert SignalMessage.parse(write(ours, b"x")).previous_counter == expect
