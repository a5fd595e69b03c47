from libc.stdint cimport uint8_t


cdef enum:
    POINT_SIZE = 32
    SCALAR_SIZE = 32


cdef bint derive_shared(const uint8_t *our_private, const uint8_t *their_public, uint8_t *dst) noexcept nogil
cdef void derive_public(const uint8_t *our_private, uint8_t *dst) noexcept nogil


cdef class PrivateKey:
    cdef uint8_t scalar[32]
    cdef uint8_t point[32]
