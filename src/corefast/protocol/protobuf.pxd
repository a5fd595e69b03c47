"""The little of protobuf that the Signal messages need: varints and fields, on pointers, without an allocation."""

from libc.stdint cimport UINT32_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef enum:
    WIRE_VARINT = 0
    WIRE_FIXED64 = 1
    WIRE_BYTES = 2
    WIRE_FIXED32 = 5


cdef struct Cursor:
    const uint8_t *at
    const uint8_t *end


cdef struct Field:
    uint32_t number
    uint8_t wire
    uint64_t value          # of a varint
    const uint8_t *data     # of bytes
    size_t size


cdef inline size_t varint_size(uint32_t value) noexcept nogil:
    return 1 if value < 0x80 else 2 if value < 0x4000 else 3 if value < 0x200000 else 4 if value < 0x10000000 else 5


cdef inline uint8_t *put_varint(uint8_t *dst, uint32_t value) noexcept nogil:
    while value >= 0x80:
        dst[0] = <uint8_t> (value | 0x80)
        value >>= 7
        dst += 1
    dst[0] = <uint8_t> value
    return dst + 1


cdef inline uint8_t *put_number(uint8_t *dst, uint8_t field, uint32_t value) noexcept nogil:
    dst[0] = (field << 3) | WIRE_VARINT
    return put_varint(dst + 1, value)


cdef inline uint8_t *put_head(uint8_t *dst, uint8_t field, uint32_t size) noexcept nogil:
    """Announce *size* bytes; the caller writes them."""
    dst[0] = (field << 3) | WIRE_BYTES
    return put_varint(dst + 1, size)


cdef inline uint8_t *put_bytes(uint8_t *dst, uint8_t field, const uint8_t *src, uint32_t size) noexcept nogil:
    dst = put_head(dst, field, size)
    memcpy(dst, src, size)
    return dst + size


cdef inline bint take_varint(Cursor *cursor, uint64_t *value) noexcept nogil:
    """Read up to ten bytes; False when they end early or say more than 64 bits."""
    cdef int shift = 0
    cdef uint8_t byte
    value[0] = 0
    while cursor.at < cursor.end and shift < 70:
        byte = cursor.at[0]
        cursor.at += 1
        if shift == 63 and byte > 1:
            return False
        value[0] |= <uint64_t> (byte & 0x7F) << shift
        if byte < 0x80:
            return True
        shift += 7
    return False


cdef inline bint take_field(Cursor *cursor, Field *field) noexcept nogil:
    """Read the next field of any kind but the deprecated groups; False when it is malformed."""
    cdef uint64_t tag, size
    if not take_varint(cursor, &tag) or tag > UINT32_MAX or not tag >> 3:
        return False
    field.number = <uint32_t> (tag >> 3)
    field.wire = tag & 7
    if field.wire == WIRE_VARINT:
        return take_varint(cursor, &field.value)
    if field.wire == WIRE_BYTES:
        if not take_varint(cursor, &size):
            return False
    elif field.wire == WIRE_FIXED64:
        size = 8
    elif field.wire == WIRE_FIXED32:
        size = 4
    else:
        return False
    if size > <uint64_t> (cursor.end - cursor.at):
        return False
    field.data = cursor.at
    field.size = size
    cursor.at += size
    return True
