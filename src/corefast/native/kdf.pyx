"""SHA-256, HMAC (RFC 2104) and HKDF (RFC 5869), without the GIL and without an allocation."""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from corefast.native.memory cimport bytes_at, bytes_fill, bytes_room, bytes_size, explicit_bzero
from corefast.native.provider cimport SHA256_CTX, SHA256_Final, SHA256_Init, SHA256_Update


cdef enum:
    BLOCK_SIZE = 64
    MAX_OUTPUT = 255 * DIGEST_SIZE

# HKDF without a salt is keyed with zeros (RFC 5869, 2.2); its states never change.
cdef HmacKey ZERO_SALT


cdef void hmac_load(HmacKey *key, const uint8_t *src, size_t size) noexcept nogil:
    """Start *key* from *src* of any size."""
    cdef uint8_t block[BLOCK_SIZE]
    cdef int i
    memset(block, 0, BLOCK_SIZE)
    SHA256_Init(&key.inner)
    if size > BLOCK_SIZE:
        SHA256_Update(&key.inner, src, size)
        SHA256_Final(block, &key.inner)
        SHA256_Init(&key.inner)
    elif size:
        memcpy(block, src, size)
    memcpy(&key.outer, &key.inner, sizeof(SHA256_CTX))
    for i in range(BLOCK_SIZE):
        block[i] ^= 0x36
    SHA256_Update(&key.inner, block, BLOCK_SIZE)
    for i in range(BLOCK_SIZE):
        block[i] ^= 0x36 ^ 0x5C
    SHA256_Update(&key.outer, block, BLOCK_SIZE)
    explicit_bzero(block, BLOCK_SIZE)


cdef void hmac_digest(const HmacKey *key, const uint8_t *src, size_t size, uint8_t *dst) noexcept nogil:
    hmac_digest_pair(key, src, size, NULL, 0, dst)


cdef void hmac_digest_pair(const HmacKey *key, const uint8_t *first, size_t first_size,
                           const uint8_t *second, size_t second_size, uint8_t *dst) noexcept nogil:
    """HMAC of *first* || *second*; *dst* may be one of them."""
    cdef SHA256_CTX state
    memcpy(&state, &key.inner, sizeof(SHA256_CTX))
    SHA256_Update(&state, first, first_size)
    if second_size:
        SHA256_Update(&state, second, second_size)
    SHA256_Final(dst, &state)
    memcpy(&state, &key.outer, sizeof(SHA256_CTX))
    SHA256_Update(&state, dst, DIGEST_SIZE)
    SHA256_Final(dst, &state)
    explicit_bzero(&state, sizeof(SHA256_CTX))


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
    """HKDF-Expand to *size* bytes, at most 255 digests."""
    cdef HmacKey key
    cdef SHA256_CTX state
    cdef uint8_t digest[DIGEST_SIZE]
    cdef uint8_t counter = 0
    cdef size_t done = 0, part
    hmac_load(&key, prk, DIGEST_SIZE)
    while done < size:
        counter += 1
        memcpy(&state, &key.inner, sizeof(SHA256_CTX))
        if done:
            SHA256_Update(&state, digest, DIGEST_SIZE)
        SHA256_Update(&state, info, info_size)
        SHA256_Update(&state, &counter, 1)
        SHA256_Final(digest, &state)
        memcpy(&state, &key.outer, sizeof(SHA256_CTX))
        SHA256_Update(&state, digest, DIGEST_SIZE)
        SHA256_Final(digest, &state)
        part = min(size - done, <size_t> DIGEST_SIZE)
        memcpy(dst + done, digest, part)
        done += part
    explicit_bzero(&key, sizeof(HmacKey))
    explicit_bzero(&state, sizeof(SHA256_CTX))
    explicit_bzero(digest, DIGEST_SIZE)


cdef void hkdf(const uint8_t *salt, size_t salt_size, const uint8_t *ikm, size_t ikm_size,
               const uint8_t *info, size_t info_size, uint8_t *dst, size_t size) noexcept nogil:
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
    """RFC 5869 with SHA-256; an empty *salt* means zeros. Raises ValueError above 255 digests."""
    if length > MAX_OUTPUT:
        raise ValueError(f"HKDF yields at most {MAX_OUTPUT} bytes")
    output = bytes_room(length)
    hkdf(bytes_at(salt), bytes_size(salt), bytes_at(ikm), bytes_size(ikm),
         bytes_at(info), bytes_size(info), bytes_fill(output), length)
    return output


hmac_load(&ZERO_SALT, NULL, 0)
