from libc.stdint cimport uint8_t

from corefast.protocol.message cimport IDENTITIES_SIZE
from corefast.protocol.ratchet cimport Ratchet
from corefast.protocol.snapshot cimport SnapshotReader
from corefast.protocol.spqr cimport PqChains


cdef class Session:
    cdef readonly int version
    # The MAC covers the sender's identity, then the receiver's; each order is kept ready.
    cdef uint8_t _ours_first[IDENTITIES_SIZE]
    cdef uint8_t _theirs_first[IDENTITIES_SIZE]
    cdef uint8_t _base_key[33]
    cdef Ratchet _ratchet
    # None with a peer that does not speak SPQR.
    cdef PqChains _pq
    # What wraps our messages as long as the other side may not have the session: None once it answered.
    cdef bytes _before
    cdef bytes _after

    cdef bytes _write(self, bytes lead, bint has_skipped)
    cdef int _take_wrapping(self, SnapshotReader reader, size_t before_size, size_t after_size) except -1


cdef Session new_session(int version, const uint8_t *our_identity, const uint8_t *their_identity,
                         const uint8_t *base_key)
