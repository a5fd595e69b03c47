"""Safety numbers: two people compare 60 digits, or scan a code, and know that nobody stands between them.

Identical to libsignal's fingerprint.rs: the same digits on both sides, whoever computes them.
"""

import hmac
from hashlib import sha512
from typing import NamedTuple

from corefast.errors import MessageMalformed
from corefast.protocol.fields import put_bytes, put_number, take_bytes, take_fields, take_u32
from corefast.protocol.keys import raw_public

ITERATIONS = 5_200
VERSION = 2
"""Of the scanned form: 2 says that identifiers are service ids, 1 that they are phone numbers."""

_SCANNED_SIZE = 32
_CHUNK, _CHUNKS = 5, 6


class Fingerprint(NamedTuple):
    """Our half and their half of a safety number, 64 bytes each."""

    ours: bytes
    theirs: bytes
    version: int = VERSION

    @property
    def shown(self) -> str:
        """60 digits, the same on both sides."""
        return "".join(sorted((_digits(self.ours), _digits(self.theirs))))

    @property
    def scanned(self) -> bytes:
        """What a code shows; the other side gives it to `matches`."""
        halves = (put_bytes(1, half[:_SCANNED_SIZE]) for half in (self.ours, self.theirs))
        ours, theirs = halves
        return put_number(1, self.version) + put_bytes(2, ours) + put_bytes(3, theirs)

    def matches(self, scanned: bytes) -> bool:
        """Whether the other side's code says the same; raise MessageMalformed for a code of another kind or version."""
        fields = take_fields(scanned)
        if take_u32(fields, 1) != self.version:
            raise MessageMalformed("the code is of another version")
        theirs, ours = (take_bytes(take_fields(take_bytes(fields, number)), 1, _SCANNED_SIZE) for number in (2, 3))
        same_ours = hmac.compare_digest(ours, self.ours[:_SCANNED_SIZE])
        return hmac.compare_digest(theirs, self.theirs[:_SCANNED_SIZE]) and same_ours


def make_fingerprint(
    our_id: bytes, our_identity: bytes, their_id: bytes, their_identity: bytes, version: int = VERSION
) -> Fingerprint:
    """Return the safety number of two identities, 33 bytes each; raise KeyMalformed. It takes some milliseconds."""
    return Fingerprint(_half(our_id, our_identity), _half(their_id, their_identity), version)


def _half(stable_id: bytes, identity: bytes) -> bytes:
    raw_public(identity)
    digest = sha512(b"\0\0" + identity + stable_id + identity).digest()
    for _ in range(1, ITERATIONS):
        digest = sha512(digest + identity).digest()
    return digest


def _digits(half: bytes) -> str:
    chunks = (half[at : at + _CHUNK] for at in range(0, _CHUNK * _CHUNKS, _CHUNK))
    return "".join(f"{int.from_bytes(chunk, 'big') % 100_000:05}" for chunk in chunks)
