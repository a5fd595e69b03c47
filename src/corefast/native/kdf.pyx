"""SHA-256, HMAC (RFC 2104) and HKDF (RFC 5869), without the GIL and without an allocation."""

from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memcpy, memset

from corefast.native.bytes cimport store_digest, store_u16
from corefast.native.memory cimport bytes_at, bytes_fill, bytes_room, bytes_size, explicit_bzero
from corefast.native.provider cimport SHA256_CTX, SHA256_Final, SHA256_Init, SHA256_Transform, SHA256_Update

cdef enum:
    MAX_INFO = 256
    MAX_OUTPUT = 255 * DIGEST_SIZE
    # The longest round of HKDF, padded to whole blocks.
    MAX_ROUND = DIGEST_SIZE + MAX_INFO + 1 + 8 + HMAC_BLOCK_SIZE

# What follows a digest in an HMAC, as in the outer hash of each: padding, and the size of key and digest.
cdef uint8_t DIGEST_END[HMAC_BLOCK_SIZE - DIGEST_SIZE]

# The hash of nothing yet, and HKDF's key when there is no salt: zeros (RFC 5869, 2.2).
cdef SHA256_CTX EMPTY
cdef HmacKey ZERO_SALT


cdef void hmac_load(HmacKey *key, const uint8_t *src, size_t size) noexcept nogil:
    """Start *key* from *src* of any size."""
    cdef SHA256_CTX state
    cdef uint8_t block[HMAC_BLOCK_SIZE]
    cdef int i
    memset(block, 0, HMAC_BLOCK_SIZE)
    if size > HMAC_BLOCK_SIZE:
        SHA256_Init(&state)
        SHA256_Update(&state, src, size)
        SHA256_Final(block, &state)
    elif size == DIGEST_SIZE:
        # By far the most frequent: a copy without a call.
        memcpy(block, src, DIGEST_SIZE)
    elif size:
        memcpy(block, src, size)
    for i in range(HMAC_BLOCK_SIZE):
        block[i] ^= 0x36
    memcpy(state.h, EMPTY.h, DIGEST_SIZE)
    SHA256_Transform(&state, block)
    memcpy(key.inner, state.h, DIGEST_SIZE)
    for i in range(HMAC_BLOCK_SIZE):
        block[i] ^= 0x36 ^ 0x5C
    memcpy(state.h, EMPTY.h, DIGEST_SIZE)
    SHA256_Transform(&state, block)
    memcpy(key.outer, state.h, DIGEST_SIZE)
    explicit_bzero(state.h, DIGEST_SIZE)
    explicit_bzero(block, HMAC_BLOCK_SIZE)


cdef size_t pad(uint8_t *message, size_t size) noexcept nogil:
    """Complete *message*, which follows one block of key, to whole blocks as SHA-256 does; return their number."""
    cdef size_t blocks = (size + 1 + 8 + HMAC_BLOCK_SIZE - 1) // HMAC_BLOCK_SIZE
    cdef size_t end = blocks * HMAC_BLOCK_SIZE
    message[size] = 0x80
    memset(message + size + 1, 0, end - 2 - (size + 1))
    store_u16(message + end - 2, <uint16_t> ((HMAC_BLOCK_SIZE + size) * 8))
    return blocks


cdef void hmac_padded(const HmacKey *key, const uint8_t *padded, size_t blocks, uint8_t *dst) noexcept nogil:
    """HMAC of what `pad` completed, at most 8 KiB; *dst* may be within it.

    SHA256_Update and _Final look after sizes that do not occur here: an HMAC of one byte takes them a third longer.
    """
    cdef SHA256_CTX state
    cdef uint8_t block[HMAC_BLOCK_SIZE]
    cdef size_t at
    memcpy(state.h, key.inner, DIGEST_SIZE)
    for at in range(blocks):
        SHA256_Transform(&state, padded + at * HMAC_BLOCK_SIZE)
    store_digest(block, state.h)
    finish(key, &state, block, dst)


cdef inline void finish(const HmacKey *key, SHA256_CTX *state, uint8_t *block, uint8_t *dst) noexcept nogil:
    """Write the HMAC whose inner hash begins *block*; wipe that and *state*."""
    memcpy(block + DIGEST_SIZE, DIGEST_END, HMAC_BLOCK_SIZE - DIGEST_SIZE)
    memcpy(state.h, key.outer, DIGEST_SIZE)
    SHA256_Transform(state, block)
    store_digest(dst, state.h)
    explicit_bzero(state.h, DIGEST_SIZE)
    explicit_bzero(block, DIGEST_SIZE)


cdef void hmac_digest(const HmacKey *key, const uint8_t *src, size_t size, uint8_t *dst) noexcept nogil:
    """HMAC of *src*; *dst* may be *src*."""
    cdef uint8_t block[HMAC_BLOCK_SIZE]
    if size == DIGEST_SIZE:
        memcpy(block, src, DIGEST_SIZE)
        memcpy(block + DIGEST_SIZE, DIGEST_END, HMAC_BLOCK_SIZE - DIGEST_SIZE)
        hmac_padded(key, block, 1, dst)
        explicit_bzero(block, DIGEST_SIZE)
        return
    hmac_digest_pair(key, src, size, NULL, 0, dst)


