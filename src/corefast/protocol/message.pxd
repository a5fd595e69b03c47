from libc.stdint cimport uint8_t, uint32_t

from corefast.protocol.chain cimport MessageKeys
from corefast.protocol.protobuf cimport Field


cdef enum:
    RATCHET_KEY_SIZE = 32
    IDENTITIES_SIZE = 66
    MAC_SIZE = 8


cdef struct SignalView:
    # A parsed SignalMessage; the pointers are into its bytes.
    uint8_t version
    const uint8_t *ratchet_key      # 32 bytes, without the type byte
    uint32_t counter
    uint32_t previous_counter
    const uint8_t *ciphertext
    size_t ciphertext_size
    const uint8_t *pq               # the pq_ratchet field, NULL without one
    size_t pq_size
    size_t size                     # with the MAC


cdef struct SignalHead:
    uint8_t version
    const uint8_t *ratchet_key      # 32 bytes
    uint32_t counter
    uint32_t previous_counter
    const uint8_t *pq
    size_t pq_size                  # 0: no field


cdef class PreKeySignalMessage:
    cdef readonly int version
    cdef readonly object one_time_id
    cdef readonly bytes base_key
    cdef readonly bytes identity
    cdef readonly bytes message
    cdef readonly uint32_t registration_id
    cdef readonly uint32_t signed_id
    cdef readonly object kem_id
    cdef readonly bytes kem_ciphertext

    cdef int _take(self, const Field *field) except -1
    cdef int _take_kem_ciphertext(self, const Field *field) except -1
    cdef int _take_number(self, int number, uint32_t value) except -1


cdef int parse_signal(bytes message, SignalView *view) except -1
cdef bytes seal_signal(const SignalHead *head, const MessageKeys *keys, const uint8_t *identities, bytes plaintext)
cdef bytes open_signal(const uint8_t *message, const SignalView *view, const MessageKeys *keys,
                       const uint8_t *identities)
cdef bytes wrap_prekey(uint8_t version, bytes before, bytes message, bytes after)
