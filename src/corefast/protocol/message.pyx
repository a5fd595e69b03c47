"""SignalMessage and PreKeySignalMessage, byte for byte as libsignal writes them (wire.proto, protocol.rs).

Reading is lenient as protobuf demands (any order, unknown fields, the last of a repeated field wins), because the MAC
covers the bytes as they came. Writing is in field order, with the zeros that proto2 writes.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from corefast.native.aead cimport CBC_BLOCK_SIZE, cbc_open, cbc_seal
from corefast.native.kdf cimport DIGEST_SIZE, HmacKey, hmac_digest_pair, hmac_load
from corefast.native.memory cimport bytes_at, bytes_fill, bytes_from, bytes_room, bytes_size, explicit_bzero
from corefast.native.provider cimport CRYPTO_memcmp
from corefast.protocol.chain cimport MessageKeys
from corefast.protocol.protobuf cimport (
    WIRE_BYTES,
    WIRE_VARINT,
    Cursor,
    Field,
    put_bytes,
    put_head,
    put_number,
    take_field,
    varint_size,
)

from corefast import limits
from corefast.errors import (
    CiphertextInvalid,
    MessageMacInvalid,
    MessageMalformed,
    MessageVersionUnsupported,
)

cdef enum:
    CURVE_TYPE = 0x05
    KEM_TYPE = 0x08
    PUBLIC_SIZE = 33
    KEM_CIPHERTEXT_SIZE = 1569
    OLDEST_VERSION = 3
    NEWEST_VERSION = 4
    WRITER_VERSION = 4      # the low half of the first byte: what its writer could speak

KIND_SIGNAL = 2
KIND_PREKEY = 3

cdef size_t MAX_MESSAGE = limits.MAX_ENVELOPE_BYTES


cdef inline uint8_t version_byte(uint8_t version) noexcept:
    return (version << 4) | WRITER_VERSION


cdef int read_version(bytes message, size_t least) except -1:
    """Return the session version; readers look at the high half of the first byte only."""
    cdef int version
    if not least <= bytes_size(message) <= MAX_MESSAGE:
        raise MessageMalformed("the size of a message is out of range")
    version = bytes_at(message)[0] >> 4
    if not OLDEST_VERSION <= version <= NEWEST_VERSION:
        raise MessageVersionUnsupported(f"message version {version}")
    return version


cdef int check_field(const Field *field, int wire) except -1:
    if field.wire != wire:
        raise MessageMalformed(f"field {field.number} has the wrong type")
    return 0


cdef int check_public(const Field *field) except -1:
    """A public key in a message is tolerated with bytes behind it, as libsignal does."""
    check_field(field, WIRE_BYTES)
    if field.size < PUBLIC_SIZE or field.data[0] != CURVE_TYPE:
        raise MessageMalformed(f"field {field.number} is not a public key")
    return 0


# ── SignalMessage ──────────────────────────────────────────────────────────────────────────────────────────────────


cdef int parse_signal(bytes message, SignalView *view) except -1:
    """Fill *view* with pointers into *message*; raise MessageMalformed or MessageVersionUnsupported."""
    cdef Cursor cursor
    cdef Field field
    cdef bint has_counter = False
    memset(view, 0, sizeof(SignalView))
    view.version = read_version(message, 1 + MAC_SIZE)
    view.size = bytes_size(message)
    cursor.at = bytes_at(message) + 1
    cursor.end = bytes_at(message) + view.size - MAC_SIZE
    while cursor.at < cursor.end:
        if not take_field(&cursor, &field):
            raise MessageMalformed("not a protobuf message")
        if field.number == 1:
            check_public(&field)
            view.ratchet_key = field.data + 1
        elif field.number == 2:
            check_field(&field, WIRE_VARINT)
            view.counter = <uint32_t> field.value
            has_counter = True
        elif field.number == 3:
            check_field(&field, WIRE_VARINT)
            view.previous_counter = <uint32_t> field.value
        elif field.number == 4:
            check_field(&field, WIRE_BYTES)
            view.ciphertext = field.data
            view.ciphertext_size = field.size
        elif field.number == 5:
            check_field(&field, WIRE_BYTES)
            view.pq = field.data
            view.pq_size = field.size
    if view.ratchet_key is NULL or view.ciphertext is NULL or not has_counter:
        raise MessageMalformed("a field is missing")
    return 0


cdef void derive_mac(const MessageKeys *keys, const uint8_t *identities, const uint8_t *maced, size_t size,
                     uint8_t *dst) noexcept:
    """Write the whole digest; its first 8 bytes are the MAC. *identities*: the sender's, then the receiver's."""
    cdef HmacKey key
    hmac_load(&key, keys.mac, sizeof(keys.mac))
    hmac_digest_pair(&key, identities, IDENTITIES_SIZE, maced, size, dst)
    explicit_bzero(&key, sizeof(HmacKey))


cdef bytes seal_signal(const SignalHead *head, const MessageKeys *keys, const uint8_t *identities, bytes plaintext):
    """Return a whole SignalMessage. The caller bounds *plaintext*."""
    cdef size_t sealed_size = (bytes_size(plaintext) // CBC_BLOCK_SIZE + 1) * CBC_BLOCK_SIZE
    cdef size_t maced_size
    cdef uint8_t mac[DIGEST_SIZE]
    cdef uint8_t *start
    cdef uint8_t *at
    maced_size = (
        1 + 2 + PUBLIC_SIZE + 1 + varint_size(head.counter) + 1 + varint_size(head.previous_counter)
        + 1 + varint_size(<uint32_t> sealed_size) + sealed_size
        + (1 + varint_size(<uint32_t> head.pq_size) + head.pq_size if head.pq_size else 0)
    )
    message = bytes_room(maced_size + MAC_SIZE)
    start = bytes_fill(message)
    start[0] = version_byte(head.version)
    at = put_head(start + 1, 1, PUBLIC_SIZE)
    at[0] = CURVE_TYPE
    memcpy(at + 1, head.ratchet_key, RATCHET_KEY_SIZE)
    at = put_number(at + PUBLIC_SIZE, 2, head.counter)
    at = put_number(at, 3, head.previous_counter)
    at = put_head(at, 4, <uint32_t> sealed_size)
    if cbc_seal(keys.cipher, keys.iv, bytes_at(plaintext), <int> bytes_size(plaintext), at) != <int> sealed_size:
        raise MemoryError("libcrypto refused to encrypt")
    if head.pq_size:
        put_bytes(at + sealed_size, 5, head.pq, <uint32_t> head.pq_size)
    derive_mac(keys, identities, start, maced_size, mac)
    memcpy(start + maced_size, mac, MAC_SIZE)
    return message


cdef bytes open_signal(const uint8_t *message, const SignalView *view, const MessageKeys *keys,
                       const uint8_t *identities):
    """Return the plaintext; raise MessageMacInvalid, and CiphertextInvalid only behind a right MAC."""
    cdef uint8_t mac[DIGEST_SIZE]
    cdef size_t maced_size = view.size - MAC_SIZE
    cdef int size
    cdef bytes room
    derive_mac(keys, identities, message, maced_size, mac)
    if CRYPTO_memcmp(mac, message + maced_size, MAC_SIZE):
        raise MessageMacInvalid("the MAC does not match")
    room = bytes_room(view.ciphertext_size)
    size = cbc_open(keys.cipher, keys.iv, view.ciphertext, <int> view.ciphertext_size, bytes_fill(room))
    if size < 0:
        raise CiphertextInvalid("the padding is wrong")
    return room[:size]


cdef class SignalMessage:
    """A message inside a session, as anybody can read it: which chain, which place in it."""

    cdef readonly int version
    cdef readonly bytes ratchet_key
    cdef readonly uint32_t counter
    cdef readonly uint32_t previous_counter
    cdef readonly bytes ciphertext
    cdef readonly bytes pq_ratchet

    @staticmethod
    def parse(bytes message not None):
        """Read a message; raise MessageMalformed or MessageVersionUnsupported. The MAC is not checked."""
        cdef SignalView view
        cdef SignalMessage self = SignalMessage.__new__(SignalMessage)
        parse_signal(message, &view)
        self.version = view.version
        self.ratchet_key = bytes_from(view.ratchet_key - 1, PUBLIC_SIZE)
        self.counter = view.counter
        self.previous_counter = view.previous_counter
        self.ciphertext = bytes_from(view.ciphertext, view.ciphertext_size)
        self.pq_ratchet = bytes_from(view.pq, view.pq_size) if view.pq_size else b""
        return self


# ── PreKeySignalMessage ────────────────────────────────────────────────────────────────────────────────────────────


cdef class PreKeySignalMessage:
    """A message that can start a session: the keys to make it from, and a SignalMessage. Version 3 has no KEM."""

    @staticmethod
    def parse(bytes message not None):
        """Read a message; raise MessageMalformed or MessageVersionUnsupported."""
        cdef PreKeySignalMessage self = PreKeySignalMessage.__new__(PreKeySignalMessage)
        cdef Cursor cursor
        cdef Field field
        cdef int seen = 0
        cdef int required
        self.version = read_version(message, 1)
        cursor.at = bytes_at(message) + 1
        cursor.end = bytes_at(message) + bytes_size(message)
        while cursor.at < cursor.end:
            if not take_field(&cursor, &field):
                raise MessageMalformed("not a protobuf message")
            if field.number <= 8:
                self._take(&field)
                seen |= 1 << field.number
        # All but the one-time prekey (1) and the registration id (5) are required, KEM and its key (7, 8) since PQXDH.
        required = 0b111011100 if self.version == NEWEST_VERSION else 0b001011100
        if seen & required != required:
            raise MessageMalformed("a field is missing")
        return self

    cdef int _take(self, const Field *field) except -1:
        cdef int number = field.number
        if number in (2, 3):
            check_public(field)
            key = bytes_from(field.data, PUBLIC_SIZE)
            if number == 2:
                self.base_key = key
            else:
                self.identity = key
        elif number in (4, 8):
            check_field(field, WIRE_BYTES)
            if number == 4:
                self.message = bytes_from(field.data, field.size)
            else:
                self._take_kem_ciphertext(field)
        else:
            check_field(field, WIRE_VARINT)
            self._take_number(number, <uint32_t> field.value)
        return 0

    cdef int _take_kem_ciphertext(self, const Field *field) except -1:
        if field.size != KEM_CIPHERTEXT_SIZE or field.data[0] != KEM_TYPE:
            raise MessageMalformed("not a Kyber-1024 ciphertext")
        self.kem_ciphertext = bytes_from(field.data, field.size)
        return 0

    cdef int _take_number(self, int number, uint32_t value) except -1:
        if number == 1:
            self.one_time_id = value
        elif number == 5:
            self.registration_id = value
        elif number == 6:
            self.signed_id = value
        elif number == 7:
            self.kem_id = value
        return 0


def encode_before(one_time_id: int | None, bytes base_key not None, bytes identity not None):
    """Return the fields of a PreKeySignalMessage that stand before its SignalMessage (1 to 3)."""
    cdef uint8_t buffer[96]
    cdef uint8_t *at = buffer
    if bytes_size(base_key) != PUBLIC_SIZE or bytes_size(identity) != PUBLIC_SIZE:
        raise MessageMalformed("not a public key")
    if one_time_id is not None:
        at = put_number(at, 1, one_time_id)
    at = put_bytes(at, 2, bytes_at(base_key), PUBLIC_SIZE)
    at = put_bytes(at, 3, bytes_at(identity), PUBLIC_SIZE)
    return bytes_from(buffer, at - buffer)


def encode_after(uint32_t registration_id, uint32_t signed_id, kem_id: int | None, bytes kem_ciphertext):
    """Return the fields of a PreKeySignalMessage that stand behind its SignalMessage (5 to 8, to 6 without a KEM)."""
    cdef uint8_t buffer[KEM_CIPHERTEXT_SIZE + 32]
    cdef uint8_t *at
    at = put_number(buffer, 5, registration_id)
    at = put_number(at, 6, signed_id)
    if kem_ciphertext is None:
        return bytes_from(buffer, at - buffer)
    if bytes_size(kem_ciphertext) != KEM_CIPHERTEXT_SIZE:
        raise MessageMalformed("not a Kyber-1024 ciphertext")
    at = put_number(at, 7, kem_id)
    at = put_bytes(at, 8, bytes_at(kem_ciphertext), KEM_CIPHERTEXT_SIZE)
    return bytes_from(buffer, at - buffer)


cdef bytes wrap_prekey(uint8_t version, bytes before, bytes message, bytes after):
    """Return a whole PreKeySignalMessage around *message*."""
    cdef uint8_t head[8]
    cdef uint8_t *end = put_head(head, 4, <uint32_t> bytes_size(message))
    return b"%c%b%b%b%b" % (version_byte(version), before, bytes_from(head, end - head), message, after)
