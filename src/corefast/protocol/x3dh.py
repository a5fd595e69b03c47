"""X3DH: what both sides of a first message agree on (Signal, "The X3DH Key Agreement Protocol"; libsignal up to 0.72).

Alone it makes a session of version 3; PQXDH adds its KEM secret to the same agreements.
"""

from typing import NamedTuple

from corefast.native.kdf import hkdf_sha256
from corefast.native.secret import wipe
from corefast.protocol.keys import KeyPair, agree_each

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

    def wipe(self) -> None:
        """Overwrite all three; they are copied where they are used."""
        wipe(self.root), wipe(self.chain), wipe(self.pq)


class TheirPublics(NamedTuple):
    """The other side's public keys: the prekeys of a bundle, seen by the initiator."""

    identity: bytes
    signed: bytes
    one_time: bytes | None


def agree_as_initiator(our_identity: KeyPair, our_base: KeyPair, their: TheirPublics) -> bytes:
    """X3DH 3.3 for the writer of the first message; raise KeyAgreementFailed. The caller wipes it."""
    pairs = [(our_identity, their.signed), (our_base, their.identity), (our_base, their.signed)]
    return agree_each(DISCONTINUITY, pairs if their.one_time is None else [*pairs, (our_base, their.one_time)])


def agree_as_responder(
    our_identity: KeyPair, our_signed: KeyPair, our_one_time: KeyPair | None, their_identity: bytes, their_base: bytes
) -> bytes:
    """X3DH 3.4 for the reader of the first message; raise KeyAgreementFailed. The caller wipes it."""
    pairs = [(our_signed, their_identity), (our_identity, their_base), (our_signed, their_base)]
    return agree_each(DISCONTINUITY, pairs if our_one_time is None else [*pairs, (our_one_time, their_base)])


def derive(secret: bytes) -> InitialKeys:
    """Return the keys of a session of version 3 from what was agreed."""
    keys = hkdf_sha256(secret, b"", INFO, 64)
    try:
        return InitialKeys(keys[:32], keys[32:])
    finally:
        wipe(keys)
