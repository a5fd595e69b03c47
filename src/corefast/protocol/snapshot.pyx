"""The ratchets of a session as bytes for a sealed store, and back. Fixed-width big-endian; private keys in clear."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy

from corefast.native.bytes cimport load_u16, load_u32, store_u16, store_u32
from corefast.native.memory cimport bytes_at, bytes_size
from corefast.protocol.chain cimport KEY_SIZE
from corefast.protocol.ratchet cimport Ratchet, ReceiverChain, new_receiver
from corefast.protocol.skipped cimport SkippedKey, SkippedKeys, kept_of
from corefast.protocol.spqr cimport PqChains

from corefast import limits
from corefast.errors import SnapshotInvalid

cdef enum:
    SENDING_SIZE = 3 * KEY_SIZE + 4
    RECEIVER_SIZE = 2 * KEY_SIZE + 4 + 2
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
    cdef size_t size = KEY_SIZE + 4 + 1 + (SENDING_SIZE if ratchet.is_sending else 0) + 1
    for chain in ratchet.receivers:
        size += RECEIVER_SIZE + (<ReceiverChain> chain).skipped.size * SKIPPED_SIZE
    return size


cdef uint8_t *put_ratchet(uint8_t *dst, Ratchet ratchet) noexcept:
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
    for chain in ratchet.receivers:
        dst = put_receiver(dst, <ReceiverChain> chain)
    return dst


cdef uint8_t *put_receiver(uint8_t *dst, ReceiverChain chain) noexcept:
    dst = put(dst, chain.their_ratchet, KEY_SIZE)
    dst = put(dst, chain.key, KEY_SIZE)
    store_u32(dst, chain.index)
    return put_skipped(dst + 4, chain.skipped)


cdef uint8_t *put_skipped(uint8_t *dst, SkippedKeys skipped) noexcept:
    cdef size_t i
    store_u16(dst, <uint16_t> skipped.size)
    dst += 2
    for i in range(skipped.size):
        store_u32(dst, skipped.keys[i].index)
        dst = put(dst + 4, skipped.keys[i].seed, KEY_SIZE)
    return dst


cdef Ratchet take_ratchet(SnapshotReader reader):
    """Raise SnapshotInvalid unless a whole ratchet is there."""
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
        ratchet.receivers.append(take_receiver(reader))
    if not ratchet.is_sending and not ratchet.receivers:
        raise SnapshotInvalid("a ratchet has a chain")
    return ratchet


cdef ReceiverChain take_receiver(SnapshotReader reader):
    cdef ReceiverChain chain = new_receiver(reader.take(KEY_SIZE))
    reader.take_into(chain.key, KEY_SIZE)
    reader.take_u32(&chain.index)
    take_skipped(reader, chain.skipped, chain.index)
    return chain


cdef int take_skipped(SnapshotReader reader, SkippedKeys skipped, uint32_t limit) except -1:
    """Read skipped seeds; their indexes ascend below *limit*."""
    cdef size_t count = reader.take_u16()
    if count > kept_of(count):
        raise SnapshotInvalid("too many skipped keys")
    if not count:
        return 0
    skipped.keys = <SkippedKey *> calloc(count, sizeof(SkippedKey))
    if skipped.keys is NULL:
        raise MemoryError
    skipped.size = count
    for i in range(count):
        reader.take_u32(&skipped.keys[i].index)
        reader.take_into(skipped.keys[i].seed, KEY_SIZE)
        if skipped.keys[i].index >= limit or (i and skipped.keys[i].index <= skipped.keys[i - 1].index):
            raise SnapshotInvalid("skipped keys are out of order")
    return 0


cdef size_t pq_size(PqChains chains) noexcept:
    """How many bytes `put_pq` writes."""
    return 1 if chains is None else 1 + 2 * PQ_CHAIN_SIZE + 2 + chains.skipped.size * SKIPPED_SIZE


cdef uint8_t *put_pq(uint8_t *dst, PqChains chains) noexcept:
    """Write the post-quantum ratchet of a session; *chains* is None in a session without."""
    dst[0] = PQ_NONE if chains is None else PQ_FIRST_EPOCH
    if chains is None:
        return dst + 1
    dst = put(dst + 1, chains.sending_key, KEY_SIZE)
    store_u32(dst, chains.sending_index)
    dst = put(dst + 4, chains.receiving_key, KEY_SIZE)
    store_u32(dst, chains.receiving_index)
    return put_skipped(dst + 4, chains.skipped)


cdef PqChains take_pq(SnapshotReader reader):
    """Return the chains, None for a session without; raise SnapshotInvalid for a kind this release does not know."""
    cdef PqChains chains
    if reader.take_byte(PQ_FIRST_EPOCH) == PQ_NONE:
        return None
    chains = PqChains.__new__(PqChains)
    reader.take_into(chains.sending_key, KEY_SIZE)
    reader.take_u32(&chains.sending_index)
    reader.take_into(chains.receiving_key, KEY_SIZE)
    reader.take_u32(&chains.receiving_index)
    take_skipped(reader, chains.skipped, chains.receiving_index)
    return chains


cdef class SnapshotReader:
    """Reads fields from the front; each raises SnapshotInvalid where the bytes end."""

    def __cinit__(self, bytes data not None):
        self._data = data
        self._at = bytes_at(data)
        self._end = self._at + bytes_size(data)

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
