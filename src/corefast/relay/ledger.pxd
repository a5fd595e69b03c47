"""Rows on their way to the disk and off it."""

from libc.stdint cimport int64_t

from corefast.relay.mailbox cimport Item, Mailbox


cdef class Ledger:
    cdef object _store
    cdef object _written
    cdef list _puts
    cdef list _takes
    cdef object _barriers
    cdef int64_t _handed
    cdef int64_t _done
    cdef readonly int64_t waiting
    cdef int put(self, Item item) except -1
    cdef int cancel(self, Item item) except -1
    cdef int take(self, tuple row) except -1
    cdef int count(self, Mailbox box, int items, Py_ssize_t size) except -1
    cdef bint is_stuck(self) noexcept
    cdef bint has_work(self) noexcept
    cdef int hand_over(self) except -1
    cdef int when_written(self, object callback) except -1
