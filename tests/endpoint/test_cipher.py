"""Sessions between two endpoints: how they start, meet, survive and refuse."""

import os
from random import Random

import msgspec
import pytest
from pytest import raises

from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.fanout import bundle_of, fan_out
from corefast.endpoint.trust import Trust, check_identity
from corefast.endpoint.vault import SEAL_OVERHEAD
from corefast.errors import (
    BundleDowngraded,
    BundleInvalid,
    ContentMalformed,
    MessageReplayed,
    MessageVersionUnsupported,
    PeerError,
    PreKeyUnknown,
    SessionMissing,
    SnapshotInvalid,
)
from corefast.limits import MAX_ARCHIVED_SESSIONS
from corefast.protocol.pin import Pin
from corefast.wire.body import Text
from corefast.wire.content import Content, encode_content
from corefast.wire.messages import Kind
from tests.endpoint.pair import End, talking_pair


def test_a_session_starts_from_a_bundle_and_works_in_both_directions():
    alice, bob = End(), End()
    alice.start(bob)
    first = alice.encrypt(b"one")
    assert first[0] == Kind.PREKEY
    opened = bob.open(first)
    assert opened.plaintext == b"one"
    assert opened.used_one_time == bob.upload.one_time[0].id
    assert opened.used_one_time_kem == bob.upload.one_time_kem[0].id
    answer = bob.encrypt(b"two")
    assert answer[0] == Kind.WHISPER
    assert alice.decrypt(answer) == b"two"
    assert alice.encrypt(b"three")[0] == Kind.WHISPER
    assert alice.them.their_identity == bob.own.identity.public
    assert bob.them.their_identity == alice.own.identity.public


def test_a_bundle_without_one_time_prekeys_uses_the_last_resort():
    alice, bob = End(), End()
    alice.start(bob, with_one_time=False)
    opened = bob.open(alice.encrypt(b"one"))
    assert (opened.plaintext, opened.used_one_time, opened.used_one_time_kem) == (b"one", None, None)


def test_prekey_messages_repeat_until_the_first_answer_and_share_one_session():
    alice, bob = End(), End()
    alice.start(bob)
    messages = [alice.encrypt(b"%d" % n) for n in range(3)]
    assert {kind for kind, _ in messages} == {Kind.PREKEY}
    # In any order: the first to arrive makes the session, the others find it although the one-time prekey is gone.
    assert [bob.decrypt(messages[n]) for n in (2, 0, 1)] == [b"2", b"0", b"1"]
    assert bob.them._sessions.archived_count == 0


def test_a_replayed_prekey_message_is_refused_and_changes_nothing():
    alice, bob = End(), End()
    alice.start(bob)
    message = alice.encrypt(b"one")
    bob.decrypt(message)
    before = bob.state()
    with pytest.raises(MessageReplayed):
        bob.decrypt(message)
    assert bob.state() == before


def test_messages_out_of_order_are_decrypted_once_each():
    alice, bob = talking_pair()
    messages = [alice.encrypt(b"%d" % n) for n in range(10)]
    for n in (9, 0, 5, 4, 8, 1, 2, 3, 7, 6):
        assert bob.decrypt(messages[n]) == b"%d" % n
    for message in messages:
        with pytest.raises(MessageReplayed):
            bob.decrypt(message)


def test_two_sides_that_start_at_the_same_moment_understand_each_other():
    alice, bob = End(), End()
    alice.start(bob)
    bob.start(alice)
    from_alice, from_bob = alice.encrypt(b"a"), bob.encrypt(b"b")
    assert bob.decrypt(from_alice) == b"a"
    assert alice.decrypt(from_bob) == b"b"
    for n in range(4):
        assert bob.decrypt(alice.encrypt(b"a%d" % n)) == b"a%d" % n
        assert alice.decrypt(bob.encrypt(b"b%d" % n)) == b"b%d" % n
        alice.restart()
        bob.restart()
    crossing = alice.encrypt(b"x"), bob.encrypt(b"y")
    assert (bob.decrypt(crossing[0]), alice.decrypt(crossing[1])) == (b"x", b"y")


