"""The model's messages: protobuf by hand, read as leniently as libsignal does and written in field order."""

from dataclasses import dataclass

MAX = 98_304
Fields = dict[int, int | bytes]


class Refused(Exception):
    """The message does not stand."""


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def number(tag: int, value: int) -> bytes:
    return varint(tag << 3) + varint(value)


def block(tag: int, value: bytes) -> bytes:
    return varint(tag << 3 | 2) + varint(len(value)) + value


def take_varint(data: bytes) -> tuple[int, bytes]:
    value = 0
    for place, byte in enumerate(data[:10]):
        value |= (byte & 127) << 7 * place
        if byte < 128 and value < 2**64:
            return value, data[place + 1 :]
    raise Refused("a number")


def take_fields(data: bytes) -> Fields:
    fields: Fields = {}
    while data:
        tag, data = take_varint(data)
        if not 8 <= tag < 2**32:
            raise Refused("a tag")
        if tag & 7 == 0:
            value, data = take_varint(data)
            put_field(fields, tag >> 3, value)
            continue
        sizes = {1: 8, 5: 4}
        size, data = take_varint(data) if tag & 7 == 2 else (sizes.get(tag & 7, MAX + 1), data)
        if size > len(data):
            raise Refused("a field")
        # Only the kind 2 is bytes to a reader; the fixed ones stand for a wrong type.
        put_field(fields, tag >> 3, data[:size] if tag & 7 == 2 else -1)
        data = data[size:]
    return fields


def put_field(fields: Fields, tag: int, value: int | bytes) -> None:
    """Take the last of a field that comes again, and none where its type is once another."""
    before = fields.get(tag, value)
    fields[tag] = value if before != -1 and type(before) is type(value) else -1


def take_number(fields: Fields, tag: int, default: int | None = None) -> int:
    value = fields.get(tag, default)
    if not isinstance(value, int) or value < 0:
        raise Refused("a number")
    return value % 2**32


def take_block(fields: Fields, tag: int, default: bytes | None = None) -> bytes:
    value = fields.get(tag, default)
    if not isinstance(value, bytes):
        raise Refused("bytes")
    return value


def take_public(fields: Fields, tag: int) -> bytes:
    key = take_block(fields, tag)[:33]
    if len(key) < 33 or key[0] != 5:
        raise Refused("a key")
    return key


def check_head(message: bytes, least: int) -> int:
    if not least <= len(message) <= MAX or message[0] >> 4 not in (3, 4):
        raise Refused("a head")
    return message[0] >> 4


@dataclass
class Signal:
    version: int
    ratchet: bytes
    counter: int
    ciphertext: bytes
    pq: bytes

    @classmethod
    def parse(cls, message: bytes) -> "Signal":
        version = check_head(message, 9)
        fields = take_fields(message[1:-8])
        take_number(fields, 3, 0)
        read = take_number(fields, 2), take_block(fields, 4), take_block(fields, 5, b"")
        return cls(version, take_public(fields, 1), *read)


@dataclass
class Prekey:
    """What stands around a first message. `message` is empty in one that is still to be written."""

    version: int
    one_time: int | None
    base: bytes
    identity: bytes
    message: bytes
    registration: int
    signed: int
    kem: int
    kem_ciphertext: bytes

    @classmethod
    def parse(cls, message: bytes) -> "Prekey":
        version = check_head(message, 1)
        fields = take_fields(message[1:])
        one_time = take_number(fields, 1) if 1 in fields else None
        keys = take_public(fields, 2), take_public(fields, 3)
        ids = take_number(fields, 5, 0), take_number(fields, 6)
        if version == 3:
            raise Refused("a session without a KEM")
        ciphertext = take_block(fields, 8)
        if len(ciphertext) != 1569 or ciphertext[0] != 8:
            raise Refused("a KEM ciphertext")
        return cls(version, one_time, *keys, take_block(fields, 4), *ids, take_number(fields, 7), ciphertext)


def build_signal(version: int, ratchet: bytes, counter: int, previous: int, ciphertext: bytes, pq: bytes) -> bytes:
    body = bytes([version << 4 | 4]) + block(1, ratchet) + number(2, counter) + number(3, previous)
    return body + block(4, ciphertext) + (block(5, pq) if pq else b"")


def build_prekey(version: int, start: Prekey, message: bytes) -> bytes:
    body = bytes([version << 4 | 4]) + (b"" if start.one_time is None else number(1, start.one_time))
    body += block(2, start.base) + block(3, start.identity) + block(4, message)
    body += number(5, start.registration) + number(6, start.signed)
    return body + number(7, start.kem) + block(8, start.kem_ciphertext)


def write_pq(index: int) -> bytes:
    return b"\x01\x01" + varint(index) + b"\x00"


def read_pq(pq: bytes) -> int:
    """Return the index of a message in SPQR's first epoch, 0 for one that is not keyed yet."""
    if pq[:1] in (b"", b"\x00"):
        raise Refused("no way back to a session without SPQR")
    if pq[0] > 1:
        return 0
    epoch, rest = take_varint(pq[1:])
    index, rest = take_varint(rest)
    if not rest or rest[0] > 6 or index >= 2**32 - 1 or epoch != 1:
        raise Refused("SPQR's field")
    if rest[0] not in (0, 4) and len(take_varint(rest[1:])[1]) < 32:
        raise Refused("SPQR's chunk")
    return index
