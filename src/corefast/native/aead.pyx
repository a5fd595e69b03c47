"""AES-256-GCM with a kept key, and the AES-256-CBC of the Signal message (PKCS#7, a fresh key each time)."""

from libc.limits cimport INT_MAX
from libc.stdint cimport uint8_t

from corefast.native.memory cimport bytes_at, bytes_fill, bytes_room, bytes_size, explicit_bzero
from corefast.native.provider cimport (
    ERR_clear_error,
    EVP_CIPHER,
    EVP_CIPHER_CTX,
    EVP_CIPHER_CTX_ctrl,
    EVP_CIPHER_CTX_free,
    EVP_CIPHER_CTX_new,
    EVP_CIPHER_fetch,
    EVP_CTRL_AEAD_GET_TAG,
    EVP_CTRL_AEAD_SET_TAG,
    EVP_DecryptFinal_ex,
    EVP_DecryptInit_ex2,
    EVP_DecryptUpdate,
    EVP_EncryptFinal_ex,
    EVP_EncryptInit_ex2,
    EVP_EncryptUpdate,
)

from corefast.errors import CiphertextInvalid

# Fetched once for the life of the process: an implicit fetch for each message doubles its price.
cdef EVP_CIPHER *GCM = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)
cdef EVP_CIPHER *CBC = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL)

# One context a direction, reused under the GIL. It holds the schedule of the last message key until the next message.
cdef EVP_CIPHER_CTX *CBC_SEALER = EVP_CIPHER_CTX_new()
cdef EVP_CIPHER_CTX *CBC_OPENER = EVP_CIPHER_CTX_new()


cdef class AesGcm:
    """AES-256-GCM under one key. The caller never repeats a nonce, and uses one object from one thread at a time."""

    def __cinit__(self, bytes key not None):
        if bytes_size(key) != AEAD_KEY_SIZE:
            raise ValueError("an AES-256 key has 32 bytes")
        self._context = EVP_CIPHER_CTX_new()
        if self._context is NULL or not EVP_EncryptInit_ex2(self._context, GCM, bytes_at(key), NULL, NULL):
            raise MemoryError

    def __dealloc__(self):
        # Frees and cleanses the key schedule.
        EVP_CIPHER_CTX_free(self._context)

    cdef bint seal_into(self, const uint8_t *nonce, const uint8_t *ad, size_t ad_size,
                        const uint8_t *src, size_t size, uint8_t *dst) noexcept nogil:
        """Write *size* bytes and a 16-byte tag to *dst*, which may be *src*. False if libcrypto refuses."""
        cdef int written = 0
        return (
            size <= INT_MAX and ad_size <= INT_MAX
            and EVP_EncryptInit_ex2(self._context, NULL, NULL, nonce, NULL)
            and (not ad_size or EVP_EncryptUpdate(self._context, NULL, &written, ad, <int> ad_size))
            and (not size or EVP_EncryptUpdate(self._context, dst, &written, src, <int> size))
            and EVP_EncryptFinal_ex(self._context, dst + size, &written)
            and EVP_CIPHER_CTX_ctrl(self._context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, dst + size)
        )

    cdef bint open_into(self, const uint8_t *nonce, const uint8_t *ad, size_t ad_size,
                        const uint8_t *src, size_t size, uint8_t *dst) noexcept nogil:
        """Write *size* - 16 bytes to *dst*, which may be *src*. False, and *dst* wiped, if the tag is wrong."""
        cdef int written = 0
        cdef size_t plain
        if size < TAG_SIZE or size > INT_MAX or ad_size > INT_MAX:
            return False
        plain = size - TAG_SIZE
        if (
            EVP_DecryptInit_ex2(self._context, NULL, NULL, nonce, NULL)
            and EVP_CIPHER_CTX_ctrl(self._context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, <void *> (src + plain))
            and (not ad_size or EVP_DecryptUpdate(self._context, NULL, &written, ad, <int> ad_size))
            and (not plain or EVP_DecryptUpdate(self._context, dst, &written, src, <int> plain))
            and EVP_DecryptFinal_ex(self._context, dst + plain, &written)
        ):
            return True
        explicit_bzero(dst, plain)
        ERR_clear_error()
        return False

    def seal(self, bytes nonce not None, bytes plaintext not None, bytes ad not None=b""):
        """Return the ciphertext and its tag: 16 bytes more than *plaintext*."""
        if bytes_size(nonce) != NONCE_SIZE:
            raise ValueError("a nonce has 12 bytes")
        sealed = bytes_room(bytes_size(plaintext) + TAG_SIZE)
        if not self.seal_into(bytes_at(nonce), bytes_at(ad), bytes_size(ad),
                              bytes_at(plaintext), bytes_size(plaintext), bytes_fill(sealed)):
            raise ValueError("libcrypto refused to encrypt")
        return sealed

    def open(self, bytes nonce not None, bytes ciphertext not None, bytes ad not None=b""):
        """Return the plaintext; raise CiphertextInvalid if key, nonce, ciphertext or *ad* differ from the sealer's."""
        if bytes_size(nonce) != NONCE_SIZE:
            raise ValueError("a nonce has 12 bytes")
        if bytes_size(ciphertext) < TAG_SIZE:
            raise CiphertextInvalid("shorter than a tag")
        plaintext = bytes_room(bytes_size(ciphertext) - TAG_SIZE)
        if not self.open_into(bytes_at(nonce), bytes_at(ad), bytes_size(ad),
                              bytes_at(ciphertext), bytes_size(ciphertext), bytes_fill(plaintext)):
            raise CiphertextInvalid("the tag does not match")
        return plaintext


