from libc.stdint cimport uint8_t

from corefast.native.provider cimport EVP_CIPHER_CTX


cdef enum:
    AEAD_KEY_SIZE = 32
    NONCE_SIZE = 12
    TAG_SIZE = 16
    CBC_KEY_SIZE = 32
    CBC_BLOCK_SIZE = 16


cdef class AesGcm:
    cdef EVP_CIPHER_CTX *_context

    cdef bint seal_into(self, const uint8_t *nonce, const uint8_t *ad, size_t ad_size,
                        const uint8_t *src, size_t size, uint8_t *dst) noexcept nogil
    cdef bint open_into(self, const uint8_t *nonce, const uint8_t *ad, size_t ad_size,
                        const uint8_t *src, size_t size, uint8_t *dst) noexcept nogil


cdef int cbc_seal(const uint8_t *key, const uint8_t *iv, const uint8_t *src, int size, uint8_t *dst) noexcept
cdef int cbc_open(const uint8_t *key, const uint8_t *iv, const uint8_t *src, int size, uint8_t *dst) noexcept
