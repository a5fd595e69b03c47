"""Kyber-1024 of round 3, as libsignal speaks it, on top of ML-KEM-1024 (FIPS 203).

Keys and ciphertexts of the two are the same bytes. Round 3 hashes once more at the end (CRYSTALS-Kyber 3.02,
algorithms 8 and 9): its secret is SHAKE256(K || SHA3-256(ciphertext), 32) with K the secret of ML-KEM. Only the
secret that a *wrong* ciphertext yields differs, and that one is never compared.
"""

from hashlib import sha3_256, shake_256
from typing import NoReturn, Self

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey, MLKEM1024PublicKey

from corefast.errors import KeyMalformed
from corefast.native.secret import wipe

PUBLIC_SIZE = 1568
CIPHERTEXT_SIZE = 1568
SHARED_SIZE = 32
SECRET_SIZE = 64
"""A secret is kept as its seed d || z (FIPS 203, 7.1), not as the 3,168 bytes it expands to."""


class KemKeyPair:
    """A key that others encapsulate to. `secret` leaves only toward a sealed store."""

    __slots__ = ("_private", "public")

    def __init__(self, private: MLKEM1024PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """Return a new pair, drawn from libcrypto's own generator."""
        return cls(MLKEM1024PrivateKey.generate())

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Restore a pair from its `secret`; raise KeyMalformed."""
        if len(secret) != SECRET_SIZE:
            raise KeyMalformed(f"a KEM secret has {SECRET_SIZE} bytes")
        return cls(MLKEM1024PrivateKey.from_seed_bytes(secret))

    @property
    def secret(self) -> bytes:
        return self._private.private_bytes_raw()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the 32-byte shared secret; a wrong ciphertext of the right size yields a secret nobody knows."""
        if len(ciphertext) != CIPHERTEXT_SIZE:
            raise KeyMalformed(f"a KEM ciphertext has {CIPHERTEXT_SIZE} bytes")
        shared = self._private.decapsulate(ciphertext)
        secret = _round_3(shared, ciphertext)
        wipe(shared)
        return secret

    def __repr__(self) -> str:
        return "<KemKeyPair>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """Return (ciphertext, 32-byte shared secret) for the holder of *public*; raise KeyMalformed."""
    if len(public) != PUBLIC_SIZE:
        raise KeyMalformed(f"a KEM public key has {PUBLIC_SIZE} bytes")
    try:
        shared, ciphertext = MLKEM1024PublicKey.from_public_bytes(public).encapsulate()
    except ValueError:
        raise KeyMalformed("a KEM public key has a coefficient out of range") from None
    secret = _round_3(shared, ciphertext)
    wipe(shared)
    return ciphertext, secret


def _round_3(shared: bytes, ciphertext: bytes) -> bytes:
    state = shake_256(shared)
    state.update(sha3_256(ciphertext).digest())
    return state.digest(SHARED_SIZE)
