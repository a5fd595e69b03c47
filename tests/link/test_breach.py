"""A peer with the right keys that breaks the protocol: a typed end, told to it, and nothing else."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corefast.errors import (
    CiphertextInvalid,
    CorefastError,
    CreditExceeded,
    FrameMalformed,
    FrameTooLarge,
    MessageUndecodable,
    NonceExhausted,
    PeerOutOfTurn,
)
from corefast.limits import MAX_MESSAGE_BYTES, MAX_OPEN_CALLS
from corefast.link.events import Answered, Closed, Received
from corefast.link.link import Link
from corefast.link.secure import Secured, initiator_psk, responder_psk
from corefast.wire.refusal import decode_refusal

from .pair import Ask, Note, codec, ik_links, move, open_links
from .rogue import SECRET, Rogue

ONE_WAY, CALL, ANSWER, FAILURE, CREDIT, PING, PONG, CLOSE = range(1, 9)
MORE = 0x80
NOTE = codec.encode(Note(b"note"))


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([(ONE_WAY, 1, NOTE)], FrameMalformed),
        ([(CALL, 0, NOTE)], FrameMalformed),
        ([(ONE_WAY, 0, b"")], MessageUndecodable),
        ([(ONE_WAY, 0, b"\xc1")], MessageUndecodable),
        ([(ONE_WAY, 0, b"\x91" * 60_000)], MessageUndecodable),
        ([(CALL, 5, NOTE), (CALL, 5, NOTE)], PeerOutOfTurn),
        ([(ANSWER, 1, NOTE)], PeerOutOfTurn),
        ([(FAILURE, 1, b"\x91\xa1x")], PeerOutOfTurn),
        ([(CREDIT, 0, b"")], FrameMalformed),
        ([(CREDIT, 0, u32(0))], FrameMalformed),
        ([(CREDIT, 0, u32(2**32 - 1))], FrameMalformed),
        ([(CREDIT, 0, u32(1 << 29)), (CREDIT, 0, u32(1 << 29))], FrameMalformed),
        ([(CREDIT, 1, u32(9))], FrameMalformed),
        ([(CREDIT | MORE, 0, u32(9))], FrameMalformed),
        ([(PING, 0, b"x")], FrameMalformed),
        ([(PONG, 0, b"x")], FrameMalformed),
        ([(PING | MORE, 0, b"")], FrameMalformed),
        ([(CLOSE, 0, b"x")], FrameMalformed),
        ([(ONE_WAY | MORE, 0, b"")], FrameMalformed),
        ([(ONE_WAY | MORE, 0, NOTE), (ONE_WAY, 0, b"")], FrameMalformed),
        ([(ONE_WAY | MORE, 0, NOTE), (CALL, 1, NOTE)], FrameMalformed),
        ([(CALL | MORE, 1, NOTE), (CALL, 2, NOTE)], FrameMalformed),
        ([(FAILURE | MORE, 1, NOTE)], FrameMalformed),
    ],
)
def test_breach_ends_the_link_with_its_error(rows, error):
    rogue, link = Rogue.opened()
    closed = rogue.say(link, *rows)[-1]
    assert type(closed.error) is error
    assert not link.is_open
    ((kind, _, _, payload),) = [row for row in rogue.hear(link) if row[0] == CLOSE]
    assert decode_refusal(payload).code == error.code


@pytest.mark.parametrize("plaintext", [b"\x01", bytes(7), b"\x09" + bytes(6), b"\x01\x00\x00\x00\x00\x00\x05four"])
def test_malformed_plaintext_ends_the_link(plaintext):
    rogue, link = Rogue.opened()
    (closed,) = link.receive_data(rogue.seal(plaintext), 0)
    assert isinstance(closed.error, FrameMalformed)


def test_frame_without_a_record_is_malformed():
    rogue, link = Rogue.opened()
    (closed,) = link.receive_data(rogue.seal(b""), 0)
    assert isinstance(closed.error, FrameMalformed)


def test_what_came_before_the_breach_is_still_heard():
    rogue, link = Rogue.opened()
    first, closed = rogue.say(link, (ONE_WAY, 0, NOTE), (ANSWER, 9, NOTE), (ONE_WAY, 0, NOTE))
    assert first == Received(Note(b"note"), 0)
    assert isinstance(closed.error, PeerOutOfTurn)


def test_message_that_never_ends_is_cut_at_the_largest_size():
    rogue, link = Rogue.opened()
    link.call(Ask(b""), "context")
    part = bytes(60_000)
    for _ in range(17):
        assert rogue.say(link, (ANSWER | MORE, 1, part)) == []
    (closed,) = rogue.say(link, (ANSWER | MORE, 1, part))
    assert isinstance(closed.error, FrameTooLarge)


def test_fragments_are_charged_as_they_come():
    rogue, link = Rogue.opened(window_bytes=2 * MAX_MESSAGE_BYTES)
    body = codec.encode(Note(bytes(900_000)))
    parts = [body[start : start + 60_000] for start in range(0, len(body), 60_000)]
    for call in (1, 2):
        for part in parts[:-1]:
            assert rogue.say(link, (CALL | MORE, call, part)) == []
        assert len(rogue.say(link, (CALL, call, parts[-1]))) == 1
    heard = [event for part in parts for event in rogue.say(link, (CALL | MORE, 3, part))]
    assert isinstance(heard[-1].error, CreditExceeded)


def test_too_many_calls_are_cut():
    rogue, link = Rogue.opened()
    heard = []
    for start in range(1, MAX_OPEN_CALLS + 2, 1_000):
        rows = [(CALL, call, NOTE) for call in range(start, min(start + 1_000, MAX_OPEN_CALLS + 2))]
        heard = rogue.say(link, *rows)
    assert isinstance(heard[-1].error, CreditExceeded)


def test_a_flood_of_pings_makes_one_pong():
    rogue, link = Rogue.opened()
    for _ in range(100):
        rogue.say(link, *[(PING, 0, b"")] * 100)
    assert rogue.hear(link) == [(PONG, False, 0, b"")]
    rogue.say(link, (PING, 0, b""))
    assert rogue.hear(link) == [(PONG, False, 0, b"")]


def test_failure_without_a_code_is_malformed():
    rogue, link = Rogue.opened()
    call = link.call(Ask(b""), "context")
    (closed,) = rogue.say(link, (FAILURE, call, b"\x90"))
    assert isinstance(closed.error, FrameMalformed)


def test_answer_comes_once():
    rogue, link = Rogue.opened()
    call = link.call(Ask(b""), "context")
    answered, closed = rogue.say(link, (ANSWER, call, NOTE), (ANSWER, call, NOTE))
    assert answered == Answered("context", Note(b"note"))
    assert isinstance(closed.error, PeerOutOfTurn)


# ── the stream ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_replayed_frame_ends_the_link():
    one, two = open_links()
    one.notify(Note(b"once"))
    (data,) = one.data_to_send()
    assert len(two.receive_data(data, 0)) == 1
    (closed,) = two.receive_data(data, 0)
    assert isinstance(closed.error, CiphertextInvalid)


def test_swapped_and_reflected_frames_end_the_link():
    one, two = open_links()
    one.notify(Note(b"1"))
    first = one.data_to_send()
    one.notify(Note(b"2"))
    (closed,) = [event for data in one.data_to_send() + first for event in two.receive_data(data, 0)]
    assert isinstance(closed.error, CiphertextInvalid)
    one, two = open_links()
    one.notify(Note(b"1"))
    (closed,) = [event for data in one.data_to_send() for event in one.receive_data(data, 0)]
    assert isinstance(closed.error, CiphertextInvalid)


def test_every_changed_byte_ends_the_link_or_waits_for_more():
    one, two = open_links()
    one.notify(Note(b"body"))
    (data,) = one.data_to_send()
    for index in range(2, len(data)):
        _, target = Rogue.opened()
        changed = data[:index] + bytes([data[index] ^ 0x40]) + data[index + 1 :]
        events = target.receive_data(changed, 0)
        assert not any(isinstance(event, Received) for event in events)
    assert len(two.receive_data(data, 0)) == 1


def test_oversize_length_ends_the_link():
    _, link = Rogue.opened()
    (closed,) = link.receive_data(b"\xff\xff\xff", 0)
    assert isinstance(closed.error, FrameTooLarge)


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_after_the_handshake_are_a_typed_end_or_silence(data):
    _, link = Rogue.opened()
    for event in link.receive_data(data, 0):
        assert isinstance(event, Closed) and isinstance(event.error, CorefastError)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_before_the_handshake_are_a_typed_end_or_silence(data, versioned):
    for link in ik_links():
        for event in link.receive_data(b"\x01" * versioned + data, 0):
            assert isinstance(event, Closed) and isinstance(event.error, CorefastError)


rows = st.tuples(
    st.sampled_from([*range(1, 9), *(kind | MORE for kind in range(1, 9))]),
    st.sampled_from([0, 1, 2, 2**32 - 1]),
    st.one_of(st.just(NOTE), st.just(u32(1_000)), st.just(b""), st.binary(max_size=30)),
)


@settings(max_examples=300)
@given(st.lists(rows, max_size=8))
def test_any_records_are_heard_or_a_typed_end(plan):
    rogue, link = Rogue.opened()
    link.call(Ask(b"open"), "context")
    for event in rogue.say(link, *plan) if plan else []:
        assert isinstance(event, Received | Answered | Closed)
        assert not isinstance(event, Closed) or event.error is None or isinstance(event.error, CorefastError)


class SpentHandshake:
    """A responder's handshake whose sending key has one use left."""

    is_initiator = False

    def __init__(self) -> None:
        self._handshake = responder_psk([SECRET])(os.urandom)

    def receive(self, message: bytes) -> tuple[bytes, Secured]:
        reply, secured = self._handshake.receive(message)
        secured.sending.set_nonce(2**64 - 2)
        return reply, secured


def test_used_up_nonce_closes_the_link():
    link = Link(SpentHandshake(), codec, 0)
    other = Link(initiator_psk(SECRET)(os.urandom), codec, 0)
    move(other, link)
    version, answer, _last_frame = link.data_to_send()
    other.receive_data(version + answer, 0)
    move(other, link)
    assert link.is_open
    link.notify(Note(b"one too many"))
    assert link.data_to_send() == []
    (closed,) = link.tick(0)
    assert isinstance(closed.error, NonceExhausted)
    assert link.data_to_send() == []