cdef void hmac_digest_pair(const HmacKey *key, const uint8_t *first, size_t first_size,
                           const uint8_t *second, size_t second_size, uint8_t *dst) noexcept nogil:
    """HMAC of *first* || *second*; *dst* may be one of them."""
    cdef SHA256_CTX state
    cdef uint8_t block[HMAC_BLOCK_SIZE]
    SHA256_Init(&state)
    memcpy(state.h, key.inner, DIGEST_SIZE)
    # Behind one block of padded key.
    state.Nl = HMAC_BLOCK_SIZE * 8
    SHA256_Update(&state, first, first_size)
    if second_size:
        SHA256_Update(&state, second, second_size)
    SHA256_Final(block, &state)
    finish(key, &state, block, dst)


cdef void hkdf_extract(const uint8_t *salt, size_t salt_size, const uint8_t *ikm, size_t size,
                       uint8_t *dst) noexcept nogil:
    """HKDF-Extract; without *salt* (size 0) its key is zeros and costs nothing."""
    cdef HmacKey key
    if not salt_size:
        hmac_digest(&ZERO_SALT, ikm, size, dst)
        return
    hmac_load(&key, salt, salt_size)
    hmac_digest(&key, ikm, size, dst)
    explicit_bzero(&key, sizeof(HmacKey))


cdef void hkdf_expand(const uint8_t *prk, const uint8_t *info, size_t info_size,
                      uint8_t *dst, size_t size) noexcept nogil:
    """HKDF-Expand to *size* bytes, at most 255 digests, with *info* of at most 256 bytes."""
    cdef HmacKey key
    # T(i - 1) || info || i; the first has no T. Both are complete before the key is loaded: a block read right behind
    # single bytes written to it waits for them.
    cdef uint8_t start[MAX_ROUND - DIGEST_SIZE]
    cdef uint8_t round[MAX_ROUND]
    cdef uint8_t *counter = round + DIGEST_SIZE + info_size
    cdef size_t blocks, part
    memcpy(start, info, info_size)
    start[info_size] = 1
    blocks = pad(start, info_size + 1)
    memcpy(round + DIGEST_SIZE, info, info_size)
    counter[0] = 2
    hmac_load(&key, prk, DIGEST_SIZE)
    hmac_padded(&key, start, blocks, round)
    blocks = pad(round, DIGEST_SIZE + info_size + 1)
    while True:
        part = min(size, <size_t> DIGEST_SIZE)
        memcpy(dst, round, part)
        dst += part
        size -= part
        if not size:
            break
        hmac_padded(&key, round, blocks, round)
        counter[0] += 1
    explicit_bzero(&key, sizeof(HmacKey))
    explicit_bzero(round, DIGEST_SIZE)


cdef void hkdf(const uint8_t *salt, size_t salt_size, const uint8_t *ikm, size_t ikm_size,
               const uint8_t *info, size_t info_size, uint8_t *dst, size_t size) noexcept nogil:
    """RFC 5869 in one call; the bounds are those of `hkdf_expand`."""
    cdef uint8_t prk[DIGEST_SIZE]
    hkdf_extract(salt, salt_size, ikm, ikm_size, prk)
    hkdf_expand(prk, info, info_size, dst, size)
    explicit_bzero(prk, DIGEST_SIZE)


def sha256(bytes data not None):
    cdef SHA256_CTX state
    digest = bytes_room(DIGEST_SIZE)
    SHA256_Init(&state)
    SHA256_Update(&state, bytes_at(data), bytes_size(data))
    SHA256_Final(bytes_fill(digest), &state)
    return digest


def hmac_sha256(bytes key not None, bytes data not None):
    cdef HmacKey loaded
    digest = bytes_room(DIGEST_SIZE)
    hmac_load(&loaded, bytes_at(key), bytes_size(key))
    hmac_digest(&loaded, bytes_at(data), bytes_size(data), bytes_fill(digest))
    explicit_bzero(&loaded, sizeof(HmacKey))
    return digest


def hkdf_sha256(bytes ikm not None, bytes salt not None, bytes info not None, size_t length):
    """RFC 5869 with SHA-256; an empty *salt* means zeros. Raises ValueError above 255 digests or 256 bytes of info."""
    if length > MAX_OUTPUT or bytes_size(info) > MAX_INFO:
        raise ValueError(f"HKDF yields at most {MAX_OUTPUT} bytes and takes at most {MAX_INFO} of info")
    output = bytes_room(length)
    hkdf(bytes_at(salt), bytes_size(salt), bytes_at(ikm), bytes_size(ikm),
         bytes_at(info), bytes_size(info), bytes_fill(output), length)
    return output


SHA256_Init(&EMPTY)
DIGEST_END[0] = 0x80
store_u16(DIGEST_END + HMAC_BLOCK_SIZE - DIGEST_SIZE - 2, (HMAC_BLOCK_SIZE + DIGEST_SIZE) * 8)
hmac_load(&ZERO_SALT, NULL, 0)
