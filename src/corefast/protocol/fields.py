"""Protobuf fields for messages that are dominated by a signature or a hash; the hot ones have `protobuf.pxd`."""

from corefast.errors import MessageMalformed

_U32 = 2**32
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}

Fields = dict[int, int | bytes]


def put_number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def put_bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def take_fields(message: bytes) -> Fields:
    """Return the fields by number, the last of a repeated one; raise MessageMalformed."""
    fields: Fields = {}
    at = 0
    while at < len(message):
        tag, at = _take_varint(message, at)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < _U32 >> 3:
            raise MessageMalformed("not a protobuf message")
        if wire == _VARINT:
            fields[number], at = _take_varint(message, at)
            continue
        if wire == _BYTES:
            size, at = _take_varint(message, at)
        elif wire in _FIXED_SIZES:
            size = _FIXED_SIZES[wire]
        else:
            raise MessageMalformed("not a protobuf message")
        if size > len(message) - at:
            raise MessageMalformed("a field is cut off")
        fields[number] = message[at : at + size]
        at += size
    return fields


def take_u32(fields: Fields, number: int) -> int:
    """Return a number, cut to 32 bits as protobuf does; raise MessageMalformed."""
    value = fields.get(number)
    if not isinstance(value, int):
        raise MessageMalformed(f"field {number} is missing or no number")
    return value % _U32


def take_bytes(fields: Fields, number: int, size: int | None = None) -> bytes:
    """Return bytes, of *size* if given; raise MessageMalformed."""
    value = fields.get(number)
    if not isinstance(value, bytes) or size not in (None, len(value)):
        raise MessageMalformed(f"field {number} is missing or of another size")
    return value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _take_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 2**64:
                break
            return value, at
    raise MessageMalformed("not a protobuf message")
