"""PQXDH: the first secret of a session (Signal, "The PQXDH Key Agreement Protocol"; libsignal, pqxdh.rs)."""

from typing import NamedTuple

from corefast.native.kdf import hkdf_sha256
from corefast.protocol.keys import KemKeyPair, KeyPair

VERSION = 4
INFO = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"
DISCONTINUITY = b"\xff" * 32
"""F of PQXDH, 2.2: no encoding of a point, so the input is never that of a signature."""


class InitialKeys(NamedTuple):
    """Root key, first chain key (the responder's sending one), and what SPQR's chains are made of; 32 bytes each."""

    root: bytes
    chain: bytes
    pq: bytes


class OurPreKeys(NamedTuple):
    """The private prekeys that a first message names."""

    signed: KeyPair
    kem: KemKeyPair
    one_time: KeyPair | None


class TheirPublics(NamedTuple):
    """The other side's public keys: the prekeys of a bundle, seen by the initiator."""

    identity: bytes
    signed: bytes
    one_time: bytes | None


def agree_as_initiator(our_identity: KeyPair, our_base: KeyPair, their: TheirPublics, kem_secret: bytes) -> InitialKeys:
    """PQXDH 3.3 for the writer of the first message; raise KeyAgreementFailed."""
    secrets = [
        our_identity.agree(their.signed),
        our_base.agree(their.identity),
        our_base.agree(their.signed),
    ]
    if their.one_time is not None:
        secrets.append(our_base.agree(their.one_time))
    return _derive(secrets, kem_secret)


def agree_as_responder(
    our_identity: KeyPair, our: OurPreKeys, their_identity: bytes, their_base: bytes, kem_ciphertext: bytes
) -> InitialKeys:
    """PQXDH 3.4 for the reader of the first message; raise KeyAgreementFailed."""
    secrets = [
        our.signed.agree(their_identity),
        our_identity.agree(their_base),
        our.signed.agree(their_base),
    ]
    if our.one_time is not None:
        secrets.append(our.one_time.agree(their_base))
    return _derive(secrets, our.kem.decapsulate(kem_ciphertext))


def _derive(secrets: list[bytes], kem_secret: bytes) -> InitialKeys:
    keys = hkdf_sha256(DISCONTINUITY + b"".join(secrets) + kem_secret, b"", INFO, 96)
    return InitialKeys(keys[:32], keys[32:64], keys[64:])
