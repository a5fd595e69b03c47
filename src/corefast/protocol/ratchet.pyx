"""The Double Ratchet: one root, one sending chain, a few receiving chains (Signal, "The Double Ratchet Algorithm").

A receive is found first and committed only when its message has proved genuine. Our own DH step waits for
the next send (Double Ratchet, 2.3 allows both): a chain of answers costs its reader one agreement, not three.
"""

from libc.stdint cimport UINT32_MAX, uint8_t, uint32_t
from libc.stdlib cimport malloc
from libc.string cimport memcmp, memcpy, memset

from corefast.native.curve cimport PrivateKey, derive_shared
from corefast.native.kdf cimport hkdf
from corefast.native.memory cimport bytes_from, explicit_bzero
from corefast.protocol.chain cimport KEY_SIZE, chain_step
from corefast.protocol.skipped cimport SkippedKey, SkippedKeys, kept_of, wipe_keys

from corefast import limits
from corefast.errors import (
    KeyAgreementFailed,
    MessageGapTooLarge,
    MessageMacInvalid,
    MessageReplayed,
)
from corefast.protocol.spare import take_private

cdef const uint8_t *ROOT_INFO = b"WhisperRatchet"

cdef enum:
    ROOT_INFO_SIZE = 14

cdef uint32_t MAX_GAP = limits.MAX_MESSAGE_GAP
cdef int MAX_CHAINS = limits.MAX_RECEIVER_CHAINS


cdef int derive_root(const uint8_t *root, const uint8_t *our_private, const uint8_t *their_public,
                     uint8_t *next_root, uint8_t *chain_key) except -1:
    """One DH step of the root chain (Double Ratchet, 2.3); raise KeyAgreementFailed. *next_root* may be *root*."""
    cdef uint8_t shared[KEY_SIZE]
    cdef uint8_t keys[2 * KEY_SIZE]
    if not derive_shared(our_private, their_public, shared):
        raise KeyAgreementFailed("the shared secret would be zero")
    hkdf(root, KEY_SIZE, shared, KEY_SIZE, ROOT_INFO, ROOT_INFO_SIZE, keys, sizeof(keys))
    memcpy(next_root, keys, KEY_SIZE)
    memcpy(chain_key, keys + KEY_SIZE, KEY_SIZE)
    explicit_bzero(shared, sizeof(shared))
    explicit_bzero(keys, sizeof(keys))
    return 0


cdef int walk(ReceiveStep *step, uint32_t reached) except -1:
    """Step the chain from message *reached* to message step.index, keeping what lies between."""
    cdef uint32_t gap = step.index - reached
    cdef uint32_t first_kept, index
    cdef SkippedKey *kept
    if gap > MAX_GAP or step.index == UINT32_MAX:
        raise MessageGapTooLarge(f"{gap} messages are missing")
    if gap:
        step.passed_count = kept_of(gap)
        step.passed = <SkippedKey *> malloc(step.passed_count * sizeof(SkippedKey))
        if step.passed is NULL:
            raise MemoryError
        first_kept = step.index - <uint32_t> step.passed_count
        for index in range(reached, step.index):
            # A seed too old to keep is written where the next one overwrites it.
            kept = &step.passed[index - first_kept] if index >= first_kept else step.passed
            chain_step(step.next_key, kept.seed, step.next_key)
            kept.index = index
            kept.is_taken = False
    chain_step(step.next_key, step.seed, step.next_key)
    return 0


cdef void wipe_receive(ReceiveStep *step) noexcept:
    wipe_keys(step.passed, step.passed_count)
    explicit_bzero(step, sizeof(ReceiveStep))


cdef ReceiverChain new_receiver(const uint8_t *their_ratchet):
    cdef ReceiverChain chain = ReceiverChain.__new__(ReceiverChain)
    memcpy(chain.their_ratchet, their_ratchet, KEY_SIZE)
    return chain


cdef class ReceiverChain:
    """A chain that the other side sends on, under one ratchet key of theirs; `index` is the next message."""

    def __dealloc__(self):
        explicit_bzero(self.key, sizeof(self.key))

    cdef const SkippedKey *skipped_key(self, uint32_t index) noexcept:
        if self.skipped is None:
            return NULL
        return self.skipped.find(index)

    cdef int pass_over(self, const SkippedKey *passed, size_t count) except -1:
        """Keep the seeds of messages that were passed over."""
        if self.skipped is None:
            self.skipped = SkippedKeys.__new__(SkippedKeys)
        return self.skipped.extend(passed, count)


