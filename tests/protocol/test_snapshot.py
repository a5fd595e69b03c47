"""A session as bytes and back, at any point of its life."""

import pickle

from hypothesis import given
from hypothesis import strategies as st
from pytest import raises

from corefast.errors import SnapshotInvalid
from corefast.protocol.keys import KeyPair
from corefast.protocol.message import SignalMessage
from corefast.protocol.session import Session

from .party import RANDOM, Party, pass_on, read, session_pair, started, write


def test_a_restored_session_goes_on_where_it_was():
    for ours, theirs in (started(), session_pair()):
        skipped = write(theirs, b"skipped")
        pass_on(theirs, ours, b"ahead")
        ours, theirs = Session.restore(ours.snapshot()), Session.restore(theirs.snapshot())
        assert read(ours, skipped) == b"skipped"
        pass_on(ours, theirs, b"on")
        pass_on(theirs, ours, b"and on")


def test_a_session_that_was_never_answered_is_restored_with_its_start():
    alice, bob = Party(), Party()
    ours = alice.initiate(bob.bundle())
    ours = Session.restore(ours.snapshot())
    message = write(ours, b"hello")
    ours = Session.restore(ours.snapshot())
    theirs, plaintext = bob.accept(message)
    assert plaintext == b"hello"
    pass_on(theirs, ours, b"answer")


def test_a_plain_snapshot_is_small_and_stable():
    ours, theirs = session_pair()
    for _ in range(10):
        pass_on(ours, theirs, b"x")
        pass_on(theirs, ours, b"x")
    snapshot = ours.snapshot()
    assert len(snapshot) <= 700
    assert Session.restore(snapshot).snapshot() == snapshot


def test_a_cut_or_longer_snapshot_is_refused():
    ours, theirs = session_pair()
    write(theirs, b"lost")
    pass_on(theirs, ours, b"x")
    snapshot = ours.snapshot()
    for size in range(len(snapshot)):
        with raises(SnapshotInvalid):
            Session.restore(snapshot[:size])
    with raises(SnapshotInvalid):
        Session.restore(snapshot + b"\0")


def test_a_snapshot_with_skipped_keys_out_of_order_is_refused():
    ours, theirs = session_pair()
    messages = [write(ours, b"x") for _ in range(3)]
    last = SignalMessage.parse(messages[2])
    read(theirs, messages[2])
    snapshot = theirs.snapshot()
    # At its end two seeds of the last chain, then two salts.
    salts = len(snapshot) - (2 + 2 * 36)
    for end, reached in ((salts, last.counter + 1), (len(snapshot), last.pq_ratchet[2])):
        assert snapshot[end - 36 : end - 32] == (reached - 2 + (end != salts)).to_bytes(4, "big")
        for place, index in ((36, reached - 3), (36, reached), (72, reached - 1), (72, reached + 5)):
            broken = bytearray(snapshot)
            broken[end - place : end - place + 4] = index.to_bytes(4, "big")
            with raises(SnapshotInvalid):
                Session.restore(bytes(broken))


@given(st.binary(max_size=900))
def test_noise_is_no_snapshot(noise):
    with raises(SnapshotInvalid):
        Session.restore(noise)
    with raises(SnapshotInvalid):
        Session.restore(b"\1\4" + noise)
    with raises(SnapshotInvalid):
        Session.restore(b"\2\4" + noise)
    with raises(SnapshotInvalid):
        Session.restore(b"\3\4" + noise)


def test_a_session_shows_and_pickles_no_secret():
    ours, _ = session_pair()
    with raises(TypeError):
        pickle.dumps(ours)
    with raises(TypeError):
        pickle.dumps(KeyPair.generate(RANDOM))
    assert not hasattr(ours, "__dict__")
