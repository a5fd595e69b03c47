from libc.stdint cimport uint8_t

from corefast.native.curve cimport PrivateKey


cdef enum:
    X3DH_VERSION = 3
    PQXDH_VERSION = 4


cdef struct Agreed:
    # F of X3DH, 2.2, up to four agreements, and the secret of the KEM: so much of it as there is.
    uint8_t secret[6 * 32]
    size_t size


cdef struct InitialKeys:
    uint8_t root[32]
    uint8_t chain[32]       # the responder's sending one
    uint8_t pq[32]          # what SPQR's chains are made of; zeros without PQXDH


cdef int agree_as_initiator(Agreed *agreed, PrivateKey our_identity, PrivateKey our_base, bytes their_identity,
                            bytes their_signed, bytes their_one_time) except -1
cdef int agree_as_responder(Agreed *agreed, PrivateKey our_identity, PrivateKey our_signed, PrivateKey our_one_time,
                            bytes their_identity, bytes their_base) except -1
cdef int add_kem_secret(Agreed *agreed, bytes secret) except -1
cdef void derive_initial(const Agreed *agreed, int version, InitialKeys *keys) noexcept
