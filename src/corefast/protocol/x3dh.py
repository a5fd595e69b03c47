"""X3DH: what both sides of a first message agree on (Signal, "The X3DH Key Agreement Protocol"; libsignal up to 0.72).

Alone it makes a session of version 3; PQXDH adds its KEM secret to the same agreements.
"""

from typing import NamedTuple

from corefast.native.kdf import hkdf_sha256
from corefast.protocol.keys import KeyPair

VERSION = 3
INFO = b"WhisperText"
DISCONTINUITY = b"\xff" * 32
"""F of X3DH, 2.2: no encoding of a point, so the input is never that of a signature."""


class InitialKeys(NamedTuple):
    """Root key, first chain key (the responder's sending one), and what SPQR's chains are made of; 32 bytes each."""

    root: bytes
    chain: bytes
    pq: bytes = b""
    """Empty without PQXDH."""


class TheirPublics(NamedTuple):
    """The other side's public keys: the prekeys of a bundle, seen by the initiator."""

    identity: bytes
    signed: bytes
    one_time: bytes | None


def agree_as_initiator(our_identity: KeyPair, our_base: KeyPair, their: TheirPublics) -> bytes:
    """X3DH 3.3 for the writer of the first message; raise KeyAgreementFailed."""
    secret = DISCONTINUITY + our_identity.agree(their.signed)
    secret += our_base.agree(their.identity) + our_base.agree(their.signed)
    return secret if their.one_time is None else secret + our_base.agree(their.one_time)


def agree_as_responder(
    our_identity: KeyPair, our_signed: KeyPair, our_one_time: KeyPair | None, their_identity: bytes, their_base: bytes
) -> bytes:
    """X3DH 3.4 for the reader of the first message; raise KeyAgreementFailed."""
    secret = DISCONTINUITY + our_signed.agree(their_identity)
    secret += our_identity.agree(their_base) + our_signed.agree(their_base)
    return secret if our_one_time is None else secret + our_one_time.agree(their_base)


def derive(secret: bytes) -> InitialKeys:
    """Return the keys of a session of version 3 from what was agreed."""
    keys = hkdf_sha256(secret, b"", INFO, 64)
    return InitialKeys(keys[:32], keys[32:])
