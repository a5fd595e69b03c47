from libc.stdint cimport uint8_t, uint64_t

from corefast.native.aead cimport AesGcm


cdef class CipherState:
    cdef AesGcm _aead
    cdef uint64_t _nonce

    cdef int seal_into(self, const uint8_t *ad, size_t ad_size,
                       const uint8_t *src, size_t size, uint8_t *dst) except -1
    cdef int open_into(self, const uint8_t *ad, size_t ad_size,
                       const uint8_t *src, size_t size, uint8_t *dst) except -1
    cdef int _load_nonce(self, uint8_t *nonce) except -1
