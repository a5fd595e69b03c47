"""XEdDSA: Ed25519 signatures by X25519 keys (Signal, "The XEdDSA and VXEdDSA Signature Schemes").

As libsignal does it: the sign of the Edwards key is not forced to zero but travels in the top bit of the signature. A
signature with the sign forced to zero is verified just the same.
"""

from hashlib import sha512

from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_sign_open,
)
from nacl.exceptions import BadSignatureError

from corefast.errors import KeyMalformed, SignatureInvalid

SIGNATURE_SIZE = 64
RANDOM_SIZE = 64

FIELD = 2**255 - 19
HASH_1 = b"\xfe" + b"\xff" * 31
"""hash1 of the specification, 2.5: 2^256 - 2 little-endian, a value no encoded point has."""

SIGN_BIT = 0x80


def sign(private: bytes, message: bytes, random: bytes) -> bytes:
    """Return the 64-byte signature of *message* by a 32-byte X25519 private key; *random* is 64 fresh bytes."""
    if len(private) != 32 or len(random) != RANDOM_SIZE:
        raise KeyMalformed("signing takes a 32-byte key and 64 random bytes")
    a = crypto_core_ed25519_scalar_reduce(_clamp(private) + bytes(32))
    public = crypto_scalarmult_ed25519_base_noclamp(a)
    r = crypto_core_ed25519_scalar_reduce(sha512(HASH_1 + a + message + random).digest())
    commitment = crypto_scalarmult_ed25519_base_noclamp(r)
    h = crypto_core_ed25519_scalar_reduce(sha512(commitment + public + message).digest())
    s = bytearray(crypto_core_ed25519_scalar_add(crypto_core_ed25519_scalar_mul(h, a), r))
    s[31] |= public[31] & SIGN_BIT
    return commitment + bytes(s)


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise SignatureInvalid unless *signature* was made over *message* by the holder of X25519 key *public*.

    libsodium also refuses a scalar beyond the group order and points of low order.
    """
    if len(signature) != SIGNATURE_SIZE:
        raise SignatureInvalid("a signature has 64 bytes")
    sign_bit = signature[63] & SIGN_BIT
    plain = signature[:63] + bytes([signature[63] ^ sign_bit])
    try:
        edwards = _edwards(public, sign_bit)
        crypto_sign_open(plain + message, edwards)
    except (BadSignatureError, KeyMalformed):
        raise SignatureInvalid("the signature does not match") from None


def is_on_curve(public: bytes) -> bool:
    """Whether an X25519 key is canonical and in the prime-order group: no twist, no torsion."""
    try:
        return bool(crypto_core_ed25519_is_valid_point(_edwards(public, 0)))
    except KeyMalformed:
        return False


def _edwards(public: bytes, sign_bit: int) -> bytes:
    """Return the Edwards point of a Montgomery u: y = (u - 1) / (u + 1) (RFC 7748, 4.1); raise KeyMalformed."""
    u = int.from_bytes(public, "little")
    if len(public) != 32 or u >= FIELD - 1:
        raise KeyMalformed("a public key is not canonical")
    y = (u - 1) * pow(u + 1, -1, FIELD) % FIELD
    encoded = bytearray(y.to_bytes(32, "little"))
    encoded[31] |= sign_bit
    return bytes(encoded)


def _clamp(private: bytes) -> bytes:
    """RFC 7748, 5: decodeScalar25519."""
    return bytes([private[0] & 248]) + private[1:31] + bytes([private[31] & 127 | 64])
