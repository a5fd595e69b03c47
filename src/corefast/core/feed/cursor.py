"""An opaque place in the feed: one position for each shard."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Broken

import msgspec

from corefast.errors import CursorInvalid

_MAX_CHARACTERS = 1_024
_VERSION = 1

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, dict[int, int]]).decode


def encode_cursor(positions: dict[int, int]) -> str:
    """Return the cursor behind these positions."""
    return urlsafe_b64encode(_encode((_VERSION, positions))).rstrip(b"=").decode()


def decode_cursor(text: str) -> dict[int, int]:
    """Return the position of each shard; raise `CursorInvalid` for anything that `encode_cursor` did not make."""
    try:
        if len(text) > _MAX_CHARACTERS:
            raise ValueError
        version, positions = _decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (Base64Broken, ValueError, msgspec.DecodeError):
        raise CursorInvalid("the cursor is none of ours: use the one of an earlier answer, or none") from None
    if version != _VERSION or any(position < 0 or position >= 1 << 63 for position in positions.values()):
        raise CursorInvalid("the cursor is none of ours: use the one of an earlier answer, or none")
    return positions
