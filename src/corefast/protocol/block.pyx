"""Blocks of skipped keys as rows of a sealed store.

A block is

    kind (1) | name of its chain (32) | number (4) | which are there (4) | for each its key (32)

big-endian; bit *i* stands for message number * 32 + i. A chain of seeds is named by its ratchet key, the chain of
salts by the session's base key. The number of a block's row is made of name, kind and number, so that it need not be
remembered.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from corefast.native.bytes cimport load_u32, load_u64, store_u32
from corefast.native.memory cimport bytes_at, bytes_fill, bytes_room, bytes_size, explicit_bzero
from corefast.protocol.chain cimport KEY_SIZE
from corefast.protocol.ratchet cimport Ratchet, ReceiverChain
from corefast.protocol.skipped cimport BLOCK_KEYS, BLOCK_SHIFT, SkippedKey, SkippedKeys
from corefast.protocol.spqr cimport PqChains

from corefast.errors import SnapshotInvalid

cdef enum:
    NUMBER_BITS = 32 - BLOCK_SHIFT
    HEAD_SIZE = 1 + KEY_SIZE + 4 + 4


cdef uint64_t first_row(int kind, const uint8_t *name) noexcept:
    """The row of a chain's block 0: 35 bits of its name, its kind, and room for the number."""
    cdef uint64_t name_bits = load_u64(name) >> 29
    return (name_bits << 1 | <uint64_t> kind) << NUMBER_BITS


cdef int take_blocks(list changes, SkippedKeys skipped, int kind, const uint8_t *name) except -1:
    """Append to *changes* what `Session.take_changes` returns for one chain."""
    cdef uint64_t row
    if skipped is None or skipped.changed is None:
        return 0
    for number in sorted(skipped.changed):
        row = first_row(kind, name) | <uint64_t> number
        changes.append((row, row, write_block(skipped, kind, name, number)))
    skipped.changed = None
    return 0


cdef list take_dropped(Ratchet ratchet):
    """Return changes that delete the blocks of chains that are gone."""
    cdef list changes = []
    cdef uint64_t row
    if ratchet.dropped is not None:
        for name in ratchet.dropped:
            row = first_row(SEED_BLOCK, bytes_at(name))
            changes.append((row, row | ((<uint64_t> 1 << NUMBER_BITS) - 1), None))
        ratchet.dropped = None
    return changes


cdef bytes write_block(SkippedKeys skipped, int kind, const uint8_t *name, uint32_t number):
    """Return a block, None when no key of it is left."""
    cdef size_t first = skipped.at_or_above(<uint64_t> number << BLOCK_SHIFT)
    cdef size_t end = skipped.at_or_above(<uint64_t> (number + 1) << BLOCK_SHIFT)
    cdef uint32_t present = 0
    cdef size_t place, count = 0
    cdef bytes room
    cdef uint8_t *at
    for place in range(first, end):
        if not skipped.keys[place].is_taken:
            present |= <uint32_t> 1 << (skipped.keys[place].index & (BLOCK_KEYS - 1))
            count += 1
    if not count:
        return None
    room = bytes_room(HEAD_SIZE + count * KEY_SIZE)
    at = bytes_fill(room)
    at[0] = <uint8_t> kind
    memcpy(at + 1, name, KEY_SIZE)
    store_u32(at + 1 + KEY_SIZE, number)
    store_u32(at + 5 + KEY_SIZE, present)
    at += HEAD_SIZE
    for place in range(first, end):
        if not skipped.keys[place].is_taken:
            memcpy(at, skipped.keys[place].seed, KEY_SIZE)
            at += KEY_SIZE
    return room


cdef int load_block(bytes block, Ratchet ratchet, PqChains chains, const uint8_t *pq_name) except -1:
    """Add the keys of a block to its chain; raise SnapshotInvalid and change nothing."""
    cdef const uint8_t *at = bytes_at(block)
    cdef const uint8_t *name = at + 1
    cdef ReceiverChain chain
    if bytes_size(block) < HEAD_SIZE or at[0] > PQ_BLOCK:
        raise SnapshotInvalid("a block of skipped keys is cut off or of an unknown kind")
    if at[0] == PQ_BLOCK:
        if chains is None or memcmp(name, pq_name, KEY_SIZE):
            raise SnapshotInvalid("a block of skipped keys of another session")
        chains.skipped = join_block(block, chains.skipped, chains.receiving_index)
        return 0
    chain = ratchet._receiver(name)
    if chain is None:
        raise SnapshotInvalid("a block of skipped keys of a chain that is gone")
    chain.skipped = join_block(block, chain.skipped, chain.index)
    return 0


cdef SkippedKeys join_block(bytes block, SkippedKeys skipped, uint32_t limit):
    """Return *skipped*, made where it is None, with the keys of a block; their indexes ascend below *limit*."""
    cdef const uint8_t *at = bytes_at(block) + 1 + KEY_SIZE
    cdef uint32_t number = load_u32(at)
    cdef uint32_t present = load_u32(at + 4)
    cdef SkippedKey keys[BLOCK_KEYS]
    cdef set changed
    cdef size_t count = 0
    if number >> NUMBER_BITS or not present:
        raise SnapshotInvalid("a number is out of range")
    if skipped is None:
        skipped = SkippedKeys.__new__(SkippedKeys)
    at += 8
    try:
        for i in range(BLOCK_KEYS):
            if not present >> i & 1:
                continue
            if bytes_size(block) < HEAD_SIZE + (count + 1) * KEY_SIZE:
                raise SnapshotInvalid("a block of skipped keys is cut off")
            keys[count].index = number << BLOCK_SHIFT | <uint32_t> i
            keys[count].is_taken = False
            memcpy(keys[count].seed, at + count * KEY_SIZE, KEY_SIZE)
            count += 1
        if bytes_size(block) != HEAD_SIZE + count * KEY_SIZE:
            raise SnapshotInvalid("bytes follow a block of skipped keys")
        if keys[count - 1].index >= limit or (skipped.size and skipped.keys[skipped.end - 1].index >= keys[0].index):
            raise SnapshotInvalid("skipped keys are out of order")
        changed = skipped.changed
        skipped.extend(keys, count)
        skipped.changed = changed
    finally:
        explicit_bzero(keys, sizeof(keys))
    return skipped
