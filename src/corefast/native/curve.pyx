"""X25519 (RFC 7748) on raw 32-byte keys, and the verification of Ed25519. Private keys are clamped when used, not when
stored.

By the libsodium inside PyNaCl, through its C functions: 30 us for an agreement and 17 us for a public key, where
libcrypto takes 39 and 36 (docs/decisions/012).
"""

import ctypes

from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memcpy

from corefast.native.memory cimport bytes_at, bytes_fill, bytes_from, bytes_room, bytes_size, explicit_bzero

# Its import makes libsodium choose the code for this processor.
import nacl.bindings
from nacl import _sodium

from corefast.errors import KeyAgreementFailed, KeyMalformed

ctypedef int (*Multiply)(uint8_t *dst, const uint8_t *scalar, const uint8_t *point) noexcept nogil
ctypedef int (*MultiplyBase)(uint8_t *dst, const uint8_t *scalar) noexcept nogil
ctypedef int (*Verify)(const uint8_t *signature, const uint8_t *message, unsigned long long size,
                       const uint8_t *public) noexcept nogil

cdef Multiply MULTIPLY
cdef MultiplyBase MULTIPLY_BASE
cdef Verify VERIFY

cdef enum:
    SIGNATURE_SIZE = 64

# 5 L - 1 with L the order of the group: minus one to a point of that order, and a scalar that clamping leaves alone.
cdef const uint8_t *MINUS_ONE = (
    b"\xa0\x23\xcd\xd0\x83\xef\x5b\xb8\x2f\x10\xd6\x2e\x59\xe1\x5a\x68"
    b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x50")


cdef size_t find_function(str name) except 0:
    """Return the address of a function of libsodium."""
    try:
        function = getattr(ctypes.CDLL(_sodium.__file__), name)
    except (OSError, AttributeError):
        raise ImportError(f"PyNaCl {nacl.__version__} shows no {name}") from None
    return ctypes.cast(function, ctypes.c_void_p).value


cdef bint derive_shared(const uint8_t *our_private, const uint8_t *their_public, uint8_t *dst) noexcept nogil:
    """Write the 32-byte shared secret; False if it would be all zero (RFC 7748, 6.1: a low-order point)."""
    return MULTIPLY(dst, our_private, their_public) == 0


cdef void derive_public(const uint8_t *our_private, uint8_t *dst) noexcept nogil:
    """Write the 32-byte public key."""
    MULTIPLY_BASE(dst, our_private)


def public_from_private(bytes our_private not None):
    """Return the 32-byte public key of a 32-byte private key; raise KeyMalformed on another size."""
    if bytes_size(our_private) != SCALAR_SIZE:
        raise KeyMalformed("a private key has 32 bytes")
    public = bytes_room(POINT_SIZE)
    derive_public(bytes_at(our_private), bytes_fill(public))
    return public


def agree(bytes our_private not None, bytes their_public not None):
    """Return the 32-byte shared secret; raise KeyAgreementFailed (low-order point) or KeyMalformed (wrong size)."""
    if bytes_size(our_private) != SCALAR_SIZE or bytes_size(their_public) != POINT_SIZE:
        raise KeyMalformed("a key has 32 bytes")
    shared = bytes_room(POINT_SIZE)
    if not derive_shared(bytes_at(our_private), bytes_at(their_public), bytes_fill(shared)):
        raise KeyAgreementFailed("the shared secret would be zero")
    return shared


cdef class PrivateKey:
    """A private key of 32 bytes in memory of its own, which is wiped when it is freed, and its public key.

    Making it is one multiplication. Raises KeyMalformed.
    """

    def __cinit__(self, bytes private not None):
        if bytes_size(private) != SCALAR_SIZE:
            raise KeyMalformed("a private key has 32 bytes")
        memcpy(self.scalar, bytes_at(private), SCALAR_SIZE)
        derive_public(self.scalar, self.point)

    def __dealloc__(self):
        explicit_bzero(self.scalar, SCALAR_SIZE)

    def copy(self):
        """Return a new bytes object of the key, which the caller wipes."""
        return bytes_from(self.scalar, SCALAR_SIZE)

    def public(self):
        """Return the 32-byte public key."""
        return bytes_from(self.point, POINT_SIZE)


def is_on_curve(bytes public not None):
    """Whether an X25519 key is canonical and in the group of prime order: no twist, no torsion.

    One multiplication tells, by a multiple of 8 that is -1 modulo the order: exactly these come back as they were. A
    point with torsion comes back without it. The twist has none but zero whose order divides 5 L - 2 or 5 L.
    """
    cdef uint8_t negated[POINT_SIZE]
    return (
        bytes_size(public) == POINT_SIZE
        and derive_shared(MINUS_ONE, bytes_at(public), negated)
        and not memcmp(negated, bytes_at(public), POINT_SIZE)
    )


def verify_ed25519(bytes edwards not None, bytes message not None, bytes signature not None):
    """Whether *signature* is one of *message* by the Ed25519 key *edwards* (RFC 8032), not of low order."""
    return (
        bytes_size(edwards) == POINT_SIZE
        and bytes_size(signature) == SIGNATURE_SIZE
        and VERIFY(bytes_at(signature), bytes_at(message), bytes_size(message), bytes_at(edwards)) == 0
    )


MULTIPLY = <Multiply> find_function("crypto_scalarmult_curve25519")
MULTIPLY_BASE = <MultiplyBase> find_function("crypto_scalarmult_curve25519_base")
VERIFY = <Verify> find_function("crypto_sign_ed25519_verify_detached")
