from libc.stdint cimport uint8_t, uint32_t

from corefast.protocol.skipped cimport SkippedKey, SkippedKeys


cdef struct SendStep:
    # The next message we would send, and the chain after it.
    uint8_t seed[32]
    uint8_t next_key[32]


cdef struct ReceiveStep:
    # One message found, and the ratchet after it; nothing is changed until it is committed.
    uint32_t index
    bint is_skipped
    bint is_turn                # their new ratchet key: a DH step
    uint8_t seed[32]
    uint8_t next_key[32]
    uint8_t root[32]
    SkippedKey *passed
    size_t passed_count


cdef class ReceiverChain:
    cdef uint8_t their_ratchet[32]
    cdef uint8_t key[32]
    cdef uint32_t index
    cdef SkippedKeys skipped    # None where no message was ever passed over

    cdef const SkippedKey *skipped_key(self, uint32_t index) noexcept
    cdef int pass_over(self, const SkippedKey *passed, size_t count) except -1


cdef class Ratchet:
    cdef uint8_t root[32]
    cdef uint32_t previous_counter
    # Our turn to step is taken at the next send: until then there is no key pair of ours.
    cdef bint is_sending
    cdef uint8_t our_private[32]
    cdef uint8_t our_public[32]
    cdef uint8_t sending_key[32]
    cdef uint32_t sending_index
    cdef list receivers         # of ReceiverChain, newest last
    cdef list dropped           # ratchet keys of chains whose stored seeds are to be deleted; None where there are none

    cdef int prepare_sending(self, random) except -1
    cdef int next_sending(self, SendStep *step) except -1
    cdef void commit_sending(self, const SendStep *step) noexcept
    cdef ReceiverChain find(self, const uint8_t *their_ratchet, uint32_t index, ReceiveStep *step)
    cdef int commit(self, ReceiverChain chain, const ReceiveStep *step) except -1
    cdef int _drop_oldest(self) except -1
    cdef ReceiverChain _receiver(self, const uint8_t *their_ratchet)
    cdef ReceiverChain _turn(self, const uint8_t *their_ratchet, ReceiveStep *step)
    cdef void _forget_sending(self) noexcept


cdef void wipe_receive(ReceiveStep *step) noexcept
cdef ReceiverChain new_receiver(const uint8_t *their_ratchet)
