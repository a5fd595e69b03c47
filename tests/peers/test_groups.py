"""Sender keys with a real libsignal."""

from random import Random
from uuid import UUID

from pytest import raises

from corefast.errors import MessageReplayed
from corefast.protocol.group import Distribution, GroupReceiver, GroupSender
from tests.protocol.party import RANDOM

from .libsignal import PeerRefused

GROUP = UUID("d1d1d1d1-7000-11eb-b32a-33b8a8a487a6")
CHAINS, MESSAGES = 4, 60
"""How often the author's key is renewed, and what is written under each."""


def arrivals(sent, seed):
    """Return what arrives of the messages of several chains: a tenth is lost, and the rest overtakes, chains too."""
    dice = Random(seed)
    late = [(number + dice.uniform(0, 1.5 * MESSAGES), message) for number, message in enumerate(sent)]
    return [message for _, message in sorted(late) if dice.random() < 0.9]


def test_our_messages_to_a_group_are_read_over_a_network_that_shuffles_and_loses(any_peer):
    sent = []
    for chain in range(CHAINS):
        sender = GroupSender.new(GROUP.bytes, RANDOM)
        any_peer.group_join(sender.distribution())
        for number in range(MESSAGES):
            text = b"ours %d.%d" % (chain, number)
            sent.append((text, sender.encrypt(text, RANDOM)))
            sender = GroupSender.restore(sender.snapshot())
    arriving = arrivals(sent, 3)
    assert len(arriving) > 200
    for text, message in arriving:
        assert any_peer.group_decrypt(message) == text
    with raises(PeerRefused):
        any_peer.group_decrypt(arriving[0][1])
    any_peer.group_join(sender.distribution())
    assert any_peer.group_decrypt(sender.encrypt(b"on", RANDOM)) == b"on"


def test_their_messages_to_a_group_are_read_over_a_network_that_shuffles_and_loses(any_peer):
    receiver, sent = GroupReceiver(GROUP.bytes), []
    for chain in range(CHAINS):
        receiver.join(Distribution.parse(any_peer.group_create(str(GROUP), renew=True)))
        texts = [b"theirs %d.%d" % (chain, number) for number in range(MESSAGES)]
        sent += [(text, any_peer.group_encrypt(str(GROUP), text)) for text in texts]
    arriving = arrivals(sent, 4)
    assert len(arriving) > 200
    for text, message in arriving:
        assert receiver.decrypt(message) == text
        receiver = GroupReceiver.restore(receiver.snapshot())
    with raises(MessageReplayed):
        receiver.decrypt(arriving[0][1])


def test_who_joins_late_reads_from_there_on(any_peer):
    sender = GroupSender.new(GROUP.bytes, RANDOM)
    before = sender.encrypt(b"before", RANDOM)
    any_peer.group_join(sender.distribution())
    with raises(PeerRefused):
        any_peer.group_decrypt(before)
    assert any_peer.group_decrypt(sender.encrypt(b"after", RANDOM)) == b"after"
    any_peer.group_create(str(GROUP))
    theirs = any_peer.group_encrypt(str(GROUP), b"before")
    receiver = GroupReceiver(GROUP.bytes)
    receiver.join(Distribution.parse(any_peer.group_create(str(GROUP))))
    with raises(MessageReplayed):
        receiver.decrypt(theirs)
    assert receiver.decrypt(any_peer.group_encrypt(str(GROUP), b"after")) == b"after"
