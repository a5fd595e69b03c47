"""Fixed-width big-endian integers in byte strings. The caller checks the bounds."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from * nogil:
    """
    /* Eight words, big-endian, by two wide stores: a block that is read right behind narrow ones waits for them. */
    typedef uint32_t corefast_words __attribute__((vector_size(16)));

    static inline void corefast_store_digest(uint8_t *dst, const uint32_t *words) {
        for (int half = 0; half < 2; half++) {
            corefast_words four;
            memcpy(&four, words + 4 * half, 16);
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            four = ((four & 0x00ff00ffu) << 8) | ((four >> 8) & 0x00ff00ffu);
            four = (four << 16) | (four >> 16);
    #endif
            memcpy(dst + 16 * half, &four, 16);
        }
    }
    """
    void store_digest "corefast_store_digest"(uint8_t *dst, const uint32_t *words)


cdef inline uint16_t load_u16(const uint8_t *src) noexcept nogil:
    return <uint16_t> ((<uint32_t> src[0] << 8) | src[1])


cdef inline uint32_t load_u24(const uint8_t *src) noexcept nogil:
    return (<uint32_t> src[0] << 16) | (<uint32_t> src[1] << 8) | src[2]


cdef inline uint32_t load_u32(const uint8_t *src) noexcept nogil:
    return (<uint32_t> src[0] << 24) | (<uint32_t> src[1] << 16) | (<uint32_t> src[2] << 8) | src[3]


cdef inline uint64_t load_u64(const uint8_t *src) noexcept nogil:
    return (<uint64_t> load_u32(src) << 32) | load_u32(src + 4)


cdef inline void store_u16(uint8_t *dst, uint16_t value) noexcept nogil:
    dst[0] = <uint8_t> (value >> 8)
    dst[1] = <uint8_t> value


cdef inline void store_u24(uint8_t *dst, uint32_t value) noexcept nogil:
    dst[0] = <uint8_t> (value >> 16)
    dst[1] = <uint8_t> (value >> 8)
    dst[2] = <uint8_t> value


cdef inline void store_u32(uint8_t *dst, uint32_t value) noexcept nogil:
    dst[0] = <uint8_t> (value >> 24)
    dst[1] = <uint8_t> (value >> 16)
    dst[2] = <uint8_t> (value >> 8)
    dst[3] = <uint8_t> value


cdef inline void store_u64(uint8_t *dst, uint64_t value) noexcept nogil:
    store_u32(dst, <uint32_t> (value >> 32))
    store_u32(dst + 4, <uint32_t> value)
