"""What passes between a first device and a new one: `Noise_NNpsk0` in two messages, under the code's secret.

The relay between them carries both messages and can neither read nor make one. Knows no socket and no store.
"""

from typing import Annotated

import msgspec

from corefast.address import canonical_number
from corefast.errors import ContentMalformed, HandshakeFailed, KeyMalformed, NumberInvalid
from corefast.limits import MAX_HANDED_PEERS
from corefast.protocol.keys import KeyPair, Random
from corefast.protocol.noise.handshake import HandshakeState
from corefast.protocol.noise.patterns import NN_PSK0

LINK_KEY_BYTES = 32
IDENTITY_BYTES = 33
MAX_NAME_CHARACTERS = 256

_VERSION = 1
_PROLOGUE = b"corefast link device 1\0"


class _Hello(msgspec.Struct, frozen=True, array_like=True):
    """From the new device: the link key that it will have at the relay, so that no other can take its place."""

    link_key: Annotated[bytes, msgspec.Meta(min_length=LINK_KEY_BYTES, max_length=LINK_KEY_BYTES)]


class HandedPeer(msgspec.Struct, frozen=True, array_like=True):
    """A peer whose identity key the first device knows: the new device need not trust the relay with it anew."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    identity: Annotated[bytes, msgspec.Meta(min_length=IDENTITY_BYTES, max_length=IDENTITY_BYTES)]
    is_accepted: bool = True


class Handover(msgspec.Struct, frozen=True, array_like=True):
    """From the first device: the account. *identity* is its private key."""

    version: int
    number: Annotated[str, msgspec.Meta(max_length=32)]
    identity: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    name: Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARACTERS)] = ""
    peers: Annotated[list[HandedPeer], msgspec.Meta(max_length=MAX_HANDED_PEERS)] = []

    def __repr__(self) -> str:
        return "<Handover>"


_encode = msgspec.msgpack.Encoder().encode
_decode_hello = msgspec.msgpack.Decoder(_Hello).decode
_decode_handover = msgspec.msgpack.Decoder(Handover).decode
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


class NewDevice:
    """The side that reads the code."""

    def __init__(self, slot: bytes, secret: bytes, random: Random) -> None:
        self._noise = HandshakeState(NN_PSK0, True, _PROLOGUE + slot, random=random, psk=secret)

    def hello(self, link_key: bytes) -> bytes:
        """Return the first message; *link_key* is our public one."""
        return self._noise.write_message(_encode(_Hello(link_key)))

    def take(self, message: bytes) -> Handover:
        """Return what the first device hands over; raise `HandshakeFailed`, `ContentMalformed`."""
        try:
            handover: Handover = _decode_handover(self._noise.read_message(message))
            KeyPair.from_private(handover.identity)
            is_canonical = canonical_number(handover.number) == handover.number
        except (*_UNREADABLE, NumberInvalid, KeyMalformed):
            raise ContentMalformed("what the first device hands over cannot be read") from None
        if handover.version != _VERSION or not is_canonical:
            raise ContentMalformed("what the first device hands over is of another version")
        return handover


class FirstDevice:
    """The side that showed the code; serves one new device once."""

    def __init__(self, slot: bytes, secret: bytes, random: Random) -> None:
        self._noise = HandshakeState(NN_PSK0, False, _PROLOGUE + slot, random=random, psk=secret)

    def answer(self, link_key: bytes, message: bytes, handover: Handover) -> bytes:
        """Return the second message for who sent the first; raise `HandshakeFailed`.

        *link_key* is whom the relay says it is from; the message itself has to say the same.
        """
        try:
            hello = _decode_hello(self._noise.read_message(message))
        except _UNREADABLE:
            raise HandshakeFailed("the new device cannot be understood") from None
        if hello.link_key != link_key:
            raise HandshakeFailed("the relay names another new device than the one that knows the code")
        return self._noise.write_message(_encode(handover))


def make_handover(number: str, identity: KeyPair, name: str, peers: list[HandedPeer]) -> Handover:
    return Handover(_VERSION, number, identity.private, name[:MAX_NAME_CHARACTERS], peers[:MAX_HANDED_PEERS])
