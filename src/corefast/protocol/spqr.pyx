"""The first epoch of the Sparse Post-Quantum Ratchet, which today's libsignal insists on (SPQR; libsignal 0.92).

Each direction has one chain for the whole session, made from the PQXDH secret; it yields a salt for the keys of
every message, and the field `pq_ratchet` names its place. Nothing here offers a key of the next epoch: a session
keeps the post-quantum secrecy of its start, and does not heal from a theft against an attacker with a quantum computer.
"""

from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy, memset

from corefast.native.bytes cimport store_u32
from corefast.native.kdf cimport hkdf
from corefast.native.memory cimport explicit_bzero
from corefast.protocol.protobuf cimport Cursor, put_varint, take_varint
from corefast.protocol.skipped cimport SkippedKey, SkippedKeys, kept_of, wipe_keys

from corefast import limits
from corefast.errors import MessageGapTooLarge, MessageMacInvalid, MessageMalformed, MessageVersionUnsupported

cdef enum:
    VERSION = 1
    FIRST_EPOCH = 1
    TYPE_NONE = 0
    TYPE_LAST = 6
    TYPES_WITH_CHUNK = 0b1101110    # all but None (0) and Ct1Ack (4)
    CHUNK_SIZE = 32
    START_INFO_SIZE = 33
    NEXT_INFO_SIZE = 4 + 31

cdef const uint8_t *START_INFO = b"Signal PQ Ratchet V1 Chain  Start"
cdef const uint8_t *NEXT_LABEL = b"Signal PQ Ratchet V1 Chain Next"

cdef uint32_t MAX_GAP = limits.MAX_MESSAGE_GAP


cdef PqChains start_chains(const uint8_t *auth_key, bint is_initiator):
    """Return the chains of a session from the third 32 bytes of PQXDH; the initiator writes on the first of them."""
    cdef uint8_t keys[96]
    cdef PqChains chains = PqChains.__new__(PqChains)
    cdef uint8_t *ours = keys + (32 if is_initiator else 64)
    cdef uint8_t *theirs = keys + (64 if is_initiator else 32)
    # The first 32 bytes are the root of the next epoch, which never comes.
    hkdf(NULL, 0, auth_key, SALT_SIZE, START_INFO, START_INFO_SIZE, keys, sizeof(keys))
    memcpy(chains.sending_key, ours, SALT_SIZE)
    memcpy(chains.receiving_key, theirs, SALT_SIZE)
    explicit_bzero(keys, sizeof(keys))
    return chains


cdef bint has_chains(const uint8_t *field, size_t size) noexcept:
    """Whether the writer of a `pq_ratchet` field keys its messages, in our version or one that comes down to it."""
    return size and field[0] >= VERSION


cdef void step_pq(const uint8_t *key, uint32_t index, uint8_t *salt, uint8_t *next_key) noexcept nogil:
    """Write the salt of message *index* and the key after it, which may overwrite *key* (SPQR, chain.rs)."""
    cdef uint8_t info[NEXT_INFO_SIZE]
    cdef uint8_t keys[64]
    store_u32(info, index)
    memcpy(info + 4, NEXT_LABEL, NEXT_INFO_SIZE - 4)
    hkdf(NULL, 0, key, SALT_SIZE, info, NEXT_INFO_SIZE, keys, sizeof(keys))
    memcpy(next_key, keys, SALT_SIZE)
    memcpy(salt, keys + SALT_SIZE, SALT_SIZE)
    explicit_bzero(keys, sizeof(keys))


cdef uint32_t parse_field(const uint8_t *field, size_t size) except? 0xFFFFFFFF:
    """Return the index in a field of our version; raise MessageMalformed, MessageVersionUnsupported.

    What it says beyond that, a part of a key or of a ciphertext, is checked for its shape and not used.
    """
    cdef Cursor cursor
    cdef uint64_t epoch, index, chunk
    cdef uint8_t kind
    cursor.at = field + 1
    cursor.end = field + size
    if not take_varint(&cursor, &epoch) or not take_varint(&cursor, &index) or cursor.at == cursor.end:
        raise MessageMalformed("the post-quantum field is cut off")
    kind = cursor.at[0]
    cursor.at += 1
    if index >= UINT32_MAX or kind > TYPE_LAST:
        raise MessageMalformed("a number in the post-quantum field is out of range")
    if TYPES_WITH_CHUNK >> kind & 1 and (not take_varint(&cursor, &chunk) or cursor.end - cursor.at < CHUNK_SIZE):
        raise MessageMalformed("the post-quantum field is cut off")
    if epoch != FIRST_EPOCH:
        raise MessageVersionUnsupported("a post-quantum epoch that was never agreed on")
    return <uint32_t> index


