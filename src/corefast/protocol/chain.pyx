"""The symmetric-key ratchet: a chain key, the seeds it yields, the keys of one message (Double Ratchet, 2.2)."""

from libc.stdint cimport uint8_t

from corefast.native.kdf cimport HMAC_BLOCK_SIZE, HmacKey, hkdf, hmac_load, hmac_padded, pad
from corefast.native.memory cimport bytes_at, bytes_from, bytes_size, explicit_bzero

from corefast.errors import KeyMalformed

# 0x01 and 0x02, padded once for every chain.
cdef uint8_t SEED_LABEL[HMAC_BLOCK_SIZE]
cdef uint8_t NEXT_LABEL[HMAC_BLOCK_SIZE]
cdef const uint8_t *KEYS_INFO = b"WhisperMessageKeys"

cdef enum:
    KEYS_INFO_SIZE = 18


cdef void chain_step(const uint8_t *chain_key, uint8_t *seed, uint8_t *next_key) noexcept nogil:
    """Write the seed of this message and the next chain key, which may overwrite *chain_key* (Double Ratchet, 7.2).

    Both are HMACs under the chain key, so its two padded blocks are hashed once.
    """
    cdef HmacKey key
    hmac_load(&key, chain_key, KEY_SIZE)
    hmac_padded(&key, SEED_LABEL, 1, seed)
    hmac_padded(&key, NEXT_LABEL, 1, next_key)
    explicit_bzero(&key, sizeof(HmacKey))


cdef void derive_message_keys(const uint8_t *seed, const uint8_t *salt, MessageKeys *keys) noexcept nogil:
    """Write the keys of one message (libsignal, ratchet/keys.rs).

    *salt* is the 32-byte key of a post-quantum ratchet, NULL without one. A skipped message is kept as its seed, since
    its salt is known only when it comes.
    """
    hkdf(salt, 0 if salt is NULL else KEY_SIZE, seed, KEY_SIZE, KEYS_INFO, KEYS_INFO_SIZE,
         <uint8_t *> keys, sizeof(MessageKeys))


def step_chain(bytes chain_key not None):
    """Return (message seed, next chain key) of a 32-byte chain key."""
    cdef uint8_t seed[KEY_SIZE]
    cdef uint8_t next_key[KEY_SIZE]
    if bytes_size(chain_key) != KEY_SIZE:
        raise KeyMalformed("a chain key has 32 bytes")
    chain_step(bytes_at(chain_key), seed, next_key)
    return bytes_from(seed, KEY_SIZE), bytes_from(next_key, KEY_SIZE)


def message_keys(bytes seed not None):
    """Return (cipher key, MAC key, iv) of a 32-byte message seed."""
    cdef MessageKeys keys
    if bytes_size(seed) != KEY_SIZE:
        raise KeyMalformed("a message seed has 32 bytes")
    derive_message_keys(bytes_at(seed), NULL, &keys)
    return bytes_from(keys.cipher, 32), bytes_from(keys.mac, 32), bytes_from(keys.iv, 16)


SEED_LABEL[0], NEXT_LABEL[0] = 0x01, 0x02
pad(SEED_LABEL, 1)
pad(NEXT_LABEL, 1)
