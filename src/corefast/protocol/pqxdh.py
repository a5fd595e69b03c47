"""PQXDH: X3DH and a KEM secret (Signal, "The PQXDH Key Agreement Protocol"; libsignal, pqxdh.rs)."""

from corefast.native.kdf import hkdf_sha256
from corefast.protocol.x3dh import InitialKeys

VERSION = 4
INFO = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"


def derive(secret: bytes, kem_secret: bytes) -> InitialKeys:
    """Return the keys of a session of version 4 from what X3DH agreed on and the KEM's secret (PQXDH, 2.2)."""
    keys = hkdf_sha256(secret + kem_secret, b"", INFO, 96)
    return InitialKeys(keys[:32], keys[32:64], keys[64:])
