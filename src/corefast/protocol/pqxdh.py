"""PQXDH: X3DH and a KEM secret (Signal, "The PQXDH Key Agreement Protocol"; libsignal, pqxdh.rs)."""

from corefast.native.kdf import hkdf_sha256
from corefast.native.secret import wipe
from corefast.protocol.x3dh import InitialKeys

VERSION = 4
INFO = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"


def derive(secret: bytes, kem_secret: bytes) -> InitialKeys:
    """Return the keys of a session of version 4 from what X3DH agreed on and the KEM's secret (PQXDH, 2.2)."""
    both = secret + kem_secret
    keys = hkdf_sha256(both, b"", INFO, 96)
    try:
        return InitialKeys(keys[:32], keys[32:64], keys[64:])
    finally:
        wipe(both), wipe(keys)
