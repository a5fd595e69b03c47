from libc.stdint cimport uint8_t, uint32_t

from corefast.protocol.ratchet cimport Ratchet
from corefast.protocol.spqr cimport PqChains


cdef class SnapshotReader:
    cdef bytes _data
    cdef const uint8_t *_at
    cdef const uint8_t *_end

    cdef const uint8_t *take(self, size_t size) except NULL
    cdef int take_into(self, uint8_t *dst, size_t size) except -1
    cdef int take_byte(self, int limit) except -1
    cdef int take_u16(self) except -1
    cdef int take_u32(self, uint32_t *value) except -1
    cdef int finish(self) except -1


cdef uint8_t *put(uint8_t *dst, const void *src, size_t size) noexcept
cdef size_t ratchet_size(Ratchet ratchet) noexcept
cdef uint8_t *put_ratchet(uint8_t *dst, Ratchet ratchet) noexcept
cdef Ratchet take_ratchet(SnapshotReader reader, bint has_skipped)
cdef size_t pq_size(PqChains chains) noexcept
cdef uint8_t *put_pq(uint8_t *dst, PqChains chains) noexcept
cdef PqChains take_pq(SnapshotReader reader, bint has_skipped)
cdef size_t skipped_size(Ratchet ratchet, PqChains chains) noexcept
cdef uint8_t *put_all_skipped(uint8_t *dst, Ratchet ratchet, PqChains chains) noexcept
cdef int take_all_skipped(SnapshotReader reader, Ratchet ratchet, PqChains chains) except -1
