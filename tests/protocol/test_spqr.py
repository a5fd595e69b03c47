"""The field of the post-quantum ratchet: what we write, what we read, what we refuse."""

import json
from pathlib import Path

from pytest import mark, raises

from corefast.errors import (
    MessageGapTooLarge,
    MessageMacInvalid,
    MessageMalformed,
    MessageReplayed,
    MessageVersionUnsupported,
    PeerError,
)
from corefast.limits import MAX_MESSAGE_GAP
from corefast.protocol.message import PreKeySignalMessage, SignalMessage
from corefast.protocol.session import Session

from .party import Party, pass_on, read, session_pair, started, write
from .reference import varint


def pq_field(message: bytes) -> bytes:
    return SignalMessage.parse(message).pq_ratchet


def with_field(message: bytes, field: bytes) -> bytes:
    """Return *message* with another field; its MAC is then wrong."""
    whole = b"\x2a" + varint(len(pq_field(message))) + pq_field(message)
    assert message[:-8].endswith(whole)
    return message[: -8 - len(whole)] + (b"\x2a" + varint(len(field)) + field if field else b"") + message[-8:]


def refused(session: Session, message: bytes, error: type[PeerError]) -> None:
    before = session.snapshot()
    with raises(error):
        read(session, message)
    assert session.snapshot() == before


def test_each_direction_counts_its_messages_through_all_turns():
    alice, bob = Party(), Party()
    ours = alice.initiate(bob.bundle())
    first = PreKeySignalMessage.parse(write(ours, b"first")).message
    assert pq_field(first) == b"\x01\x01\x01\x00"
    theirs, _ = bob.accept(write(ours, b"second"))
    for number in range(1, 5):
        answer = write(theirs, b"answer")
        assert pq_field(answer) == b"\x01\x01" + varint(number) + b"\x00"
        read(ours, answer)
        message = write(ours, b"go on")
        assert pq_field(message) == b"\x01\x01" + varint(number + 2) + b"\x00"
        read(theirs, message)


def test_an_index_beyond_one_byte_is_read():
    ours, theirs = session_pair()
    for _ in range(300):
        pass_on(ours, theirs, b"x")
    assert pq_field(write(ours, b"x"))[2:4] == varint(303)


def test_messages_of_older_turns_are_read_in_any_order():
    ours, theirs = session_pair()
    late = []
    for turn in range(4):
        late += [(b"%d" % turn, write(ours, b"%d" % turn)) for _ in range(3)]
        pass_on(ours, theirs, b"turn")
        pass_on(theirs, ours, b"turn")
    theirs = Session.restore(theirs.snapshot())
    for text, message in reversed(late):
        assert read(theirs, message) == text
        refused(theirs, message, MessageReplayed)


@mark.parametrize("start", [started, session_pair])
def test_a_message_without_the_field_is_refused_where_it_was_agreed(start):
    ours, theirs = start()
    refused(
        theirs,
        with_field(
            PreKeySignalMessage.parse(write(ours, b"x")).message if start is started else write(ours, b"x"), b""
        ),
        MessageVersionUnsupported,
    )
    refused(ours, with_field(write(theirs, b"x"), b""), MessageVersionUnsupported)


@mark.parametrize(
    ("field", "error"),
    [
        (b"\0\1\1\0", MessageVersionUnsupported),  # version 0 has no field
        (b"\1", MessageMalformed),
        (b"\1\1", MessageMalformed),
        (b"\1\1\7", MessageMalformed),
        (b"\1\1" + b"\xff" * 11, MessageMalformed),
        (b"\1\1\xff\xff\xff\xff\x0f\0", MessageMalformed),  # the last index
        (b"\1\1\xff\xff\xff\xff\xff\1\0", MessageMalformed),
        (b"\1\1\7\7", MessageMalformed),  # a type that does not exist
        (b"\1\1\7\1\1" + bytes(31), MessageMalformed),  # half a chunk
        (b"\1\1\7\5", MessageMalformed),
        (b"\1\0\7\0", MessageVersionUnsupported),
        (b"\1\2\7\0", MessageVersionUnsupported),  # an epoch nobody agreed on
        (b"\1\1\1\0", MessageMacInvalid),  # used up by another message
        (b"\1\1" + varint(MAX_MESSAGE_GAP + 4) + b"\0", MessageGapTooLarge),
        (b"\1\1" + varint(MAX_MESSAGE_GAP + 3) + b"\0", MessageMacInvalid),
        (b"\1\1\0\0", MessageMacInvalid),  # not keyed
        (b"\2\1\7\0", MessageMacInvalid),  # a version to come
        (b"\1\1\3\1\1" + bytes(32), MessageMacInvalid),
        (b"\1\1\3\4behind", MessageMacInvalid),
    ],
)
def test_a_changed_field_is_refused_and_the_session_unchanged(field, error):
    ours, theirs = session_pair()
    message = write(ours, b"x")
    assert pq_field(message) == b"\1\1\3\0"
    refused(theirs, with_field(message, field), error)
    assert read(theirs, message) == b"x"


def test_a_session_of_the_time_before_goes_on_without_the_field():
    recorded = Path(__file__).parent.parent / "vectors" / "session" / "format_1.json"
    session = Session.restore(bytes.fromhex(json.loads(recorded.read_text())["answered"]["snapshot"]))
    assert pq_field(write(session, b"on")) == b""
    assert pq_field(write(Session.restore(session.snapshot()), b"on")) == b""
