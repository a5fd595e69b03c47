from libc.stdint cimport int64_t, uint8_t, uint32_t

from corefast.link.window cimport Credit
from corefast.protocol.noise.cipher cimport CipherState
from corefast.wire.frame cimport FrameWriter


cdef class Outbox:
    cdef readonly int64_t sent_bytes
    cdef readonly object broken
    cdef CipherState _cipher
    cdef Credit _credit
    cdef object _waiting
    cdef size_t _waiting_bytes
    cdef FrameWriter _writer
    cdef list _sealed
    cdef size_t _sealed_bytes

    cdef int unlock(self, CipherState cipher) except -1
    cdef bint is_unlocked(self) noexcept
    cdef bint has_data(self) noexcept
    cdef size_t size(self) noexcept
    cdef int put_clear(self, bytes data) except -1
    cdef int send(self, uint8_t kind, uint32_t call, bytes payload) except -1
    cdef int put(self, uint8_t kind, uint32_t call, bytes payload) except -1
    cdef int put_u32(self, uint8_t kind, uint32_t value) except -1
    cdef int add_credit(self, int64_t grant) except -1
    cdef list take(self)
    cdef void drop_waiting(self)
    cdef void trim(self) noexcept
    cdef int _seal(self) except -1
