"""Sessions with a real libsignal, both of us in both roles."""

from pytest import mark, raises

from corefast.errors import MessageVersionUnsupported
from corefast.limits import PLAINTEXT_BLOCK_BYTES
from corefast.protocol.keys import KeyPair, verify_signature
from corefast.protocol.message import KIND_PREKEY, KIND_SIGNAL
from corefast.protocol.pin import Pin
from corefast.protocol.session import Session
from corefast.wire.body import Text
from corefast.wire.content import Content, decode_content, encode_content
from tests.protocol.party import RANDOM, Party

from .libsignal import PeerRefused
from .talk import from_peer, inner, started_by_them, started_by_us, talk_in_disorder, to_peer

STARTS = mark.parametrize("start", [started_by_us, started_by_them])


@STARTS
@mark.parametrize("with_one_time", [True, False])
def test_fifty_turns_of_several_messages_are_read_by_both(peer, start, with_one_time):
    session = start(peer, with_one_time)
    for turn in range(50):
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
def test_a_network_that_shuffles_and_loses_is_survived_by_both(peer, start):
    assert talk_in_disorder(start(peer), peer, seed=1) >= 200


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


@STARTS
@mark.parametrize("with_one_time", [True, False])
def test_x3dh_is_spoken_with_a_pinned_peer(x3dh_peer, start, with_one_time):
    session = start(x3dh_peer, with_one_time, Pin.X3DH)
    assert session.version == 3
    for turn in range(50):
        for number in range(turn % 3 + 1):
            to_peer(session, x3dh_peer, b"ours %d.%d" % (turn, number))
        for number in range((turn + 1) % 3 + 1):
            from_peer(session, x3dh_peer, b"theirs %d.%d" % (turn, number))


@STARTS
def test_x3dh_survives_a_network_that_shuffles_and_loses(x3dh_peer, start):
    assert talk_in_disorder(start(x3dh_peer, pin=Pin.X3DH), x3dh_peer, seed=2) >= 200


def test_x3dh_is_refused_from_a_peer_that_is_not_pinned(x3dh_peer):
    party = Party()
    x3dh_peer.start(party.bundle(with_kem=False))
    _, body = x3dh_peer.encrypt(b"first")
    with raises(MessageVersionUnsupported):
        party.accept(body)


def test_a_peer_of_the_time_before_spqr_needs_a_pin_only_to_be_written_to_first(old_peer):
    session = started_by_them(old_peer)
    to_peer(session, old_peer, b"ours")
    from_peer(session, old_peer, b"theirs")
    assert session.version == 4


def test_a_session_without_spqr_is_started_with_a_pinned_peer(old_peer):
    session = started_by_us(old_peer, pin=Pin.WITHOUT_SPQR)
    for _ in range(5):
        from_peer(session, old_peer, b"theirs")
        to_peer(session, old_peer, b"ours")


def test_libsignal_of_today_refuses_a_session_without_spqr(peer):
    if peer.release == "0.90.0":
        assert started_by_us(peer, pin=Pin.WITHOUT_SPQR)
    else:
        with raises(PeerRefused):
            started_by_us(peer, pin=Pin.WITHOUT_SPQR)


@mark.parametrize("body", ["", "hello", "x" * 4_096])
def test_a_padded_content_is_read_by_both(peer, body):
    session = started_by_us(peer)
    content = Content(bytes(16), 1_800_000_000_000, Text(body), "Ada")
    plaintext = encode_content(content)
    assert len(plaintext) % PLAINTEXT_BLOCK_BYTES == 0
    to_peer(session, peer, plaintext)
    kind, answer = peer.encrypt(plaintext)
    assert decode_content(session.decrypt(inner(kind, answer), RANDOM)) == content
