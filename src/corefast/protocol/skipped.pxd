from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef enum:
    BLOCK_SHIFT = 5
    BLOCK_KEYS = 1 << BLOCK_SHIFT


cdef struct SkippedKey:
    uint32_t index
    bint is_taken
    uint8_t seed[32]


cdef class SkippedKeys:
    cdef SkippedKey *keys       # in use from `first` to `end`, indexes ascending
    cdef size_t first
    cdef size_t end
    cdef size_t room
    cdef size_t size            # without those that are taken
    cdef set changed            # numbers of the blocks that differ from what is stored; None where none does

    cdef const SkippedKey *find(self, uint32_t index) noexcept
    cdef int extend(self, const SkippedKey *passed, size_t count) except -1
    cdef int remove(self, uint32_t index) except -1
    cdef size_t at_or_above(self, uint64_t index) noexcept
    cdef int _change(self, uint32_t index) except -1
    cdef int _evict(self, size_t excess) except -1
    cdef int _rebuild(self, size_t room) except -1


cdef size_t kept_of(size_t count) noexcept
cdef void wipe_keys(SkippedKey *keys, size_t count) noexcept
