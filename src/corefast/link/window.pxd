from libc.stdint cimport int64_t


cdef enum:
    MESSAGE_COST = 64    # of a message beside its bytes: what the smallest one costs us to hold


cdef class Window:
    cdef readonly int64_t size
    cdef readonly int64_t left
    cdef int64_t _consumed

    cdef int take(self, int64_t cost) except -1
    cdef void release(self, int64_t cost) noexcept
    cdef int64_t grant(self) noexcept


cdef class Credit:
    cdef readonly int64_t left

    cdef bint spend(self, int64_t cost) noexcept
    cdef int add(self, int64_t grant) except -1
