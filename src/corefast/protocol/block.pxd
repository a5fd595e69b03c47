from libc.stdint cimport uint8_t

from corefast.protocol.ratchet cimport Ratchet
from corefast.protocol.skipped cimport SkippedKeys
from corefast.protocol.spqr cimport PqChains


cdef enum:
    SEED_BLOCK = 0
    PQ_BLOCK = 1


cdef int take_blocks(list changes, SkippedKeys skipped, int kind, const uint8_t *name) except -1
cdef list take_dropped(Ratchet ratchet)
cdef int load_block(bytes block, Ratchet ratchet, PqChains chains, const uint8_t *pq_name) except -1
