from libc.stdint cimport uint8_t, uint32_t


cdef enum:
    DIGEST_SIZE = 32
    HMAC_BLOCK_SIZE = 64


cdef struct HmacKey:
    # The hash states after the padded key: two of the four blocks of a short HMAC, done once.
    uint32_t inner[8]
    uint32_t outer[8]


cdef void hmac_load(HmacKey *key, const uint8_t *src, size_t size) noexcept nogil
cdef size_t pad(uint8_t *message, size_t size) noexcept nogil
cdef void hmac_padded(const HmacKey *key, const uint8_t *padded, size_t blocks, uint8_t *dst) noexcept nogil
cdef void hmac_digest(const HmacKey *key, const uint8_t *src, size_t size, uint8_t *dst) noexcept nogil
cdef void hmac_digest_pair(const HmacKey *key, const uint8_t *first, size_t first_size,
                           const uint8_t *second, size_t second_size, uint8_t *dst) noexcept nogil
cdef void hkdf_extract(const uint8_t *salt, size_t salt_size, const uint8_t *ikm, size_t size,
                       uint8_t *dst) noexcept nogil
cdef void hkdf_expand(const uint8_t *prk, const uint8_t *info, size_t info_size,
                      uint8_t *dst, size_t size) noexcept nogil
cdef void hkdf(const uint8_t *salt, size_t salt_size, const uint8_t *ikm, size_t ikm_size,
               const uint8_t *info, size_t info_size, uint8_t *dst, size_t size) noexcept nogil
