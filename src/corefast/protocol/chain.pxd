from libc.stdint cimport uint8_t


cdef enum:
    KEY_SIZE = 32


cdef struct MessageKeys:
    # In the order in which HKDF yields them.
    uint8_t cipher[32]
    uint8_t mac[32]
    uint8_t iv[16]


cdef void chain_step(const uint8_t *chain_key, uint8_t *seed, uint8_t *next_key) noexcept nogil
cdef void derive_message_keys(const uint8_t *seed, const uint8_t *salt, MessageKeys *keys) noexcept nogil