cdef int cbc_seal(const uint8_t *key, const uint8_t *iv, const uint8_t *src, int size, uint8_t *dst) noexcept:
    """Encrypt with PKCS#7 padding; return the size written, 1 to 16 bytes more than *size*, or -1."""
    cdef int head = 0, tail = 0
    if not (
        EVP_EncryptInit_ex2(CBC_SEALER, NULL, key, iv, NULL)
        and EVP_EncryptUpdate(CBC_SEALER, dst, &head, src, size)
        and EVP_EncryptFinal_ex(CBC_SEALER, dst + head, &tail)
    ):
        ERR_clear_error()
        return -1
    return head + tail


cdef int cbc_open(const uint8_t *key, const uint8_t *iv, const uint8_t *src, int size, uint8_t *dst) noexcept:
    """Decrypt to *dst* of *size* bytes; return the size of the plaintext, or -1 if size or padding are wrong."""
    cdef int head = 0, tail = 0
    if size <= 0 or size % CBC_BLOCK_SIZE:
        return -1
    if not (
        EVP_DecryptInit_ex2(CBC_OPENER, NULL, key, iv, NULL)
        and EVP_DecryptUpdate(CBC_OPENER, dst, &head, src, size)
        and EVP_DecryptFinal_ex(CBC_OPENER, dst + head, &tail)
    ):
        explicit_bzero(dst, size)
        ERR_clear_error()
        return -1
    return head + tail


def cbc_encrypt(bytes key not None, bytes iv not None, bytes plaintext not None):
    """AES-256-CBC with PKCS#7 padding."""
    cdef bytes room
    if bytes_size(key) != CBC_KEY_SIZE or bytes_size(iv) != CBC_BLOCK_SIZE or bytes_size(plaintext) > INT_MAX - 16:
        raise ValueError("AES-256-CBC takes a 32-byte key and a 16-byte iv")
    room = bytes_room(bytes_size(plaintext) + CBC_BLOCK_SIZE)
    size = cbc_seal(bytes_at(key), bytes_at(iv), bytes_at(plaintext), <int> bytes_size(plaintext), bytes_fill(room))
    return room[:size]


def cbc_decrypt(bytes key not None, bytes iv not None, bytes ciphertext not None):
    """Undo `cbc_encrypt`; raise CiphertextInvalid on a wrong size or padding. Check a MAC first."""
    cdef bytes room
    if bytes_size(key) != CBC_KEY_SIZE or bytes_size(iv) != CBC_BLOCK_SIZE or bytes_size(ciphertext) > INT_MAX:
        raise ValueError("AES-256-CBC takes a 32-byte key and a 16-byte iv")
    room = bytes_room(bytes_size(ciphertext))
    size = cbc_open(bytes_at(key), bytes_at(iv), bytes_at(ciphertext), <int> bytes_size(ciphertext), bytes_fill(room))
    if size < 0:
        raise CiphertextInvalid("the padding is wrong")
    return room[:size]


if GCM is NULL or CBC is NULL or CBC_SEALER is NULL or CBC_OPENER is NULL:
    raise ImportError("libcrypto offers no AES-256")
# The cipher is set once; each message brings only key and iv.
EVP_EncryptInit_ex2(CBC_SEALER, CBC, NULL, NULL, NULL)
EVP_DecryptInit_ex2(CBC_OPENER, CBC, NULL, NULL, NULL)
