"""Sender keys and safety numbers with a real libsignal."""

from random import Random
from uuid import UUID

from pytest import mark, raises

from corefast.protocol.fingerprint import make_fingerprint
from corefast.protocol.group import Distribution, GroupReceiver, GroupSender
from corefast.protocol.keys import KeyPair
from tests.protocol.party import RANDOM

from .libsignal import PeerRefused

GROUP = UUID("d1d1d1d1-7000-11eb-b32a-33b8a8a487a6")


def test_our_messages_to_a_group_are_read_in_any_order(peer):
    sender = GroupSender.new(GROUP.bytes, RANDOM)
    peer.group_join(sender.distribution())
    messages = [(b"ours %d" % number, sender.encrypt(b"ours %d" % number, RANDOM)) for number in range(100)]
    Random(3).shuffle(messages)
    for text, message in messages[:90]:
        assert peer.group_decrypt(message) == text
    with raises(PeerRefused):
        peer.group_decrypt(messages[0][1])
    peer.group_join(sender.distribution())
    assert peer.group_decrypt(sender.encrypt(b"on", RANDOM)) == b"on"


def test_their_messages_to_a_group_are_read_in_any_order(peer):
    receiver = GroupReceiver(GROUP.bytes)
    receiver.join(Distribution.parse(peer.group_create(str(GROUP))))
    messages = [(b"theirs %d" % number, peer.group_encrypt(str(GROUP), b"theirs %d" % number)) for number in range(100)]
    Random(4).shuffle(messages)
    for text, message in messages[:90]:
        assert receiver.decrypt(message) == text
        receiver = GroupReceiver.restore(receiver.snapshot())


@mark.parametrize("version", [1, 2])
def test_safety_numbers_are_the_same(peer, version):
    for number in range(5):
        ours, theirs = ((b"+4930231250%02d" % (2 * number + side), KeyPair.generate(RANDOM).public) for side in (0, 1))
        made = make_fingerprint(*ours, *theirs, version)
        shown, scanned = peer.fingerprint(ours, theirs, version)
        assert (made.shown, made.scanned) == (shown, scanned)
        assert made.matches(peer.fingerprint(theirs, ours, version)[1])
