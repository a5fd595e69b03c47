"""Two links in memory: what a message costs both sides together, without sockets."""

import os

import msgspec
import pytest

from corefast.link.link import Link
from corefast.link.secure import initiator_ik, responder_ik
from corefast.native.curve import public_from_private
from corefast.wire.codec import Codec

BODY = bytes(296)
OUR_PRIVATE, THEIR_PRIVATE = bytes([1] * 32), bytes([2] * 32)


class Note(msgspec.Struct, frozen=True, array_like=True, tag=1):
    body: bytes


codec = Codec(Note)
NOTE = Note(BODY)


def make_links() -> tuple[Link, Link]:
    ours = initiator_ik(OUR_PRIVATE, public_from_private(THEIR_PRIVATE))(os.urandom)
    return Link(ours, codec, 0), Link(responder_ik(THEIR_PRIVATE)(os.urandom), codec, 0)


def move(source: Link, target: Link) -> None:
    for data in source.data_to_send():
        target.receive_data(data, 0)
    target.consume()


def open_links() -> tuple[Link, Link]:
    one, two = make_links()
    while one.has_data or two.has_data:
        move(one, two)
        move(two, one)
    return one, two


@pytest.mark.parametrize("batch", [1, 8, 64])
def notify_300(benchmark, batch):
    """One-way messages of 300 bytes, *batch* to a flush; the figure is for the whole batch."""
    one, two = open_links()
    benchmark.extra_info["messages"] = batch

    def send() -> None:
        for _ in range(batch):
            one.notify(NOTE)
        move(one, two)
        move(two, one)

    benchmark(send)


@pytest.mark.parametrize("batch", [1, 64])
def call_300(benchmark, batch):
    """Calls of 300 bytes with answers of 300, *batch* to a flush."""
    one, two = open_links()
    benchmark.extra_info["messages"] = batch

    def call() -> None:
        for _ in range(batch):
            one.call(NOTE, call)
        for data in one.data_to_send():
            for event in two.receive_data(data, 0):
                if event.call:
                    two.answer(event.call, NOTE)
        move(two, one)

    benchmark(call)


def handshake_ik(benchmark):
    """Both sides of a whole opening: eight X25519 operations and two key pairs."""
    benchmark(open_links)