def test_a_late_message_of_an_archived_session_makes_that_session_current_again():
    alice, bob = talking_pair()
    late = alice.encrypt(b"late")
    alice.start(bob)
    assert bob.decrypt(alice.encrypt(b"new")) == b"new"
    assert bob.them._sessions.archived_count == 1
    bob.restart()
    assert bob.decrypt(late) == b"late"
    assert bob.them._sessions.archived_count == 1
    assert alice.decrypt(bob.encrypt(b"answer")) == b"answer"
    assert bob.decrypt(alice.encrypt(b"and on")) == b"and on"


def test_a_late_prekey_message_finds_its_archived_session():
    alice, bob = End(), End()
    alice.start(bob)
    first, late = alice.encrypt(b"first"), alice.encrypt(b"late")
    assert bob.decrypt(first) == b"first"
    alice.start(bob)
    assert bob.decrypt(alice.encrypt(b"new")) == b"new"
    assert bob.decrypt(late) == b"late"
    assert bob.them._sessions.archived_count == 1


def test_archived_sessions_are_bounded_and_the_newest_stay():
    alice, bob = talking_pair()
    for n in range(MAX_ARCHIVED_SESSIONS + 5):
        alice.start(bob, with_one_time=False)
        assert bob.decrypt(alice.encrypt(b"%d" % n)) == b"%d" % n
    assert bob.them._sessions.archived_count == MAX_ARCHIVED_SESSIONS
    bob.restart()
    assert bob.them._sessions.archived_count == MAX_ARCHIVED_SESSIONS
    assert bob.decrypt(alice.encrypt(b"on")) == b"on"


def test_snapshots_continue_where_the_session_was():
    alice, bob = talking_pair()
    for n in range(5):
        alice.restart()
        bob.restart()
        assert bob.decrypt(alice.encrypt(b"a%d" % n)) == b"a%d" % n
        assert alice.decrypt(bob.encrypt(b"b%d" % n)) == b"b%d" % n
    assert len(alice.them.record()) + SEAL_OVERHEAD <= 700


def test_every_cut_of_a_record_is_refused():
    alice, bob = talking_pair()
    record = alice.them.record()
    for size in range(len(record)):
        if size == 1:
            continue  # no session
        with pytest.raises(SnapshotInvalid):
            Correspondent.restore(record[:size])


def test_a_bad_body_leaves_the_sessions_as_they_were():
    alice, bob = talking_pair()
    kind, body = alice.encrypt(b"good")
    before = bob.state()
    bad = [b"", b"\x44", body[:-1], body[:-1] + bytes([body[-1] ^ 1]), os.urandom(200), b"\x33" + body[1:]]
    for message in bad:
        for each in (Kind.WHISPER, Kind.PREKEY):
            with pytest.raises(PeerError):
                bob.decrypt((each, message))
    with pytest.raises(PeerError):
        bob.decrypt((7, body))
    assert bob.state() == before
    assert bob.decrypt((kind, body)) == b"good"


def test_a_spoiled_first_message_leaves_no_session_and_keeps_the_one_time_prekey():
    alice, bob = End(), End()
    alice.start(bob)
    kind, body = alice.encrypt(b"one")
    stock = dict(bob.own.one_time)
    for at in range(0, len(body), 37):
        with pytest.raises(PeerError):
            bob.decrypt((kind, body[:at] + bytes([body[at] ^ 0x40]) + body[at + 1 :]))
    assert not bob.them.has_session
    assert bob.own.one_time == stock
    assert bob.decrypt((kind, body)) == b"one"


def test_a_used_one_time_prekey_starts_no_second_session():
    alice, bob, eve = End(), End(), End()
    bundle = bob.bundle()
    for each in (alice, eve):
        each.them.start(each.own, bundle_of(bundle, bundle.devices[0]), os.urandom)
    assert bob.decrypt(alice.encrypt(b"one")) == b"one"
    with pytest.raises(PreKeyUnknown):
        bob.them.decrypt(bob.own, *eve.encrypt(b"two"), os.urandom)
    assert bob.them.their_identity == alice.own.identity.public


def test_without_a_session_nothing_is_encrypted_or_decrypted():
    alice = End()
    with pytest.raises(SessionMissing):
        alice.encrypt(b"one")
    with pytest.raises(SessionMissing):
        alice.decrypt((Kind.WHISPER, b"\x44" + bytes(100)))
    assert not alice.them.has_session and alice.them.their_identity is None
    alice.restart()
    assert not alice.them.has_session


