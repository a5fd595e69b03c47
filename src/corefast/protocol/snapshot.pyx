"""The ratchets of a session as bytes for a sealed store, and back. Fixed-width big-endian; private keys in clear.

Formats 1 and 2 have the skipped seeds of each chain behind it. From format 3 on they stand behind everything else, or
in rows of their own (`block`).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from corefast.native.bytes cimport load_u16, load_u32, store_u16, store_u32
from corefast.native.memory cimport bytes_at, bytes_size, explicit_bzero
from corefast.protocol.chain cimport KEY_SIZE
from corefast.protocol.ratchet cimport Ratchet, ReceiverChain, new_receiver
from corefast.protocol.skipped cimport SkippedKey, SkippedKeys, kept_of
from corefast.protocol.spqr cimport PqChains

from corefast import limits
from corefast.errors import SnapshotInvalid

cdef enum:
    SENDING_SIZE = 3 * KEY_SIZE + 4
    RECEIVER_SIZE = 2 * KEY_SIZE + 4
    SKIPPED_SIZE = 4 + KEY_SIZE
    PQ_CHAIN_SIZE = KEY_SIZE + 4
    # The kinds of post-quantum ratchet; the next number is the full one's, with its epochs and its half-sent keys.
    PQ_NONE = 0
    PQ_FIRST_EPOCH = 1

cdef int MAX_CHAINS = limits.MAX_RECEIVER_CHAINS


cdef uint8_t *put(uint8_t *dst, const void *src, size_t size) noexcept:
    memcpy(dst, src, size)
    return dst + size


cdef size_t ratchet_size(Ratchet ratchet) noexcept:
    """How many bytes `put_ratchet` writes."""
    return KEY_SIZE + 4 + 1 + (SENDING_SIZE if ratchet.is_sending else 0) + 1 + len(ratchet.receivers) * RECEIVER_SIZE


cdef uint8_t *put_ratchet(uint8_t *dst, Ratchet ratchet) noexcept:
    """Write the ratchet without skipped seeds."""
    cdef ReceiverChain chain
    dst = put(dst, ratchet.root, KEY_SIZE)
    store_u32(dst, ratchet.previous_counter)
    dst[4] = ratchet.is_sending
    dst += 5
    if ratchet.is_sending:
        dst = put(dst, ratchet.our_private, KEY_SIZE)
        dst = put(dst, ratchet.our_public, KEY_SIZE)
        dst = put(dst, ratchet.sending_key, KEY_SIZE)
        store_u32(dst, ratchet.sending_index)
        dst += 4
    dst[0] = <uint8_t> len(ratchet.receivers)
    dst += 1
    for each in ratchet.receivers:
        chain = <ReceiverChain> each
        dst = put(dst, chain.their_ratchet, KEY_SIZE)
        dst = put(dst, chain.key, KEY_SIZE)
        store_u32(dst, chain.index)
        dst += 4
    return dst


cdef size_t skipped_size(Ratchet ratchet, PqChains chains) noexcept:
    """How many bytes `put_all_skipped` writes."""
    cdef size_t size = 0 if chains is None else room_of(chains.skipped)
    for chain in ratchet.receivers:
        size += room_of((<ReceiverChain> chain).skipped)
    return size


cdef uint8_t *put_all_skipped(uint8_t *dst, Ratchet ratchet, PqChains chains) noexcept:
    """Write the skipped seeds of each chain, then the skipped salts."""
    for chain in ratchet.receivers:
        dst = put_skipped(dst, (<ReceiverChain> chain).skipped)
    return dst if chains is None else put_skipped(dst, chains.skipped)


cdef size_t room_of(SkippedKeys skipped) noexcept:
    return 2 if skipped is None else 2 + skipped.size * SKIPPED_SIZE


cdef uint8_t *put_skipped(uint8_t *dst, SkippedKeys skipped) noexcept:
    cdef size_t place
    store_u16(dst, 0 if skipped is None else <uint16_t> skipped.size)
    dst += 2
    if skipped is None:
        return dst
    for place in range(skipped.first, skipped.end):
        if not skipped.keys[place].is_taken:
            store_u32(dst, skipped.keys[place].index)
            dst = put(dst + 4, skipped.keys[place].seed, KEY_SIZE)
    return dst


cdef Ratchet take_ratchet(SnapshotReader reader, bint has_skipped):
    """Raise SnapshotInvalid unless a whole ratchet is there. *has_skipped*: each chain is followed by its seeds."""
    cdef Ratchet ratchet = Ratchet.__new__(Ratchet)
    reader.take_into(ratchet.root, KEY_SIZE)
    reader.take_u32(&ratchet.previous_counter)
    if reader.take_byte(1):
        reader.take_into(ratchet.our_private, KEY_SIZE)
        reader.take_into(ratchet.our_public, KEY_SIZE)
        reader.take_into(ratchet.sending_key, KEY_SIZE)
        reader.take_u32(&ratchet.sending_index)
        ratchet.is_sending = True
    for _ in range(reader.take_byte(MAX_CHAINS)):
        ratchet.receivers.append(take_receiver(reader, has_skipped))
    if not ratchet.is_sending and not ratchet.receivers:
        raise SnapshotInvalid("a ratchet has a chain")
    return ratchet


cdef ReceiverChain take_receiver(SnapshotReader reader, bint has_skipped):
    cdef ReceiverChain chain = new_receiver(reader.take(KEY_SIZE))
    reader.take_into(chain.key, KEY_SIZE)
    reader.take_u32(&chain.index)
    if has_skipped:
        chain.skipped = take_skipped(reader, chain.index)
    return chain


cdef int take_all_skipped(SnapshotReader reader, Ratchet ratchet, PqChains chains) except -1:
    """Read what `put_all_skipped` wrote."""
    for chain in ratchet.receivers:
        (<ReceiverChain> chain).skipped = take_skipped(reader, (<ReceiverChain> chain).index)
    if chains is not None:
        chains.skipped = take_skipped(reader, chains.receiving_index)
    return 0


cdef SkippedKeys take_skipped(SnapshotReader reader, uint32_t limit):
    """Return skipped seeds, None for no seed; their indexes ascend below *limit*."""
    cdef size_t count = reader.take_u16()
    cdef SkippedKeys skipped
    cdef SkippedKey key
    cdef uint64_t least = 0
    if count > kept_of(count):
        raise SnapshotInvalid("too many skipped keys")
    if not count:
        return None
    skipped = SkippedKeys.__new__(SkippedKeys)
    key.is_taken = False
    try:
        for _ in range(count):
            reader.take_u32(&key.index)
            reader.take_into(key.seed, KEY_SIZE)
            if key.index >= limit or key.index < least:
                raise SnapshotInvalid("skipped keys are out of order")
            skipped.extend(&key, 1)
            least = <uint64_t> key.index + 1
    finally:
        explicit_bzero(&key, sizeof(SkippedKey))
    return skipped


cdef size_t pq_size(PqChains chains) noexcept:
    """How many bytes `put_pq` writes."""
    return 1 if chains is None else 1 + 2 * PQ_CHAIN_SIZE


cdef uint8_t *put_pq(uint8_t *dst, PqChains chains) noexcept:
    """Write the post-quantum ratchet of a session; *chains* is None in a session without."""
    dst[0] = PQ_NONE if chains is None else PQ_FIRST_EPOCH
    if chains is None:
        return dst + 1
    dst = put(dst + 1, chains.sending_key, KEY_SIZE)
    store_u32(dst, chains.sending_index)
    dst = put(dst + 4, chains.receiving_key, KEY_SIZE)
    store_u32(dst, chains.receiving_index)
    return dst + 4


cdef PqChains take_pq(SnapshotReader reader, bint has_skipped):
    """Return the chains, None for a session without; raise SnapshotInvalid for a kind this release does not know."""
    cdef PqChains chains
    if reader.take_byte(PQ_FIRST_EPOCH) == PQ_NONE:
        return None
    chains = PqChains.__new__(PqChains)
    reader.take_into(chains.sending_key, KEY_SIZE)
    reader.take_u32(&chains.sending_index)
    reader.take_into(chains.receiving_key, KEY_SIZE)
    reader.take_u32(&chains.receiving_index)
    if has_skipped:
        chains.skipped = take_skipped(reader, chains.receiving_index)
    return chains


cdef class SnapshotReader:
    """Reads fields from the front; each raises SnapshotInvalid where the bytes end."""

    def __cinit__(self, bytes data not None, size_t start):
        self._data = data
        self._at = bytes_at(data) + min(start, bytes_size(data))
        self._end = bytes_at(data) + bytes_size(data)

    cdef const uint8_t *take(self, size_t size) except NULL:
        """Return *size* bytes, valid as long as the reader is."""
        cdef const uint8_t *taken = self._at
        if size > <size_t> (self._end - self._at):
            raise SnapshotInvalid("the snapshot is truncated")
        self._at += size
        return taken

    cdef int take_into(self, uint8_t *dst, size_t size) except -1:
        memcpy(dst, self.take(size), size)
        return 0

    cdef int take_byte(self, int limit) except -1:
        cdef int value = self.take(1)[0]
        if value > limit:
            raise SnapshotInvalid("a number is out of range")
        return value

    cdef int take_u16(self) except -1:
        return load_u16(self.take(2))

    cdef int take_u32(self, uint32_t *value) except -1:
        value[0] = load_u32(self.take(4))
        return 0

    cdef int finish(self) except -1:
        if self._at != self._end:
            raise SnapshotInvalid("bytes follow the snapshot")
        return 0
