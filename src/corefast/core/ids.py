"""Opaque names for rows: a row number under a block cipher, so that nobody can count or guess (decision 002)."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Broken
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from corefast.wire.content import Medium

ID_KEY_BYTES = 32
MESSAGE_ID_BYTES = 16

_OUTBOUND, _INBOUND, _EVENT = "gBGG", "ABGG", "evt_"
_MEDIA = b"media\0"
_encode_medium = msgspec.msgpack.Encoder().encode
_MESSAGE_TAIL = bytes(8)
_EVENT_TAIL = bytes(7) + b"\x01"
_SAID_TAIL = bytes(7) + b"\x02"


class Ids:
    """Turns rows of an account into ids and back. A forged id is recognised without a look at the database."""

    def __init__(self, key: bytes) -> None:
        # ECB of exactly one block, which never repeats, is the bare permutation that is wanted here.
        self._key = key
        cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305
        self._seal = cipher.encryptor().update
        self._open = cipher.decryptor().update

    def message_id(self, row: int) -> bytes:
        """Return the 16 bytes by which the recipient and the relay know a message."""
        return self._seal(row.to_bytes(8, "big") + _MESSAGE_TAIL)

    def row_of(self, message_id: bytes) -> int | None:
        """Return the row of an id of ours, None for any other."""
        return self._row(message_id, _MESSAGE_TAIL)

    def said_id(self, row: int) -> bytes:
        """Return the 16 bytes by which the members of a group know a message of ours to all of them."""
        return self._seal(row.to_bytes(8, "big") + _SAID_TAIL)

    def said_of(self, message_id: bytes) -> int | None:
        """Return the row of an id of ours in a group, None for any other."""
        return self._row(message_id, _SAID_TAIL)

    def is_ours(self, message_id: bytes) -> bool:
        return self.row_of(message_id) is not None or self.said_of(message_id) is not None

    def event_id(self, position: int) -> str:
        return _EVENT + _encode(self._seal(position.to_bytes(8, "big") + _EVENT_TAIL))

    def position_of(self, event_id: str) -> int | None:
        """Return the position of an event id of ours, None for any other."""
        block = _decode(event_id, _EVENT)
        return None if block is None else self._row(block, _EVENT_TAIL)

    def media_id(self, medium: Medium) -> str:
        """Return the id of a file: a UUID that says nothing, the same each time the same medium comes."""
        digest = hmac.digest(self._key, _MEDIA + _encode_medium(medium), "sha256")
        return str(UUID(bytes=digest[:16], version=4))

    def _row(self, block: bytes, tail: bytes) -> int | None:
        if len(block) != MESSAGE_ID_BYTES:
            return None
        plain = self._open(block)
        return int.from_bytes(plain[:8], "big") if plain[8:] == tail and plain[0] < 128 else None


def outbound_id(message_id: bytes) -> str:
    """Return the id of one of our messages as clients see it."""
    return _OUTBOUND + _encode(message_id)


def inbound_id(message_id: bytes) -> str:
    """Return the id of a peer's message as clients see it."""
    return _INBOUND + _encode(message_id)


def group_id(name: bytes) -> str:
    """Return the id of a group as clients see it: base64url without padding of its 16 bytes."""
    return _encode(name)


def parse_group(text: str) -> bytes | None:
    return _decode(text, "")


def parse_outbound(text: str) -> bytes | None:
    return _decode(text, _OUTBOUND)


def parse_inbound(text: str) -> bytes | None:
    return _decode(text, _INBOUND)


def _encode(block: bytes) -> str:
    return urlsafe_b64encode(block)[:-2].decode()


def _decode(text: str, prefix: str) -> bytes | None:
    """Return the 16 bytes behind *prefix*; None where the text is no such id, in its only spelling."""
    if not text.startswith(prefix) or len(text) != len(prefix) + 22 or not text.isascii():
        return None
    try:
        block = urlsafe_b64decode(text[len(prefix) :] + "==")
    except (Base64Broken, ValueError):
        return None
    return block if len(block) == MESSAGE_ID_BYTES and _encode(block) == text[len(prefix) :] else None
