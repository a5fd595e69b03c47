"""Whether a peer's identity key is the one that we know (trust on first use), and what people compare it by."""

from enum import Enum
from hashlib import sha256

from corefast.protocol.fingerprint import make_fingerprint

HASH_BYTES = 16
"""Of an identity's hash: 128 bits leave nobody a second key with the same one."""

_DIGITS_SHOWN = 5
_NUMBER_VERSION = 1
"""Of the fingerprint: libsignal's for people who are known by their phone numbers."""


class Trust(Enum):
    """What an identity key is to us."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"


class Policy(Enum):
    """What we do when a peer's identity key changes. Either way it is told, and what waits for the old one fails."""

    FLAG = "flag"
    """Go on with the new one."""
    BLOCK = "block"
    """Send nothing until somebody has acknowledged the new one; what comes is read."""


def check_identity(known: bytes | None, seen: bytes) -> Trust:
    """Compare the identity key *seen* with the one *known*, None where the peer is a stranger."""
    if known is None:
        return Trust.NEW
    return Trust.SAME if known == seen else Trust.CHANGED


def identity_hash(identity: bytes) -> str:
    """Return the 32 hexadecimal digits by which programs know an identity key (33 bytes)."""
    return sha256(b"corefast identity\0" + identity).digest()[:HASH_BYTES].hex()


def safety_number(our_number: str, our_identity: bytes, their_number: str, their_identity: bytes) -> str:
    """Return the 60 digits that two people compare, in groups of five; the same on both sides, and libsignal's.

    Numbers are digits without a plus. It takes some milliseconds. Raises `KeyMalformed`.
    """
    ours, theirs = f"+{our_number}".encode(), f"+{their_number}".encode()
    digits = make_fingerprint(ours, our_identity, theirs, their_identity, _NUMBER_VERSION).shown
    return " ".join(digits[at : at + _DIGITS_SHOWN] for at in range(0, len(digits), _DIGITS_SHOWN))
