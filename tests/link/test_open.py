"""From the first byte to an open link."""

import os

import pytest

from corefast.errors import (
    CiphertextInvalid,
    FrameMalformed,
    FrameTooLarge,
    HandshakeFailed,
    LinkTimeout,
    PeerOutOfTurn,
    VersionUnsupported,
)
from corefast.limits import HANDSHAKE_TIMEOUT_MS
from corefast.link.events import Closed, Opened, Received
from corefast.link.link import Link
from corefast.link.secure import initiator_ik, initiator_psk, responder_ik, responder_psk
from corefast.link.state import Phase, Turn, next_phase
from corefast.native.curve import public_from_private

from .pair import (
    INITIATOR_PRIVATE,
    RESPONDER_PRIVATE,
    Note,
    codec,
    ik_links,
    move,
    open_links,
    psk_links,
    settle,
)


def test_both_sides_learn_whom_they_talk_to():
    one, two = ik_links()
    heard_by_one, heard_by_two = settle(one, two)
    assert heard_by_one == [Opened(public_from_private(RESPONDER_PRIVATE), None)]
    assert heard_by_two == [Opened(public_from_private(INITIATOR_PRIVATE), None)]


@pytest.mark.parametrize("index", range(8))
def test_responder_says_which_secret_matched(index):
    secrets = [bytes([number] * 32) for number in range(8)]
    one, two = psk_links(secrets[index], secrets)
    _, heard_by_two = settle(one, two)
    assert heard_by_two == [Opened(None, index)]


def test_unknown_secret_is_refused():
    one, two = psk_links(bytes([9] * 32), [bytes([1] * 32)])
    (closed,) = move(one, two)
    assert isinstance(closed.error, HandshakeFailed)
    assert two.data_to_send() == [b"\x01"]


def test_another_responder_cannot_read_the_first_message():
    one, _ = ik_links()
    impostor = Link(responder_ik(bytes([7] * 32))(os.urandom), codec, 0)
    (closed,) = move(one, impostor)
    assert isinstance(closed.error, HandshakeFailed)


def test_handshake_of_the_other_kind_is_refused():
    one, _ = psk_links(bytes(32), [bytes(32)])
    _, two = ik_links()
    (closed,) = move(one, two)
    assert isinstance(closed.error, HandshakeFailed)


def test_handshake_works_byte_by_byte():
    one, two = ik_links()
    opened = 0
    while one.has_data or two.has_data:
        for source, target in ((one, two), (two, one)):
            for byte in b"".join(source.data_to_send()):
                opened += sum(isinstance(event, Opened) for event in target.receive_data(bytes([byte]), 0))
    assert opened == 2


def test_replayed_first_message_opens_nothing():
    one, two = ik_links()
    recorded = b"".join(one.data_to_send())
    two.receive_data(recorded, 0)
    _, again = ik_links()
    assert again.receive_data(recorded, 0) == []
    assert not again.is_open
    (closed,) = again.receive_data(b"\x00\x00\x14" + bytes(20), 0)
    assert isinstance(closed.error, CiphertextInvalid)


def test_nothing_is_sent_before_the_link_is_open():
    for link in ik_links():
        with pytest.raises(PeerOutOfTurn):
            link.notify(Note(b""))


def test_other_version_is_refused_and_told():
    for version in (0, 2, 0x47, 0xFF):
        _, two = ik_links()
        (closed,) = two.receive_data(bytes([version]) + bytes(99), 0)
        assert isinstance(closed.error, VersionUnsupported)
        assert two.data_to_send() == [b"\x01"]
        one, _ = ik_links()
        (closed,) = one.receive_data(bytes([version]), 0)
        assert isinstance(closed.error, VersionUnsupported)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x01\x00\x04\x01", FrameTooLarge),
        (b"\x01\x00\x00\x00", FrameMalformed),
        (b"\x01\x00\x00\x01x", HandshakeFailed),
        (b"\x01\x00\x00\x60" + bytes(96), HandshakeFailed),
        (b"\x01\x00\x01\x00" + bytes(range(256)), HandshakeFailed),
    ],
)
def test_broken_handshake_is_a_typed_end(data, error):
    for link in (*ik_links(), *psk_links(bytes(32), [bytes(32)])):
        (closed,) = link.receive_data(data, 0)
        assert isinstance(closed.error, error)
        assert link.phase == Phase.CLOSED
        assert link.receive_data(data, 0) == []


def test_handshake_has_a_deadline():
    for link in ik_links():
        assert link.tick(HANDSHAKE_TIMEOUT_MS - 1) == []
        (closed,) = link.tick(HANDSHAKE_TIMEOUT_MS)
        assert isinstance(closed.error, LinkTimeout)
        assert link.tick(HANDSHAKE_TIMEOUT_MS + 1) == []


def test_silence_after_the_handshake_message_meets_the_same_deadline():
    one, two = ik_links()
    move(one, two)
    (closed,) = two.tick(HANDSHAKE_TIMEOUT_MS)
    assert isinstance(closed.error, LinkTimeout)


def test_first_words_may_come_with_the_end_of_the_handshake():
    one, two = ik_links()
    move(one, two)
    (opened,) = move(two, one)
    assert isinstance(opened, Opened)
    one.notify(Note(b"hello"))
    first, second = move(one, two)
    assert (type(first), second) == (Opened, Received(Note(b"hello"), 0))


def test_keys_and_secrets_have_32_bytes():
    for make in (
        lambda: initiator_ik(bytes(31), bytes(32)),
        lambda: initiator_ik(bytes(32), bytes(33)),
        lambda: responder_ik(b""),
        lambda: initiator_psk(bytes(33)),
        lambda: responder_psk([]),
        lambda: responder_psk([bytes(32)] * 9),
        lambda: responder_psk([bytes(32), bytes(31)]),
    ):
        with pytest.raises(ValueError):
            make()


def test_window_that_could_stop_for_ever_is_a_bug():
    with pytest.raises(ValueError):
        ik_links(window_bytes=1_000_000)


def test_no_phase_follows_the_end():
    for turn in Turn:
        with pytest.raises(PeerOutOfTurn):
            next_phase(Phase.CLOSED, turn)


def test_close_during_the_handshake_says_nothing():
    one, _ = ik_links()
    one.data_to_send()
    one.close()
    assert one.data_to_send() == []
    assert one.receive_data(b"\x01", 0) == []


def test_links_know_that_they_are_open():
    one, two = open_links()
    one.close()
    assert not one.is_open
    (closed,) = move(one, two)
    assert closed == Closed(None)
    assert not two.is_open
