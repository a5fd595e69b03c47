"""Two links in memory, the clock in hand."""

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from corefast.link.events import Event
from corefast.link.link import Link
from corefast.link.secure import initiator_ik, initiator_psk, responder_ik, responder_psk
from corefast.native.curve import public_from_private
from corefast.wire.codec import Codec

INITIATOR_PRIVATE = bytes([1] * 32)
RESPONDER_PRIVATE = bytes([2] * 32)


class Note(msgspec.Struct, frozen=True, array_like=True, tag=1):
    body: bytes


class Ask(msgspec.Struct, frozen=True, array_like=True, tag=2):
    body: bytes


codec = Codec(Note | Ask)


def ik_links(**options: Any) -> tuple[Link, Link]:
    """Return an initiator and a responder that have not spoken yet, both born at 0 ms."""
    ours = initiator_ik(INITIATOR_PRIVATE, public_from_private(RESPONDER_PRIVATE))
    theirs = responder_ik(RESPONDER_PRIVATE)
    return Link(ours(os.urandom), codec, 0, **options), Link(theirs(os.urandom), codec, 0, **options)


def psk_links(secret: bytes, valid: Sequence[bytes]) -> tuple[Link, Link]:
    ours, theirs = initiator_psk(secret), responder_psk(valid)
    return Link(ours(os.urandom), codec, 0), Link(theirs(os.urandom), codec, 0)


def move(source: Link, target: Link, now_ms: int = 0) -> list[Event]:
    """Hand over what *source* has to send; return what *target* makes of it."""
    return [event for data in source.data_to_send() for event in target.receive_data(data, now_ms)]


def settle(one: Link, two: Link, now_ms: int = 0) -> tuple[list[Event], list[Event]]:
    """Move bytes both ways until both are silent; return what each side heard. Everything heard is consumed."""
    heard_by_one: list[Event] = []
    heard_by_two: list[Event] = []
    while one.has_data or two.has_data:
        heard_by_two += move(one, two, now_ms)
        two.consume()
        heard_by_one += move(two, one, now_ms)
        one.consume()
    return heard_by_one, heard_by_two


def open_links(**options: Any) -> tuple[Link, Link]:
    """Return two links after their handshake."""
    one, two = ik_links(**options)
    settle(one, two)
    assert one.is_open and two.is_open
    return one, two
