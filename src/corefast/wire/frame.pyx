"""Frames and records: how a stream of bytes is cut, and how a frame's plaintext is.

A frame is a 3-byte big-endian length and that many bytes. Opened, it is a row of records: one byte of kind, whose
top bit says that more of the same message follows, a u32 call number, a u16 length, and the payload. Knows neither
keys nor what a kind means.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from corefast.native.bytes cimport load_u16, load_u24, load_u32, store_u16, store_u24, store_u32
from corefast.native.memory cimport bytes_at, bytes_from, bytes_size, explicit_bzero

from corefast.errors import FrameMalformed, FrameTooLarge

cdef enum:
    FIRST_ROOM = 512


cdef class FrameReader:
    """Cuts a stream into frames, wherever the stream is cut into chunks. A frame inside one chunk is not copied."""

    def __cinit__(self, size_t max_frame):
        self.max_frame = max_frame
        self._data = b""

    def __dealloc__(self):
        PyMem_Free(self._held)

    @property
    def is_empty(self):
        """True between two frames: where a stream may end."""
        return (self._held_done or not self._held_size) and self._position == bytes_size(self._data)

    def receive_data(self, bytes data not None):
        """Return the frames that *data* completes."""
        cdef const uint8_t *start
        cdef size_t size
        self.feed(data)
        frames = []
        while self.next(&start, &size):
            frames.append(bytes_from(start, size))
        return frames

    def allow(self, size_t max_frame):
        """Change the largest frame, from the next one on."""
        self.max_frame = max_frame

    cdef int feed(self, bytes data) except -1:
        """Take a chunk; the one before was read to its end with `next`."""
        self._data = data
        self._position = 0
        return 0

    cdef bint next(self, const uint8_t **start, size_t *size) except -1:
        """Point to the next frame, valid until the next call; False where the chunk ends before it does."""
        cdef const uint8_t *src = bytes_at(self._data) + self._position
        cdef size_t left = bytes_size(self._data) - self._position
        cdef size_t length
        if self._held_done:
            self._held_size = 0
            self._held_done = False
        if self._held_size:
            return self._next_held(start, size)
        if left >= LENGTH_SIZE:
            length = self._check(src)
            if left - LENGTH_SIZE >= length:
                start[0] = src + LENGTH_SIZE
                size[0] = length
                self._position += LENGTH_SIZE + length
                return True
        self._hold(src, left)
        self._data = b""
        self._position = 0
        return False

    cdef void trim(self) noexcept:
        """Give back memory that no frame is in: a server has thousands of readers, most of them idle."""
        if self._held_done or not self._held_size:
            PyMem_Free(self._held)
            self._held = NULL
            self._held_room = self._held_size = 0
            self._held_done = False

    cdef bint _next_held(self, const uint8_t **start, size_t *size) except -1:
        """Complete the frame that began in an earlier chunk, taking no byte more than it needs."""
        cdef size_t left = bytes_size(self._data) - self._position
        cdef size_t needed = LENGTH_SIZE
        cdef size_t taken
        while True:
            if self._held_size >= LENGTH_SIZE:
                needed = LENGTH_SIZE + self._check(self._held)
            taken = min(needed - self._held_size, left)
            self._hold(bytes_at(self._data) + self._position, taken)
            left -= taken
            if self._held_size < needed:
                self._data = b""
                self._position = 0
                return False
            if needed > LENGTH_SIZE:
                start[0] = self._held + LENGTH_SIZE
                size[0] = needed - LENGTH_SIZE
                self._held_done = True
                return True

    cdef int _hold(self, const uint8_t *src, size_t size) except -1:
        if not size:
            return 0
        if self._held_size + size > self._held_room:
            self._grow(max(self._held_size + size, 2 * self._held_room, <size_t> FIRST_ROOM))
        memcpy(self._held + self._held_size, src, size)
        self._held_size += size
        self._position += size
        return 0

    cdef int _grow(self, size_t room) except -1:
        cdef uint8_t *held = <uint8_t *> PyMem_Realloc(self._held, room)
        if held is NULL:
            raise MemoryError
        self._held = held
        self._held_room = room
        return 0

    cdef size_t _check(self, const uint8_t *head) except? 0:
        cdef size_t length = load_u24(head)
        if length > self.max_frame:
            raise FrameTooLarge("a frame is longer than this link allows")
        if not length:
            raise FrameMalformed("a frame is empty")
        return length


cdef class RecordReader:
    """Iterates over the records of a frame as (kind, more, call, payload)."""

    def __cinit__(self, bytes plaintext not None):
        self._plaintext = plaintext

    def __iter__(self):
        return self

    def __next__(self):
        cdef Record record
        if not self.next(&record):
            raise StopIteration
        return record.kind, record.more, record.call, bytes_from(record.payload, record.size)

    cdef bint next(self, Record *record) except -1:
        """Point to the next record, valid as long as we are; False at the end."""
        cdef const uint8_t *src = bytes_at(self._plaintext) + self._position
        cdef size_t left = bytes_size(self._plaintext) - self._position
        if not left:
            return False
        if left < HEAD_SIZE:
            raise FrameMalformed("a record's head is cut")
        record.kind = src[0] & KIND_MASK
        record.more = src[0] & MORE
        record.call = load_u32(src + 1)
        record.size = load_u16(src + 5)
        record.payload = src + HEAD_SIZE
        if record.size > left - HEAD_SIZE:
            raise FrameMalformed("a record is cut")
        if not ONE_WAY <= record.kind <= CLOSE:
            raise FrameMalformed("a record's kind is unknown")
        self._position += HEAD_SIZE + record.size
        return True


cdef class FrameWriter:
    """The plaintext of the frame that is being filled."""

    def __dealloc__(self):
        if self._data is not NULL:
            explicit_bzero(self._data, self._room)
        PyMem_Free(self._data)

    def add(self, uint8_t kind, uint32_t call, bytes payload not None):
        """Append a record; raise `FrameTooLarge` where it does not fit."""
        self.append(kind, call, bytes_at(payload), bytes_size(payload))

    def take(self):
        """Return the plaintext and start again."""
        plaintext = bytes_from(self._data, self.size)
        self.clear()
        return plaintext

    cdef size_t room(self) noexcept:
        """Bytes of payload that one more record may have."""
        cdef size_t left = MAX_PLAINTEXT - self.size
        return left - HEAD_SIZE if left > HEAD_SIZE else 0

    cdef int append(self, uint8_t kind, uint32_t call, const uint8_t *payload, size_t size) except -1:
        cdef size_t needed = self.size + HEAD_SIZE + size
        cdef uint8_t *dst
        if needed > MAX_PLAINTEXT:
            raise FrameTooLarge("a record is longer than the rest of its frame")
        if needed > self._room:
            self._grow(needed)
        dst = self._data + self.size
        dst[0] = kind
        store_u32(dst + 1, call)
        store_u16(dst + 5, <unsigned short> size)
        memcpy(dst + HEAD_SIZE, payload, size)
        self.size = needed
        return 0

    cdef void clear(self) noexcept:
        self.size = 0

    cdef void trim(self) noexcept:
        """Give back the memory of an empty frame, wiped."""
        if self._data is not NULL and not self.size:
            explicit_bzero(self._data, self._room)
            PyMem_Free(self._data)
            self._data = NULL
            self._room = 0

    cdef int _grow(self, size_t needed) except -1:
        cdef size_t room = min(max(needed, 2 * self._room, <size_t> FIRST_ROOM), <size_t> MAX_PLAINTEXT)
        cdef uint8_t *data = <uint8_t *> PyMem_Malloc(room)
        if data is NULL:
            raise MemoryError
        if self._data is not NULL:
            memcpy(data, self._data, self.size)
            explicit_bzero(self._data, self._room)
            PyMem_Free(self._data)
        self._data = data
        self._room = room
        return 0


def frame(bytes body not None):
    """Return *body* behind its length."""
    cdef uint8_t head[LENGTH_SIZE]
    if bytes_size(body) > MAX_CIPHERTEXT:
        raise FrameTooLarge("a frame has at most 65,535 bytes")
    store_u24(head, <uint32_t> bytes_size(body))
    return bytes_from(head, LENGTH_SIZE) + body
