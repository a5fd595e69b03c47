"""Sessions of version 3: only with a peer that the operator pinned to them."""

from msgspec.structs import replace
from pytest import mark, raises

from corefast.errors import BundleDowngraded, BundleInvalid, MessageVersionUnsupported, PreKeyUnknown
from corefast.protocol.message import PreKeySignalMessage, SignalMessage
from corefast.protocol.pin import Pin
from corefast.protocol.session import Session

from .party import RANDOM, Party, pass_on, read, session_pair, write


def x3dh_pair() -> tuple[Session, Session]:
    alice, bob = Party(), Party()
    ours = alice.initiate(bob.bundle(with_kem=False), Pin.X3DH)
    theirs, _ = bob.accept(write(ours, b"first"), pin=Pin.X3DH)
    pass_on(theirs, ours, b"answer")
    return ours, theirs


@mark.parametrize("with_one_time", [True, False])
def test_two_that_are_pinned_talk_in_version_3(with_one_time):
    alice, bob = Party(), Party()
    ours = alice.initiate(bob.bundle(with_one_time, with_kem=False), Pin.X3DH)
    message = write(ours, b"first")
    parsed = PreKeySignalMessage.parse(message)
    inner = SignalMessage.parse(parsed.message)
    assert (parsed.version, parsed.kem_id, parsed.kem_ciphertext) == (3, None, None)
    assert (inner.version, inner.pq_ratchet) == (3, b"")
    theirs, plaintext = bob.accept(message, with_one_time, Pin.X3DH)
    assert plaintext == b"first"
    for _ in range(3):
        ours, theirs = Session.restore(ours.snapshot()), Session.restore(theirs.snapshot())
        pass_on(theirs, ours, b"answer")
        pass_on(ours, theirs, b"go on")
    assert ours.version == theirs.version == 3


@mark.parametrize("pin", [Pin.NONE, Pin.WITHOUT_SPQR])
def test_a_bundle_stripped_of_its_kem_key_is_refused_as_a_downgrade(pin):
    alice, bob = Party(), Party()
    stripped = bob.bundle(with_kem=False)
    for bundle in (stripped, replace(bob.bundle(), kem_public=b""), replace(bob.bundle(), kem_signature=None)):
        with raises(BundleDowngraded):
            alice.initiate(bundle, pin)


def test_a_first_message_of_version_3_is_refused_from_a_peer_that_is_not_pinned():
    alice, bob = Party(), Party()
    message = write(alice.initiate(bob.bundle(), Pin.X3DH), b"first")
    for pin in (Pin.NONE, Pin.WITHOUT_SPQR):
        with raises(MessageVersionUnsupported):
            bob.accept(message, pin=pin)
    with raises(PreKeyUnknown):
        bob.accept(message, False, Pin.X3DH)
    assert bob.accept(message, pin=Pin.X3DH)[1] == b"first"


def test_a_pinned_peer_may_start_a_session_of_version_4():
    alice, bob = Party(), Party()
    theirs, _ = bob.accept(write(alice.initiate(bob.bundle()), b"first"), pin=Pin.X3DH)
    assert theirs.version == 4


def test_a_message_relabelled_to_another_version_is_refused():
    for (ours, theirs), label in ((x3dh_pair(), b"\x44"), (session_pair(), b"\x34")):
        message = write(ours, b"x")
        before = theirs.snapshot()
        with raises(MessageVersionUnsupported):
            read(theirs, label + message[1:])
        assert theirs.snapshot() == before
        assert read(theirs, message) == b"x"


def test_a_bundle_for_x3dh_is_still_verified():
    alice, bob = Party(), Party()
    bundle = bob.bundle(with_kem=False)
    other = bob.identity.sign(bob.one_time.public, RANDOM)
    for broken in (replace(bundle, signed_signature=other), replace(bundle, signed_public=b"\x05")):
        with raises(BundleInvalid):
            alice.initiate(broken, Pin.X3DH)


def test_without_spqr_is_pqxdh_without_the_field():
    alice, bob = Party(), Party()
    ours = alice.initiate(bob.bundle(), Pin.WITHOUT_SPQR)
    message = write(ours, b"first")
    theirs, _ = bob.accept(message)
    answer = write(theirs, b"answer")
    assert read(ours, answer) == b"answer"
    inner = PreKeySignalMessage.parse(message).message
    assert [SignalMessage.parse(each).pq_ratchet for each in (inner, answer)] == [b"", b""]
    assert ours.version == theirs.version == 4
