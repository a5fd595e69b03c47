"""XEdDSA: Ed25519 signatures by X25519 keys (Signal, "The XEdDSA and VXEdDSA Signature Schemes").

As libsignal does it: the sign of the Edwards key is not forced to zero but travels in the top bit of the signature. A
signature with the sign forced to zero is verified just the same.
"""

from hashlib import sha512

from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
)

from corefast.errors import KeyMalformed, SignatureInvalid
from corefast.native.curve import verify_ed25519
from corefast.native.secret import wipe

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
    clamped = _clamp(private)
    a = crypto_core_ed25519_scalar_reduce(clamped)
    wipe(clamped)
    public = crypto_scalarmult_ed25519_base_noclamp(a)
    state = sha512(HASH_1)
    for part in (a, message, random):
        state.update(part)
    del part
    nonce = state.digest()
    r = crypto_core_ed25519_scalar_reduce(nonce)
    commitment = crypto_scalarmult_ed25519_base_noclamp(r)
    h = crypto_core_ed25519_scalar_reduce(sha512(commitment + public + message).digest())
    product = crypto_core_ed25519_scalar_mul(h, a)
    s = bytearray(crypto_core_ed25519_scalar_add(product, r))
    s[31] |= public[31] & SIGN_BIT
    # Each of these tells the key to whoever has the signature.
    wipe(a), wipe(nonce), wipe(r), wipe(product)
    return commitment + bytes(s)


class VerifyKey:
    """An X25519 public key that verifies. Making it divides in the field, a fifth of a verification: keep it."""

    __slots__ = ("_edwards",)

    def __init__(self, public: bytes) -> None:
        """Take 32 bytes; raise KeyMalformed."""
        even = _edwards(public)
        self._edwards = even, even[:31] + bytes([even[31] | SIGN_BIT])

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise SignatureInvalid unless the holder of the key made *signature* over *message*.

        libsodium also refuses a scalar beyond the group order and points of low order.
        """
        if len(signature) != SIGNATURE_SIZE:
            raise SignatureInvalid("a signature has 64 bytes")
        plain = signature[:63] + bytes([signature[63] & ~SIGN_BIT])
        if not verify_ed25519(self._edwards[signature[63] >> 7], message, plain):
            raise SignatureInvalid("the signature does not match")


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise SignatureInvalid unless the holder of X25519 key *public* made *signature* over *message*."""
    try:
        key = VerifyKey(public)
    except KeyMalformed:
        raise SignatureInvalid("the key that should have signed is malformed") from None
    key.verify(message, signature)


def _edwards(public: bytes) -> bytes:
    """Return the Edwards point, of sign 0, of a Montgomery u: y = (u - 1) / (u + 1) (RFC 7748, 4.1)."""
    u = int.from_bytes(public, "little")
    if len(public) != 32 or u >= FIELD - 1:
        raise KeyMalformed("a public key is not canonical")
    return ((u - 1) * pow(u + 1, -1, FIELD) % FIELD).to_bytes(32, "little")


def _clamp(private: bytes) -> bytes:
    """RFC 7748, 5: decodeScalar25519, with zeros up to the 64 bytes that are reduced."""
    return b"".join((bytes([private[0] & 248]), memoryview(private)[1:31], bytes([private[31] & 127 | 64]), bytes(32)))