cdef class Ratchet:
    """The state of a session that changes with each message."""

    def __cinit__(self):
        self.receivers = []

    def __dealloc__(self):
        explicit_bzero(self.root, sizeof(self.root))
        self._forget_sending()

    cdef void _forget_sending(self) noexcept:
        explicit_bzero(self.our_private, sizeof(self.our_private))
        explicit_bzero(self.sending_key, sizeof(self.sending_key))
        self.is_sending = False
        self.sending_index = 0

    cdef int prepare_sending(self, random) except -1:
        """Take our DH step toward their newest ratchet key, with a new key of ours from *random*."""
        cdef ReceiverChain newest = <ReceiverChain> self.receivers[len(self.receivers) - 1]
        cdef PrivateKey ours = take_private(random)
        derive_root(self.root, ours.scalar, newest.their_ratchet, self.root, self.sending_key)
        memcpy(self.our_private, ours.scalar, KEY_SIZE)
        memcpy(self.our_public, ours.point, KEY_SIZE)
        self.is_sending = True
        return 0

    cdef int next_sending(self, SendStep *step) except -1:
        """Find the seed of our next message; the chain moves at `commit_sending`."""
        if self.sending_index == UINT32_MAX:
            raise MessageGapTooLarge("the chain is at its end")
        chain_step(self.sending_key, step.seed, step.next_key)
        return 0

    cdef void commit_sending(self, const SendStep *step) noexcept:
        memcpy(self.sending_key, step.next_key, KEY_SIZE)
        self.sending_index += 1

    cdef ReceiverChain find(self, const uint8_t *their_ratchet, uint32_t index, ReceiveStep *step):
        """Find the seed of their message *index* under *their_ratchet*; the ratchet changes only at `commit`.

        Raises MessageReplayed, MessageGapTooLarge, KeyAgreementFailed; MessageMacInvalid for a new ratchet key when
        we have none it could answer. The caller wipes *step*.
        """
        cdef ReceiverChain chain
        cdef const SkippedKey *skipped
        memset(step, 0, sizeof(ReceiveStep))
        step.index = index
        chain = self._receiver(their_ratchet)
        if chain is None:
            chain = self._turn(their_ratchet, step)
        elif index < chain.index:
            skipped = chain.skipped_key(index)
            if skipped is NULL:
                raise MessageReplayed(index)
            memcpy(step.seed, skipped.seed, KEY_SIZE)
            step.is_skipped = True
            return chain
        else:
            memcpy(step.next_key, chain.key, KEY_SIZE)
        walk(step, chain.index)
        return chain

    cdef int commit(self, ReceiverChain chain, const ReceiveStep *step) except -1:
        """Move to where *step* leads; all or nothing."""
        if step.is_skipped:
            chain.skipped.remove(step.index)
            return 0
        if step.passed_count:
            chain.pass_over(step.passed, step.passed_count)
        if step.is_turn:
            self.receivers.append(chain)
            if len(self.receivers) > MAX_CHAINS:
                self._drop_oldest()
            memcpy(self.root, step.root, KEY_SIZE)
            # As libsignal writes it: the last index, not the count.
            self.previous_counter = self.sending_index - 1 if self.sending_index else 0
            self._forget_sending()
        memcpy(chain.key, step.next_key, KEY_SIZE)
        chain.index = step.index + 1
        return 0

    cdef int _drop_oldest(self) except -1:
        """Forget the oldest chain, and remember its name if rows may hold seeds of it."""
        cdef ReceiverChain oldest = <ReceiverChain> self.receivers[0]
        if oldest.skipped is not None:
            if self.dropped is None:
                self.dropped = []
            self.dropped.append(bytes_from(oldest.their_ratchet, KEY_SIZE))
        del self.receivers[0]
        return 0

    cdef ReceiverChain _receiver(self, const uint8_t *their_ratchet):
        cdef Py_ssize_t place = len(self.receivers)
        cdef ReceiverChain chain
        while place:
            place -= 1
            chain = <ReceiverChain> self.receivers[place]
            if not memcmp(chain.their_ratchet, their_ratchet, KEY_SIZE):
                return chain
        return None

    cdef ReceiverChain _turn(self, const uint8_t *their_ratchet, ReceiveStep *step):
        """Begin a chain for a ratchet key that we see for the first time."""
        if not self.is_sending:
            raise MessageMacInvalid("a new ratchet key that answers none of ours")
        derive_root(self.root, self.our_private, their_ratchet, step.root, step.next_key)
        step.is_turn = True
        return new_receiver(their_ratchet)
