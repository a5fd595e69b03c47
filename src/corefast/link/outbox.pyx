"""What a link has to say: records wait for credit, then in the frame that is being filled, then sealed."""

from collections import deque

from libc.stdint cimport int64_t, uint8_t, uint32_t

from corefast.link.window cimport MESSAGE_COST, Credit
from corefast.native.bytes cimport store_u24, store_u32
from corefast.native.memory cimport bytes_at, bytes_fill, bytes_from, bytes_room, bytes_size
from corefast.protocol.noise.cipher cimport CipherState
from corefast.wire.frame cimport LENGTH_SIZE, MORE, TAG_SIZE, FrameWriter

from corefast.errors import NonceExhausted


cdef class Outbox:
    """Messages leave in the order of `send`; answers and control records (`put`) need no credit and may overtake."""

    def __cinit__(self):
        self._credit = Credit()
        self._waiting = deque()
        self._writer = FrameWriter()
        self._sealed = []

    cdef int unlock(self, CipherState cipher) except -1:
        """From now on records can be put, sealed by *cipher*."""
        self._cipher = cipher
        return 0

    cdef bint is_unlocked(self) noexcept:
        return self._cipher is not None

    cdef bint has_data(self) noexcept:
        return self._writer.size > 0 or self._sealed_bytes > 0

    cdef size_t size(self) noexcept:
        return self._waiting_bytes + self._writer.size + self._sealed_bytes

    cdef int put_clear(self, bytes data) except -1:
        """Queue bytes as they are."""
        self._sealed.append(data)
        self._sealed_bytes += bytes_size(data)
        return 0

    cdef int send(self, uint8_t kind, uint32_t call, bytes payload) except -1:
        """Put a message that needs credit, or queue it behind those that wait for it."""
        cdef size_t cost = MESSAGE_COST + bytes_size(payload)
        if self._waiting_bytes or not self._credit.spend(cost):
            self._waiting.append((kind, call, payload))
            self._waiting_bytes += cost
            return 0
        return self.put(kind, call, payload)

    cdef int add_credit(self, int64_t grant) except -1:
        """Take a grant, and put what it lets through."""
        cdef size_t cost
        self._credit.add(grant)
        while self._waiting_bytes:
            kind, call, payload = self._waiting[0]
            cost = MESSAGE_COST + len(payload)
            if not self._credit.spend(cost):
                break
            self._waiting.popleft()
            self._waiting_bytes -= cost
            self.put(kind, call, payload)
        return 0

    cdef int put(self, uint8_t kind, uint32_t call, bytes payload) except -1:
        """Append a record to the frame, in fragments only where no frame could hold it whole."""
        cdef const uint8_t *src = bytes_at(payload)
        cdef size_t left = bytes_size(payload)
        cdef size_t room = self._writer.room()
        if self._writer.size and (left > room or not room):
            self._seal()
            room = self._writer.room()
        while left > room:
            self._writer.append(kind | MORE, call, src, room)
            self._seal()
            src += room
            left -= room
            room = self._writer.room()
        return self._writer.append(kind, call, src, left)

    cdef int put_u32(self, uint8_t kind, uint32_t value) except -1:
        cdef uint8_t payload[4]
        store_u32(payload, value)
        return self.put(kind, 0, bytes_from(payload, 4))

    cdef list take(self):
        """Return the bytes that are due, in order, and forget them."""
        if self._writer.size:
            self._seal()
        sealed = self._sealed
        self._sealed = []
        self.sent_bytes += self._sealed_bytes
        self._sealed_bytes = 0
        return sealed

    cdef void drop_waiting(self):
        self._waiting.clear()
        self._waiting_bytes = 0

    cdef void trim(self) noexcept:
        """Give back memory while there is nothing to say."""
        self._writer.trim()

    cdef int _seal(self) except -1:
        """Turn the plaintext so far into a frame; without a nonce left it is lost and `broken` says so."""
        cdef size_t size = self._writer.size
        cdef bytes sealed = bytes_room(LENGTH_SIZE + size + TAG_SIZE)
        cdef uint8_t *dst = bytes_fill(sealed)
        store_u24(dst, <uint32_t> (size + TAG_SIZE))
        try:
            self._cipher.seal_into(NULL, 0, self._writer._data, size, dst + LENGTH_SIZE)
        except NonceExhausted as error:
            self.broken = error
        else:
            self.put_clear(sealed)
        self._writer.clear()
        return 0
