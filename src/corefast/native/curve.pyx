"""X25519 (RFC 7748) on raw 32-byte keys. Private keys are clamped when used, not when stored.

By the libsodium inside PyNaCl, through its C functions: 30 us for an agreement and 17 us for a public key, where
libcrypto takes 39 and 36 (docs/decisions/012).
"""

import ctypes

from libc.stdint cimport uint8_t

from corefast.native.memory cimport bytes_at, bytes_fill, bytes_room, bytes_size

# Its import makes libsodium choose the code for this processor.
import nacl.bindings
from nacl import _sodium

from corefast.errors import KeyAgreementFailed, KeyMalformed

ctypedef int (*Multiply)(uint8_t *dst, const uint8_t *scalar, const uint8_t *point) noexcept nogil
ctypedef int (*MultiplyBase)(uint8_t *dst, const uint8_t *scalar) noexcept nogil

cdef Multiply MULTIPLY
cdef MultiplyBase MULTIPLY_BASE


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


def public_from_private(bytes our_private not None):
    """Return the 32-byte public key of a 32-byte private key; raise KeyMalformed on another size."""
    if bytes_size(our_private) != SCALAR_SIZE:
        raise KeyMalformed("a private key has 32 bytes")
    public = bytes_room(POINT_SIZE)
    MULTIPLY_BASE(bytes_fill(public), bytes_at(our_private))
    return public


def agree(bytes our_private not None, bytes their_public not None):
    """Return the 32-byte shared secret; raise KeyAgreementFailed (low-order point) or KeyMalformed (wrong size)."""
    if bytes_size(our_private) != SCALAR_SIZE or bytes_size(their_public) != POINT_SIZE:
        raise KeyMalformed("a key has 32 bytes")
    shared = bytes_room(POINT_SIZE)
    if not derive_shared(bytes_at(our_private), bytes_at(their_public), bytes_fill(shared)):
        raise KeyAgreementFailed("the shared secret would be zero")
    return shared


MULTIPLY = <Multiply> find_function("crypto_scalarmult_curve25519")
MULTIPLY_BASE = <MultiplyBase> find_function("crypto_scalarmult_curve25519_base")
