"""What both sides of a first message agree on: X3DH, and PQXDH, which adds the secret of a KEM (Signal, "The X3DH Key
Agreement Protocol" and "The PQXDH Key Agreement Protocol"; libsignal, pqxdh.rs).

X3DH alone makes a session of version 3 (libsignal up to 0.72), PQXDH one of version 4. The callers wipe.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from corefast.native.curve cimport POINT_SIZE, PrivateKey, derive_shared
from corefast.native.kdf cimport hkdf
from corefast.native.memory cimport bytes_at, bytes_size

from corefast.errors import KeyAgreementFailed, KeyMalformed

cdef enum:
    CURVE_TYPE = 0x05
    PUBLIC_SIZE = 33
    KEM_SECRET_SIZE = 32
    X3DH_INFO_SIZE = 11
    PQXDH_INFO_SIZE = 46

cdef const uint8_t *X3DH_INFO = b"WhisperText"
cdef const uint8_t *PQXDH_INFO = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"


cdef void begin(Agreed *agreed) noexcept:
    """F of X3DH, 2.2: no encoding of a point, so the input is never that of a signature."""
    memset(agreed.secret, 0xFF, POINT_SIZE)
    agreed.size = POINT_SIZE


cdef int add(Agreed *agreed, PrivateKey ours, bytes theirs) except -1:
    """Add what our key and their public one (33 bytes) agree on; raise KeyAgreementFailed or KeyMalformed."""
    if bytes_size(theirs) != PUBLIC_SIZE or bytes_at(theirs)[0] != CURVE_TYPE:
        raise KeyMalformed("not a Curve25519 public key")
    if not derive_shared(ours.scalar, bytes_at(theirs) + 1, agreed.secret + agreed.size):
        raise KeyAgreementFailed("the shared secret would be zero")
    agreed.size += POINT_SIZE
    return 0


cdef int agree_as_initiator(Agreed *agreed, PrivateKey our_identity, PrivateKey our_base, bytes their_identity,
                            bytes their_signed, bytes their_one_time) except -1:
    """X3DH 3.3 for the writer of the first message; the one-time prekey may be None. Raises what `add` does."""
    begin(agreed)
    add(agreed, our_identity, their_signed)
    add(agreed, our_base, their_identity)
    add(agreed, our_base, their_signed)
    if their_one_time is not None:
        add(agreed, our_base, their_one_time)
    return 0


cdef int agree_as_responder(Agreed *agreed, PrivateKey our_identity, PrivateKey our_signed, PrivateKey our_one_time,
                            bytes their_identity, bytes their_base) except -1:
    """X3DH 3.4 for the reader of the first message; the one-time prekey may be None. Raises what `add` does."""
    begin(agreed)
    add(agreed, our_signed, their_identity)
    add(agreed, our_identity, their_base)
    add(agreed, our_signed, their_base)
    if our_one_time is not None:
        add(agreed, our_one_time, their_base)
    return 0


cdef int add_kem_secret(Agreed *agreed, bytes secret) except -1:
    """Add the secret of the KEM (PQXDH, 3.3), which comes last."""
    if bytes_size(secret) != KEM_SECRET_SIZE:
        raise KeyMalformed("a KEM secret has 32 bytes")
    memcpy(agreed.secret + agreed.size, bytes_at(secret), KEM_SECRET_SIZE)
    agreed.size += KEM_SECRET_SIZE
    return 0


cdef void derive_initial(const Agreed *agreed, int version, InitialKeys *keys) noexcept:
    """Write the keys of a session of that version (PQXDH, 2.2)."""
    memset(keys, 0, sizeof(InitialKeys))
    if version == PQXDH_VERSION:
        hkdf(NULL, 0, agreed.secret, agreed.size, PQXDH_INFO, PQXDH_INFO_SIZE, <uint8_t *> keys, sizeof(InitialKeys))
    else:
        hkdf(NULL, 0, agreed.secret, agreed.size, X3DH_INFO, X3DH_INFO_SIZE, <uint8_t *> keys, 2 * POINT_SIZE)
