from libc.stdint cimport int64_t, uint8_t, uint32_t

from corefast.protocol.skipped cimport SkippedKey, SkippedKeys


cdef enum:
    SALT_SIZE = 32
    MAX_PQ_FIELD = 8        # version, epoch 1, an index of up to five bytes, type


cdef struct PqSendStep:
    # What keys the next message we would send, and the chain after it.
    uint8_t salt[32]
    uint8_t next_key[32]


cdef struct PqReceiveStep:
    # What keys one message found, and the chain after it; nothing is changed until it is committed.
    uint32_t index
    bint is_keyed
    bint is_skipped
    uint8_t salt[32]
    uint8_t next_key[32]
    SkippedKey *passed
    size_t passed_count


cdef class PqChains:
    cdef uint8_t sending_key[32]
    cdef uint32_t sending_index
    cdef uint8_t receiving_key[32]
    cdef uint32_t receiving_index
    cdef SkippedKeys skipped    # None where no message was ever passed over

    cdef int64_t reach(self, const uint8_t *field, size_t size) except -1
    cdef const SkippedKey *skipped_key(self, uint32_t index) noexcept
    cdef int pass_over(self, const SkippedKey *passed, size_t count) except -1
    cdef int next_sending(self, PqSendStep *step) except -1
    cdef size_t put_field(self, uint8_t *dst) noexcept
    cdef void commit_sending(self, const PqSendStep *step) noexcept
    cdef int find(self, const uint8_t *field, size_t size, PqReceiveStep *step) except -1
    cdef void commit(self, const PqReceiveStep *step) noexcept


cdef PqChains start_chains(const uint8_t *auth_key, bint is_initiator)
cdef bint has_chains(const uint8_t *field, size_t size) noexcept
cdef void wipe_pq_receive(PqReceiveStep *step) noexcept
