"""Messages as a mailbox brings them: from anybody, and from who holds the right keys and keeps no rule.

A right MAC over a wrong body is what only the other side of a session can make; the keys come
from the plain model of `tests.protocol`, whose session with us is as old as this process.
"""

from collections.abc import Callable
from functools import cache

from corefast.endpoint.cipher import Correspondent
from corefast.errors import MessageReplayed, PeerError
from corefast.protocol.message import PreKeySignalMessage, SignalMessage
from corefast.protocol.session import Session
from tests.protocol.attacker import attacker, victim
from tests.protocol.model_wire import Prekey, Refused, Signal, write_pq
from tests.protocol.stored import Rows, state_of

from .fixed import Draw, messages_of, snapshot_of

STATES = ["waiting", "answered"]
PARSE, RECORDED, SEALED, FIRST, FIRST_SEALED = range(5)


@cache
def _begun() -> Rows:
    """What is stored of the attacker's session behind its first message."""
    them = Correspondent.new()
    them.decrypt(victim(), 3, attacker().first(), Draw(b"us"))
    rows = Rows()
    rows.save(them)
    return rows


def seeds() -> list[bytes]:
    body = attacker().body
    bodies = [body(counter, write_pq(index)) for counter, index in ((0, 1), (1, 2), (2, 2), (50, 60))]
    bodies += [body(1, write_pq(2), bytes(16)), body(1, write_pq(2), b""), body(1, b"\x02\x01"), body(0, b"\x02")]
    bodies += [body(1, b"\x01\x01\x02\x01\x05" + bytes(32)), body(1, b"\x01\x01\x02\x04")]
    recorded = [(place, message) for place, state in enumerate(STATES) for message in messages_of(state)]
    first = attacker().first()
    return [
        *(bytes([PARSE, 0]) + message for _, message in recorded),
        bytes([PARSE, 1]) + first,
        *(bytes([RECORDED, place]) + message for place, message in recorded),
        *(bytes([SEALED, 0]) + body for body in bodies),
        bytes([FIRST, 0]) + first,
        *(bytes([FIRST_SEALED, 0]) + body for body in bodies),
    ]


def run(data: bytes) -> None:
    if len(data) > 2:
        _TARGETS[data[0] % len(_TARGETS)](data[2:], data[1])


def _parse(message: bytes, choice: int) -> None:
    """Both readers of protobuf, ours and the model's, take and refuse the same."""
    try:
        ours = PreKeySignalMessage.parse(message) if choice % 2 else SignalMessage.parse(message)
    except PeerError:
        ours = None
    try:
        theirs = Prekey.parse(message) if choice % 2 else Signal.parse(message)
    except Refused:
        # The model knows no first messages without a KEM, and minds the type of a field that we never look at.
        assert ours is None or choice % 2
        return
    assert ours is not None
    if isinstance(ours, SignalMessage) and isinstance(theirs, Signal):
        assert (ours.ratchet_key, ours.counter) == (theirs.ratchet, theirs.counter)
        assert (ours.ciphertext, ours.pq_ratchet) == (theirs.ciphertext, theirs.pq)
    elif isinstance(theirs, Prekey):
        assert (ours.base_key, ours.identity, ours.message) == (theirs.base, theirs.identity, theirs.message)


def _recorded(message: bytes, choice: int) -> None:
    _read(Session.restore(snapshot_of(STATES[choice % len(STATES)])), message)


def _sealed(body: bytes, _: int) -> None:
    message = attacker().seal(body)
    if message is not None:
        _open(_begun().load(), 2, message)


def _first(message: bytes, _: int) -> None:
    _open(Correspondent.new(), 3, message)


def _first_sealed(body: bytes, _: int) -> None:
    message = attacker().seal(body)
    if message is not None:
        _open(Correspondent.new(), 3, attacker().first(message))


def _read(session: Session, message: bytes) -> None:
    """A message is read once; whatever else comes of it changes nothing."""
    before = session.snapshot()
    try:
        session.decrypt(message, Draw(b"us"))
    except PeerError:
        assert session.snapshot() == before
        return
    after = session.snapshot()
    assert after != before
    try:
        session.decrypt(message, Draw(b"us"))
    except MessageReplayed:
        assert session.snapshot() == after
    else:
        raise AssertionError("a message was read twice")


def _open(them: Correspondent, kind: int, message: bytes) -> None:
    before = state_of(them)
    try:
        them.decrypt(victim(), kind, message, Draw(b"us"))
    except PeerError:
        assert state_of(them) == before
        return
    after = state_of(them)
    try:
        them.decrypt(victim(), kind, message, Draw(b"us"))
    except PeerError:
        assert state_of(them) == after
    else:
        raise AssertionError("a message was read twice")


_TARGETS: list[Callable[[bytes, int], None]] = [_parse, _recorded, _sealed, _first, _first_sealed]