cdef int walk_pq(PqReceiveStep *step, uint32_t reached) except -1:
    """Step the chain from behind message *reached* to message step.index, keeping what lies between."""
    cdef uint32_t gap = step.index - reached - 1
    cdef uint32_t first_kept, index
    cdef SkippedKey *kept
    if gap > MAX_GAP:
        raise MessageGapTooLarge(f"{gap} messages are missing")
    if gap:
        step.passed_count = kept_of(gap)
        step.passed = <SkippedKey *> malloc(step.passed_count * sizeof(SkippedKey))
        if step.passed is NULL:
            raise MemoryError
        first_kept = step.index - <uint32_t> step.passed_count
        for index in range(reached + 1, step.index):
            # A salt too old to keep is written where the next one overwrites it.
            kept = &step.passed[index - first_kept] if index >= first_kept else step.passed
            step_pq(step.next_key, index, kept.seed, step.next_key)
            kept.index = index
            kept.is_taken = False
    step_pq(step.next_key, step.index, step.salt, step.next_key)
    return 0


cdef void wipe_pq_receive(PqReceiveStep *step) noexcept:
    wipe_keys(step.passed, step.passed_count)
    explicit_bzero(step, sizeof(PqReceiveStep))


cdef class PqChains:
    """Both chains of the first epoch; an index is that of the last message, the first message has 1."""

    def __dealloc__(self):
        explicit_bzero(self.sending_key, SALT_SIZE)
        explicit_bzero(self.receiving_key, SALT_SIZE)

    cdef int64_t reach(self, const uint8_t *field, size_t size) except -1:
        """Return how many messages `find` would step over for a field."""
        if not has_chains(field, size) or field[0] > VERSION:
            return 0
        return max(<int64_t> parse_field(field, size) - self.receiving_index - 1, 0)

    cdef const SkippedKey *skipped_key(self, uint32_t index) noexcept:
        if self.skipped is None:
            return NULL
        return self.skipped.find(index)

    cdef int pass_over(self, const SkippedKey *passed, size_t count) except -1:
        """Keep the salts of messages that were passed over."""
        if self.skipped is None:
            self.skipped = SkippedKeys.__new__(SkippedKeys)
        return self.skipped.extend(passed, count)

    cdef int next_sending(self, PqSendStep *step) except -1:
        """Find the salt of our next message; the chain moves at `commit_sending`."""
        if self.sending_index >= UINT32_MAX - 1:
            raise MessageGapTooLarge("the chain is at its end")
        step_pq(self.sending_key, self.sending_index + 1, step.salt, step.next_key)
        return 0

    cdef size_t put_field(self, uint8_t *dst) noexcept:
        """Write the field of our next message, at most MAX_PQ_FIELD bytes; return its size."""
        cdef uint8_t *at
        dst[0] = VERSION
        dst[1] = FIRST_EPOCH
        at = put_varint(dst + 2, self.sending_index + 1)
        at[0] = TYPE_NONE
        return at + 1 - dst

    cdef void commit_sending(self, const PqSendStep *step) noexcept:
        memcpy(self.sending_key, step.next_key, SALT_SIZE)
        self.sending_index += 1

    cdef int find(self, const uint8_t *field, size_t size, PqReceiveStep *step) except -1:
        """Find the salt of their message with that field; the chain changes only at `commit`.

        Raises MessageMalformed, MessageVersionUnsupported (among them a message without the field: there is no way
        back), MessageGapTooLarge, MessageMacInvalid where its salt is used up: the ratchet has not read the message, so
        it is of another session with the same device, or changed. The caller wipes *step*.
        """
        cdef const SkippedKey *skipped
        memset(step, 0, sizeof(PqReceiveStep))
        if not has_chains(field, size):
            raise MessageVersionUnsupported("the post-quantum field is missing")
        if field[0] > VERSION:
            return 0        # not keyed yet: they come down to our version when they read us
        step.index = parse_field(field, size)
        if not step.index:
            return 0        # libsignal 0.74 to 0.91 does not key what it writes before it has read us
        step.is_keyed = True
        if step.index <= self.receiving_index:
            skipped = self.skipped_key(step.index)
            if skipped is NULL:
                raise MessageMacInvalid("there is no post-quantum key for this message")
            memcpy(step.salt, skipped.seed, SALT_SIZE)
            step.is_skipped = True
            return 0
        memcpy(step.next_key, self.receiving_key, SALT_SIZE)
        return walk_pq(step, self.receiving_index)

    cdef void commit(self, const PqReceiveStep *step) noexcept:
        """Move to where *step* leads."""
        if not step.is_keyed:
            return
        try:
            if step.is_skipped:
                self.skipped.remove(step.index)
                return
            if step.passed_count:
                self.pass_over(step.passed, step.passed_count)
        except MemoryError:
            pass            # late messages are lost, not the one at hand
        memcpy(self.receiving_key, step.next_key, SALT_SIZE)
        self.receiving_index = step.index
