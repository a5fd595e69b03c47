from libc.stdint cimport uint8_t, uint32_t


cdef enum:
    LENGTH_SIZE = 3      # before each frame: the size of what follows, big-endian
    HEAD_SIZE = 7        # before each record: kind and MORE bit, call u32, length u16
    TAG_SIZE = 16
    MAX_CIPHERTEXT = 65535
    MAX_PLAINTEXT = MAX_CIPHERTEXT - TAG_SIZE

cdef enum Kind:
    ONE_WAY = 1
    CALL = 2
    ANSWER = 3
    FAILURE = 4
    CREDIT = 5
    PING = 6
    PONG = 7
    CLOSE = 8

cdef enum:
    KIND_MASK = 0x7F
    MORE = 0x80


cdef struct Record:
    uint8_t kind
    bint more
    uint32_t call
    const uint8_t *payload
    size_t size


cdef class FrameReader:
    cdef readonly size_t max_frame
    cdef bytes _data
    cdef size_t _position
    cdef uint8_t *_held
    cdef size_t _held_size
    cdef size_t _held_room
    cdef bint _held_done

    cdef int feed(self, bytes data) except -1
    cdef bint next(self, const uint8_t **start, size_t *size) except -1
    cdef void trim(self) noexcept
    cdef int _hold(self, const uint8_t *src, size_t size) except -1
    cdef int _grow(self, size_t room) except -1
    cdef size_t _check(self, const uint8_t *head) except? 0
    cdef bint _next_held(self, const uint8_t **start, size_t *size) except -1


cdef class RecordReader:
    cdef bytes _plaintext
    cdef size_t _position

    cdef bint next(self, Record *record) except -1


cdef class FrameWriter:
    cdef uint8_t *_data
    cdef readonly size_t size
    cdef size_t _room

    cdef size_t room(self) noexcept
    cdef int append(self, uint8_t kind, uint32_t call, const uint8_t *payload, size_t size) except -1
    cdef void clear(self) noexcept
    cdef void trim(self) noexcept
    cdef int _grow(self, size_t needed) except -1
