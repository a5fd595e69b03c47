"""A session with one device: the Double Ratchet keeps it, Signal messages carry it.

An error leaves a session as it was. It knows nothing of how it started (`start`), of the other sessions with the same
device, of trust in an identity, and of where its snapshot is kept.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.string cimport memcpy

from corefast.native.bytes cimport load_u16, store_u16
from corefast.native.memory cimport bytes_at, bytes_fill, bytes_from, bytes_room, bytes_size, explicit_bzero
from corefast.protocol.block cimport PQ_BLOCK, SEED_BLOCK, load_block, take_blocks, take_dropped
from corefast.protocol.chain cimport MessageKeys, derive_message_keys
from corefast.protocol.message cimport (
    IDENTITIES_SIZE,
    SignalHead,
    SignalView,
    open_signal,
    parse_signal,
    seal_signal,
    wrap_prekey,
)
from corefast.protocol.pqxdh cimport PQXDH_VERSION, X3DH_VERSION
from corefast.protocol.ratchet cimport Ratchet, ReceiverChain, ReceiveStep, SendStep, wipe_receive
from corefast.protocol.snapshot cimport (
    SnapshotReader,
    pq_size,
    put,
    put_all_skipped,
    put_pq,
    put_ratchet,
    ratchet_size,
    skipped_size,
    take_all_skipped,
    take_pq,
    take_ratchet,
)
from corefast.protocol.spqr cimport MAX_PQ_FIELD, PqChains, PqReceiveStep, PqSendStep, wipe_pq_receive

from corefast import limits
from corefast.errors import MessageTooLong, MessageVersionUnsupported, SnapshotInvalid
from corefast.protocol import message as messages

cdef enum:
    PUBLIC_SIZE = 33
    SNAPSHOT_FORMAT = 3
    FORMAT_WITHOUT_PQ = 1
    FORMAT_WITHOUT_BLOCKS = 2
    SNAPSHOT_HEAD = 2 + IDENTITIES_SIZE + PUBLIC_SIZE + 2 + 2
    MAX_BEFORE = 96
    MAX_AFTER = 2_048

cdef object SIGNAL = messages.KIND_SIGNAL
cdef object PREKEY = messages.KIND_PREKEY
cdef size_t MAX_PLAINTEXT = limits.MAX_PLAINTEXT_BYTES


cdef class Session:
    """Both directions with one device. `base_key` names it: each start of a session has a fresh one."""

    @property
    def their_identity(self):
        """33 bytes, type byte first."""
        return bytes_from(self._theirs_first, PUBLIC_SIZE)

    @property
    def base_key(self):
        """The initiator's base key, 33 bytes."""
        return bytes_from(self._base_key, PUBLIC_SIZE)

    @property
    def is_answered(self):
        """Whether the other side is known to have this session: no message carries its start any more."""
        return self._before is None

    def encrypt(self, bytes plaintext not None, random):
        """Return (kind, message); commit `snapshot` before the message leaves, or its key may be used twice.

        Kind 3 (prekey) until the first answer was read, then 2. *random* is asked for a new ratchet key after each
        turn. Raises MessageTooLong.
        """
        cdef SendStep step
        cdef PqSendStep pq_step
        cdef MessageKeys keys
        cdef SignalHead head
        cdef uint8_t field[MAX_PQ_FIELD]
        cdef Ratchet ratchet = self._ratchet
        cdef PqChains pq = self._pq
        if bytes_size(plaintext) > MAX_PLAINTEXT:
            raise MessageTooLong(f"a plaintext has at most {MAX_PLAINTEXT} bytes")
        if not ratchet.is_sending:
            ratchet.prepare_sending(random)
        head.version = self.version
        head.ratchet_key = ratchet.our_public
        head.counter = ratchet.sending_index
        head.previous_counter = ratchet.previous_counter
        head.pq = field
        head.pq_size = 0 if pq is None else pq.put_field(field)
        try:
            ratchet.next_sending(&step)
            if pq is not None:
                pq.next_sending(&pq_step)
            derive_message_keys(step.seed, NULL if pq is None else pq_step.salt, &keys)
            message = seal_signal(&head, &keys, self._ours_first, plaintext)
            answer = (SIGNAL, message) if self._before is None else (
                PREKEY, wrap_prekey(head.version, self._before, message, self._after))
            ratchet.commit_sending(&step)
            if pq is not None:
                pq.commit_sending(&pq_step)
        finally:
            explicit_bzero(&step, sizeof(SendStep))
            explicit_bzero(&pq_step, sizeof(PqSendStep))
            explicit_bzero(&keys, sizeof(MessageKeys))
        return answer

    def decrypt(self, bytes message not None, random):
        """Return the plaintext of a SignalMessage; on any error the session is unchanged.

        Raises MessageMalformed, MessageVersionUnsupported, MessageReplayed, MessageGapTooLarge, MessageMacInvalid,
        CiphertextInvalid, KeyAgreementFailed. *random* is not drawn from: our next ratchet key waits for a send.
        """
        cdef SignalView view
        cdef ReceiveStep step
        cdef PqReceiveStep pq_step
        cdef MessageKeys keys
        cdef ReceiverChain chain
        cdef PqChains pq = self._pq
        parse_signal(message, &view)
        if view.version != self.version:
            raise MessageVersionUnsupported(f"a version {view.version} message in a version {self.version} session")
        pq_step.passed = NULL
        pq_step.is_keyed = False
        try:
            chain = self._ratchet.find(view.ratchet_key, view.counter, &step)
            if pq is not None:
                pq.find(view.pq, view.pq_size, &pq_step)
            derive_message_keys(step.seed, pq_step.salt if pq_step.is_keyed else NULL, &keys)
            plaintext = open_signal(bytes_at(message), &view, &keys, self._theirs_first)
            self._ratchet.commit(chain, &step)
            if pq is not None:
                pq.commit(&pq_step)
        finally:
            wipe_pq_receive(&pq_step)
            wipe_receive(&step)
            explicit_bzero(&keys, sizeof(MessageKeys))
        self._before = self._after = None
        return plaintext

    def reach(self, bytes message not None):
        """Return how many messages this session would step over to try *message*; raise what `decrypt` does."""
        cdef SignalView view
        cdef ReceiverChain chain
        cdef int64_t steps = 0
        parse_signal(message, &view)
        chain = self._ratchet._receiver(view.ratchet_key)
        if chain is not None:
            steps = max(<int64_t> view.counter - chain.index, 0)
        elif self._ratchet.is_sending:
            steps = view.counter
        return steps if self._pq is None else max(steps, self._pq.reach(view.pq, view.pq_size))

    def snapshot(self):
        """Return the whole session as bytes, private keys in clear: seal and wipe them."""
        return self._write(b"", True)

    def record(self, bytes lead not None=b""):
        """Return *lead* and the session without its skipped keys, whose blocks `take_changes` tells; secret."""
        return self._write(lead, False)

    cdef bytes _write(self, bytes lead, bint has_skipped):
        cdef size_t before_size = 0 if self._before is None else bytes_size(self._before)
        cdef size_t after_size = 0 if self._after is None else bytes_size(self._after)
        cdef bytes room = bytes_room(
            bytes_size(lead) + SNAPSHOT_HEAD + before_size + after_size + ratchet_size(self._ratchet)
            + pq_size(self._pq) + 1 + (skipped_size(self._ratchet, self._pq) if has_skipped else 0))
        cdef uint8_t *at = put(bytes_fill(room), bytes_at(lead), bytes_size(lead))
        at[0] = SNAPSHOT_FORMAT
        at[1] = <uint8_t> self.version
        at = put(at + 2, self._ours_first, IDENTITIES_SIZE)
        at = put(at, self._base_key, PUBLIC_SIZE)
        store_u16(at, <uint16_t> before_size)
        store_u16(at + 2, <uint16_t> after_size)
        at += 4
        if before_size:
            at = put(at, bytes_at(self._before), before_size)
            at = put(at, bytes_at(self._after), after_size)
        at = put_pq(put_ratchet(at, self._ratchet), self._pq)
        at[0] = has_skipped
        if has_skipped:
            put_all_skipped(at + 1, self._ratchet, self._pq)
        return room

    @property
    def has_changes(self):
        """Whether `take_changes` has something to tell."""
        if self._ratchet.dropped is not None:
            return True
        if self._pq is not None and self._pq.skipped is not None and self._pq.skipped.changed is not None:
            return True
        for chain in self._ratchet.receivers:
            if (<ReceiverChain> chain).skipped is not None and (<ReceiverChain> chain).skipped.changed is not None:
                return True
        return False

    def take_changes(self):
        """Return what changed in the blocks of skipped keys since the last call, to be stored with `record`.

        A list of (first number, last number, block): numbers below 2**63, the secret block for the first of them, or
        None for blocks to delete.
        """
        cdef list changes = take_dropped(self._ratchet)
        cdef ReceiverChain chain
        for each in self._ratchet.receivers:
            chain = <ReceiverChain> each
            take_blocks(changes, chain.skipped, SEED_BLOCK, chain.their_ratchet)
        if self._pq is not None:
            take_blocks(changes, self._pq.skipped, PQ_BLOCK, self._base_key + 1)
        return changes

    def settle(self):
        """Take all changes for stored."""
        self._ratchet.dropped = None
        if self._pq is not None and self._pq.skipped is not None:
            self._pq.skipped.changed = None
        for chain in self._ratchet.receivers:
            if (<ReceiverChain> chain).skipped is not None:
                (<ReceiverChain> chain).skipped.changed = None

    def load_block(self, bytes block not None):
        """Take a stored block into a session made by `restore` of its `record`; blocks come in order of their numbers.

        Raises SnapshotInvalid, also for a block of another session or chain; nothing is changed then.
        """
        load_block(block, self._ratchet, self._pq, self._base_key + 1)

    @staticmethod
    def restore(bytes snapshot not None, size_t start=0):
        """Return the session of a snapshot or a record that begins at *start*; raise SnapshotInvalid.

        The skipped keys of a snapshot count as changed: they have no blocks yet.
        """
        cdef SnapshotReader reader = SnapshotReader(snapshot, start)
        cdef const uint8_t *identities
        cdef const uint8_t *base_key
        cdef const uint8_t *sizes
        cdef Session session
        cdef int format = reader.take_byte(SNAPSHOT_FORMAT)
        cdef int version = reader.take_byte(PQXDH_VERSION)
        if not format or version < X3DH_VERSION:
            raise SnapshotInvalid("not a snapshot of this version")
        identities = reader.take(IDENTITIES_SIZE)
        base_key = reader.take(PUBLIC_SIZE)
        session = new_session(version, identities, identities + PUBLIC_SIZE, base_key)
        sizes = reader.take(4)
        session._take_wrapping(reader, load_u16(sizes), load_u16(sizes + 2))
        session._ratchet = take_ratchet(reader, format <= FORMAT_WITHOUT_BLOCKS)
        session._pq = None if format == FORMAT_WITHOUT_PQ else take_pq(reader, format <= FORMAT_WITHOUT_BLOCKS)
        if format > FORMAT_WITHOUT_BLOCKS and reader.take_byte(1):
            take_all_skipped(reader, session._ratchet, session._pq)
        reader.finish()
        return session

    cdef int _take_wrapping(self, SnapshotReader reader, size_t before_size, size_t after_size) except -1:
        if before_size > MAX_BEFORE or after_size > MAX_AFTER or bool(before_size) != bool(after_size):
            raise SnapshotInvalid("a number is out of range")
        if before_size:
            self._before = bytes_from(reader.take(before_size), before_size)
            self._after = bytes_from(reader.take(after_size), after_size)
        return 0


cdef Session new_session(int version, const uint8_t *our_identity, const uint8_t *their_identity,
                         const uint8_t *base_key):
    """A session without a ratchet. Each key has 33 bytes."""
    cdef Session session = Session.__new__(Session)
    session.version = version
    memcpy(session._ours_first, our_identity, PUBLIC_SIZE)
    memcpy(session._ours_first + PUBLIC_SIZE, their_identity, PUBLIC_SIZE)
    memcpy(session._theirs_first, their_identity, PUBLIC_SIZE)
    memcpy(session._theirs_first + PUBLIC_SIZE, our_identity, PUBLIC_SIZE)
    memcpy(session._base_key, base_key, PUBLIC_SIZE)
    return session
