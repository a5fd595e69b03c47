"""Sessions with a real libsignal, both of us in both roles."""

from random import Random

from pytest import mark, raises

from corefast.protocol.keys import KeyPair, verify_signature
from corefast.protocol.message import KIND_PREKEY, KIND_SIGNAL, PreKeySignalMessage
from corefast.protocol.session import Session
from tests.protocol.party import RANDOM, Party

from .libsignal import LibsignalDevice, PeerRefused


def started_by_us(peer: LibsignalDevice, with_one_time: bool = True) -> Session:
    session = Party().initiate(peer.bundle(with_one_time))
    assert peer.decrypt(*session.encrypt(b"first", RANDOM)) == b"first"
    return session


def started_by_them(peer: LibsignalDevice, with_one_time: bool = True) -> Session:
    party = Party()
    peer.start(party.bundle(with_one_time))
    kind, body = peer.encrypt(b"first")
    assert kind == KIND_PREKEY
    session, plaintext = party.accept(body)
    assert plaintext == b"first"
    return session


def to_peer(session: Session, peer: LibsignalDevice, plaintext: bytes) -> int:
    kind, body = session.encrypt(plaintext, RANDOM)
    assert peer.decrypt(kind, body) == plaintext
    return kind


def from_peer(session: Session, peer: LibsignalDevice, plaintext: bytes) -> int:
    kind, body = peer.encrypt(plaintext)
    inner = PreKeySignalMessage.parse(body).message if kind == KIND_PREKEY else body
    assert session.decrypt(inner, RANDOM) == plaintext
    return kind


STARTS = mark.parametrize("start", [started_by_us, started_by_them])


@STARTS
@mark.parametrize("with_one_time", [True, False])
def test_forty_turns_of_several_messages_are_read_by_both(peer, start, with_one_time):
    session = start(peer, with_one_time)
    for turn in range(40):
        for number in range(turn % 3 + 1):
            to_peer(session, peer, b"ours %d.%d" % (turn, number))
        for number in range((turn + 1) % 3 + 1):
            from_peer(session, peer, b"theirs %d.%d" % (turn, number))


@STARTS
def test_the_start_is_repeated_until_the_first_answer(peer, start):
    session = start(peer)
    if start is started_by_us:
        assert to_peer(session, peer, b"second") == KIND_PREKEY
        assert from_peer(session, peer, b"answer") == KIND_SIGNAL
        assert to_peer(session, peer, b"third") == KIND_SIGNAL
    else:
        assert from_peer(session, peer, b"second") == KIND_PREKEY
        assert to_peer(session, peer, b"answer") == KIND_SIGNAL
        assert from_peer(session, peer, b"third") == KIND_SIGNAL


@STARTS
def test_messages_out_of_order_are_read_by_both(peer, start):
    session = start(peer)
    shuffle = Random(1).shuffle
    for _ in range(4):
        ours = [session.encrypt(b"%d" % number, RANDOM) for number in range(20)]
        theirs = [peer.encrypt(b"%d" % number) for number in range(20)]
        late_ours, late_theirs = ours.pop(3), theirs.pop(3)
        shuffle(ours)
        shuffle(theirs)
        assert {peer.decrypt(*message) for message in ours} == {b"%d" % n for n in range(20) if n != 3}
        bodies = [PreKeySignalMessage.parse(body).message if kind == KIND_PREKEY else body for kind, body in theirs]
        assert {session.decrypt(body, RANDOM) for body in bodies} == {b"%d" % n for n in range(20) if n != 3}
        from_peer(session, peer, b"turn")
        to_peer(session, peer, b"turn")
        assert peer.decrypt(*late_ours) == b"3"
        kind, body = late_theirs
        assert session.decrypt(PreKeySignalMessage.parse(body).message if kind == KIND_PREKEY else body, RANDOM) == b"3"


@STARTS
def test_a_session_survives_its_snapshot_at_every_step(peer, start):
    session = start(peer)
    for _ in range(10):
        session = Session.restore(session.snapshot())
        to_peer(session, peer, b"ours")
        session = Session.restore(session.snapshot())
        from_peer(session, peer, b"theirs")


def test_libsignal_refuses_what_we_changed_or_repeat(peer):
    session = started_by_us(peer)
    from_peer(session, peer, b"answer")
    kind, body = session.encrypt(b"once", RANDOM)
    with raises(PeerRefused):
        peer.decrypt(kind, body[:-1] + bytes([body[-1] ^ 1]))
    assert peer.decrypt(kind, body) == b"once"
    with raises(PeerRefused, match="Duplicated"):
        peer.decrypt(kind, body)


@mark.parametrize("size", [0, 1, 15, 16, 17, 160, 4_096, 65_536])
def test_every_size_of_plaintext_is_read_by_both(peer, size):
    session = started_by_us(peer)
    from_peer(session, peer, b"y" * size)
    to_peer(session, peer, b"x" * size)


def test_signatures_are_verified_by_both(peer):
    for number in range(20):
        message = b"message %d" % number
        ours = KeyPair.generate(RANDOM)
        assert peer.verifies(ours.public, message, ours.sign(message, RANDOM))
        identity, signature = peer.sign(message)
        verify_signature(identity, message, signature)