def test_a_bundle_with_a_bad_signature_starts_nothing():
    alice, bob, eve = End(), End(), End()
    bundle = bob.bundle()
    mixed = type(bundle)(bundle.number, eve.own.identity.public, 1, bundle.devices)
    with pytest.raises(BundleInvalid):
        alice.them.start(alice.own, bundle_of(mixed, mixed.devices[0]), os.urandom)
    assert not alice.them.has_session


def test_sessions_with_an_older_identity_are_forgotten():
    alice, bob = talking_pair()
    late = alice.encrypt(b"late")
    replacement = End()
    replacement.start(bob)
    assert bob.decrypt(replacement.encrypt(b"me again")) == b"me again"
    assert bob.them.their_identity == replacement.own.identity.public
    with pytest.raises(PeerError):
        bob.decrypt(late)


@pytest.mark.parametrize("seed", range(40))
def test_sides_that_both_start_read_everything_whoever_writes_and_reads_when(seed):
    dice, alice, bob = Random(seed), End(), End()
    alice.start(bob), bob.start(alice)
    ways = [(alice, bob, []), (bob, alice, [])]
    for step in range(30):
        author, reader, under_way = dice.choice(ways)
        if dice.random() < 0.4:
            under_way.append((b"%d" % step, author.encrypt(b"%d" % step)))
        elif under_way:
            text, message = under_way.pop(0)
            assert reader.decrypt(message) == text
        if not step % 10:
            alice.restart(), bob.restart()


def test_message_that_is_not_admitted_starts_no_session_and_uses_nothing_up():
    alice, bob = talking_pair()
    mallory = End()
    mallory.start(bob)
    before, message = bob.state(), mallory.encrypt(b"mine")

    def refuse(plaintext):
        assert plaintext == b"mine"
        raise ContentMalformed("another one wrote it")

    for end in (bob.them, Correspondent.new()):
        with raises(ContentMalformed):
            end.decrypt(bob.own, *message, os.urandom, admit=refuse)
    assert bob.state() == before
    assert bob.decrypt(alice.encrypt(b"on")) == b"on"
    bob.them = Correspondent.new()
    assert bob.decrypt(message) == b"mine"


def test_identities_are_trusted_on_first_use():
    assert check_identity(None, b"a") is Trust.NEW
    assert check_identity(b"a", b"a") is Trust.SAME
    assert check_identity(b"a", b"b") is Trust.CHANGED


def test_a_message_fans_out_to_every_device():
    alice, phone, tablet = End(), End(), End()
    devices = {}
    for number, device in ((1, phone), (2, tablet)):
        bundle = device.bundle()
        devices[number] = Correspondent.new()
        devices[number].start(alice.own, bundle_of(bundle, bundle.devices[0]), os.urandom)
    plaintext = encode_content(Content(bytes(16), 1, Text("hello")))
    parts = fan_out(plaintext, devices, os.urandom)
    assert [part.device for part in parts] == [1, 2]
    assert phone.decrypt((parts[0].kind, parts[0].body)) == plaintext
    assert tablet.decrypt((parts[1].kind, parts[1].body)) == plaintext


def test_a_pinned_peer_is_met_in_version_3_and_nobody_else():
    alice, bob = End(), End()
    bundle = bob.bundle()
    stripped = msgspec.structs.replace(bundle_of(bundle, bundle.devices[0]), kem_public=b"")
    with raises(BundleDowngraded):
        alice.them.start(alice.own, stripped, os.urandom)
    assert not alice.them.has_session
    alice.them.start(alice.own, stripped, os.urandom, Pin.X3DH)
    message = alice.encrypt(b"hello")
    with raises(MessageVersionUnsupported):
        bob.open(message)
    assert not bob.them.has_session
    opened = bob.them.decrypt(bob.own, *message, os.urandom, Pin.X3DH)
    assert (opened.plaintext, opened.used_one_time_kem) == (b"hello", None)
    assert opened.used_one_time is not None
    bob.restart()
    assert alice.decrypt(bob.encrypt(b"hi")) == b"hi"
