"""AES-256-CBC (PKCS#7) and HMAC-SHA256 over data that comes in pieces, of constant memory."""

from libc.limits cimport INT_MAX
from libc.string cimport memcpy

from corefast.native.aead cimport CBC_BLOCK_SIZE, CBC_KEY_SIZE
from corefast.native.kdf cimport DIGEST_SIZE, HmacKey, hmac_load
from corefast.native.memory cimport bytes_at, bytes_fill, bytes_room, bytes_size, explicit_bzero
from corefast.native.provider cimport (
    ERR_clear_error,
    EVP_CIPHER,
    EVP_CIPHER_CTX,
    EVP_CIPHER_CTX_free,
    EVP_CIPHER_CTX_new,
    EVP_CIPHER_fetch,
    EVP_DecryptFinal_ex,
    EVP_DecryptInit_ex2,
    EVP_DecryptUpdate,
    EVP_EncryptFinal_ex,
    EVP_EncryptInit_ex2,
    EVP_EncryptUpdate,
    SHA256_CTX,
    SHA256_Final,
    SHA256_Init,
    SHA256_Update,
)

from corefast.errors import CiphertextInvalid

cdef enum:
    HASH_BLOCK_BITS = 512

cdef EVP_CIPHER *CBC = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL)


cdef class CbcStream:
    """One encryption or decryption; `finish` ends it."""

    cdef EVP_CIPHER_CTX *_context
    cdef bint _seals

    def __cinit__(self, bytes key not None, bytes iv not None, bint seals):
        cdef int ready
        if bytes_size(key) != CBC_KEY_SIZE or bytes_size(iv) != CBC_BLOCK_SIZE:
            raise ValueError("AES-256-CBC takes a 32-byte key and a 16-byte iv")
        self._context = EVP_CIPHER_CTX_new()
        self._seals = seals
        if seals:
            ready = EVP_EncryptInit_ex2(self._context, CBC, bytes_at(key), bytes_at(iv), NULL)
        else:
            ready = EVP_DecryptInit_ex2(self._context, CBC, bytes_at(key), bytes_at(iv), NULL)
        if not ready:
            raise MemoryError

    def __dealloc__(self):
        EVP_CIPHER_CTX_free(self._context)

    def update(self, bytes data not None):
        """Return as many whole blocks as *data* completes; decryption holds the last one back."""
        cdef int size = 0, done
        cdef bytes room
        if bytes_size(data) > INT_MAX - CBC_BLOCK_SIZE:
            raise ValueError("a piece is too large")
        room = bytes_room(bytes_size(data) + CBC_BLOCK_SIZE)
        if self._seals:
            done = EVP_EncryptUpdate(self._context, bytes_fill(room), &size, bytes_at(data), <int> bytes_size(data))
        else:
            done = EVP_DecryptUpdate(self._context, bytes_fill(room), &size, bytes_at(data), <int> bytes_size(data))
        if not done:
            ERR_clear_error()
            raise ValueError("libcrypto refused to go on")
        return room[:size]

    def finish(self):
        """Return the last block; raise CiphertextInvalid if what was decrypted has a wrong size or padding."""
        cdef int size = 0, done
        cdef bytes room = bytes_room(2 * CBC_BLOCK_SIZE)
        if self._seals:
            done = EVP_EncryptFinal_ex(self._context, bytes_fill(room), &size)
        else:
            done = EVP_DecryptFinal_ex(self._context, bytes_fill(room), &size)
        if not done:
            ERR_clear_error()
            raise CiphertextInvalid("the padding is wrong")
        return room[:size]


cdef class HmacStream:
    """One HMAC-SHA256; `digest` ends it."""

    cdef SHA256_CTX _state
    cdef HmacKey _key

    def __cinit__(self, bytes key not None):
        hmac_load(&self._key, bytes_at(key), bytes_size(key))
        self._resume(self._key.inner)

    def __dealloc__(self):
        explicit_bzero(&self._key, sizeof(HmacKey))
        explicit_bzero(&self._state, sizeof(SHA256_CTX))

    cdef void _resume(self, const void *after_key) noexcept:
        SHA256_Init(&self._state)
        memcpy(self._state.h, after_key, DIGEST_SIZE)
        self._state.Nl = HASH_BLOCK_BITS

    def update(self, bytes data not None):
        SHA256_Update(&self._state, bytes_at(data), bytes_size(data))

    def digest(self):
        """Return the 32 bytes."""
        cdef bytes digest = bytes_room(DIGEST_SIZE)
        SHA256_Final(bytes_fill(digest), &self._state)
        self._resume(self._key.outer)
        SHA256_Update(&self._state, bytes_at(digest), DIGEST_SIZE)
        SHA256_Final(bytes_fill(digest), &self._state)
        return digest


if CBC is NULL:
    raise ImportError("libcrypto offers no AES-256")
