"""Keys as they travel: a type byte and the raw key (libsignal, core/curve.rs and protocol/kem.rs)."""

from collections.abc import Callable
from typing import NoReturn, Self

from corefast.errors import KeyMalformed
from corefast.native import curve, kem, xeddsa
from corefast.native.secret import wipe

CURVE_TYPE = 0x05
KEM_TYPE = 0x08
"""Kyber-1024 of round 3, the only KEM that released libsignals are built with."""

PRIVATE_SIZE = 32
PUBLIC_SIZE = 1 + 32
KEM_PUBLIC_SIZE = 1 + kem.PUBLIC_SIZE
KEM_CIPHERTEXT_SIZE = 1 + kem.CIPHERTEXT_SIZE

Random = Callable[[int], bytes]
"""Returns that many fresh random bytes, to be wiped where nobody else holds them; programs pass os.urandom."""


class KeyPair:
    """An X25519 key pair that agrees (`key`) and signs (XEdDSA). `private` leaves only toward a sealed store."""

    __slots__ = ("key", "public")

    def __init__(self, key: curve.PrivateKey) -> None:
        self.key = key
        self.public = bytes([CURVE_TYPE]) + key.public()

    @property
    def private(self) -> bytes:
        """A copy of the 32 bytes, which the caller wipes."""
        return self.key.copy()

    @classmethod
    def generate(cls, random: Random) -> Self:
        return cls(new_private(random))

    @classmethod
    def from_private(cls, private: bytes) -> Self:
        """Return the pair of a 32-byte private key; raise KeyMalformed. One multiplication: keep the pair."""
        return cls(curve.PrivateKey(private))

    def sign(self, message: bytes, random: Random) -> bytes:
        """Return the 64-byte XEdDSA signature of *message*."""
        private = self.private
        try:
            return xeddsa.sign(private, message, random(xeddsa.RANDOM_SIZE))
        finally:
            wipe(private)

    def __repr__(self) -> str:
        return "<KeyPair>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


def new_private(random: Random) -> curve.PrivateKey:
    """Return a key made of random(32); raise KeyMalformed if those are not 32 bytes."""
    private = random(PRIVATE_SIZE)
    key = curve.PrivateKey(private)
    wipe(private)
    return key


class KemKeyPair:
    """A Kyber-1024 key pair. `secret` (64 bytes) leaves only toward a sealed store."""

    __slots__ = ("_pair", "public")

    def __init__(self, pair: kem.KemKeyPair) -> None:
        self._pair = pair
        self.public = bytes([KEM_TYPE]) + pair.public

    @classmethod
    def generate(cls) -> Self:
        """Return a new pair, drawn from libcrypto's own generator."""
        return cls(kem.KemKeyPair.generate())

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Restore a pair from its `secret`; raise KeyMalformed."""
        return cls(kem.KemKeyPair.from_secret(secret))

    @property
    def secret(self) -> bytes:
        """A copy, which the caller wipes."""
        return self._pair.secret

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the 32-byte secret of a ciphertext with its type byte; raise KeyMalformed."""
        if len(ciphertext) != KEM_CIPHERTEXT_SIZE or ciphertext[0] != KEM_TYPE:
            raise KeyMalformed("not a Kyber-1024 ciphertext")
        return self._pair.decapsulate(ciphertext[1:])

    def __repr__(self) -> str:
        return "<KemKeyPair>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


def encapsulate(their_public: bytes) -> tuple[bytes, bytes]:
    """Return (ciphertext with its type byte, 32-byte secret) for a Kyber key; raise KeyMalformed."""
    if len(their_public) != KEM_PUBLIC_SIZE or their_public[0] != KEM_TYPE:
        raise KeyMalformed("not a Kyber-1024 public key")
    ciphertext, shared = kem.encapsulate(their_public[1:])
    return bytes([KEM_TYPE]) + ciphertext, shared


def raw_public(public: bytes) -> bytes:
    """Return the 32 bytes behind the type byte; raise KeyMalformed."""
    if len(public) != PUBLIC_SIZE or public[0] != CURVE_TYPE:
        raise KeyMalformed("not a Curve25519 public key")
    return public[1:]


def check_on_curve(public: bytes) -> None:
    """Raise KeyMalformed unless *public* is canonical and free of torsion (libsignal, pqxdh.rs, for a base key)."""
    if not curve.is_on_curve(raw_public(public)):
        raise KeyMalformed("the public key is not a canonical point of prime order")


def verify_key(public: bytes) -> xeddsa.VerifyKey:
    """Return the key, made ready to verify many signatures; raise KeyMalformed."""
    return xeddsa.VerifyKey(raw_public(public))


def verify_signature(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise SignatureInvalid unless the holder of *public* signed *message*; raise KeyMalformed."""
    xeddsa.verify(raw_public(public), message, signature)
