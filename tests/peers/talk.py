"""What a talk with a foreign device consists of, whoever it is and whoever starts."""

from random import Random
from typing import Protocol

from corefast.protocol.bundle import PreKeyBundle
from corefast.protocol.message import KIND_PREKEY, KIND_SIGNAL, PreKeySignalMessage
from corefast.protocol.pin import Pin
from corefast.protocol.session import Session
from tests.protocol.party import RANDOM, Party


class Device(Protocol):
    """A foreign device with one session."""

    def bundle(self, with_one_time: bool = True, with_kem: bool = True) -> PreKeyBundle: ...
    def start(self, bundle: PreKeyBundle) -> None: ...
    def encrypt(self, plaintext: bytes) -> tuple[int, bytes]: ...
    def decrypt(self, kind: int, body: bytes) -> bytes: ...


def started_by_us(peer: Device, with_one_time: bool = True, pin: Pin = Pin.NONE) -> Session:
    session = Party().initiate(peer.bundle(with_one_time, with_kem=pin is not Pin.X3DH), pin)
    assert peer.decrypt(*session.encrypt(b"first", RANDOM)) == b"first"
    return session


def started_by_them(peer: Device, with_one_time: bool = True, pin: Pin = Pin.NONE) -> Session:
    party = Party()
    peer.start(party.bundle(with_one_time, with_kem=pin is not Pin.X3DH))
    kind, body = peer.encrypt(b"first")
    assert kind == KIND_PREKEY
    session, plaintext = party.accept(body, pin=pin)
    assert plaintext == b"first"
    return session


def to_peer(session: Session, peer: Device, plaintext: bytes) -> int:
    kind, body = session.encrypt(plaintext, RANDOM)
    assert peer.decrypt(kind, body) == plaintext
    return kind


def from_peer(session: Session, peer: Device, plaintext: bytes) -> int:
    kind, body = peer.encrypt(plaintext)
    assert session.decrypt(inner(kind, body), RANDOM) == plaintext
    return kind


def inner(kind: int, body: bytes) -> bytes:
    return PreKeySignalMessage.parse(body).message if kind == KIND_PREKEY else body


def talk_in_disorder(session: Session, peer: Device, seed: int) -> int:
    """Write both ways over a network that delays, shuffles and loses; return how many messages were read.

    Late messages come up to three turns later, and the session goes through its snapshot at every turn.
    """
    dice = Random(seed)
    late: list[tuple[int, bool, bytes, tuple[int, bytes]]] = []
    read = 0
    for turn in range(25):
        late = [message for message in late if message[0] > turn - 4]
        for is_ours in (True, False):
            texts = [b"%d.%d.%d" % (turn, is_ours, number) for number in range(dice.randint(2, 9))]
            sent = [(turn, is_ours, t, session.encrypt(t, RANDOM) if is_ours else peer.encrypt(t)) for t in texts]
            last = sent.pop()
            dice.shuffle(sent)
            held = len(sent) // 3
            arriving = [last, *sent[held:], *(late.pop(dice.randrange(len(late))) for _ in range(len(late) // 2))]
            late += [message for message in sent[:held] if dice.random() < 0.7]
            for _, to_them, text, message in arriving:
                assert (peer.decrypt(*message) if to_them else session.decrypt(inner(*message), RANDOM)) == text
            read += len(arriving)
            session = Session.restore(session.snapshot())
    assert session.encrypt(b"end", RANDOM)[0] == KIND_SIGNAL
    return read
