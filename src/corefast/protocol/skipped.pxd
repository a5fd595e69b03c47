from libc.stdint cimport uint8_t, uint32_t


cdef struct SkippedKey:
    uint32_t index
    uint8_t seed[32]


cdef class SkippedKeys:
    cdef SkippedKey *keys
    cdef size_t size

    cdef const SkippedKey *find(self, uint32_t index) noexcept
    cdef int extend(self, const SkippedKey *passed, size_t count) except -1
    cdef void remove(self, uint32_t index) noexcept
    cdef void _replace(self, SkippedKey *keys, size_t size) noexcept


cdef size_t kept_of(size_t count) noexcept
