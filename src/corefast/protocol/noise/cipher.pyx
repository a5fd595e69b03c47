"""CipherState (Noise, section 5.1) with AES-256-GCM: a key and the counter that is its nonce."""

from libc.stdint cimport UINT64_MAX, uint8_t, uint64_t

from corefast.native.aead cimport NONCE_SIZE, TAG_SIZE, AesGcm
from corefast.native.bytes cimport store_u64
from corefast.native.memory cimport bytes_at, bytes_fill, bytes_room, bytes_size

from corefast.errors import CiphertextInvalid, NonceExhausted


cdef class CipherState:
    """Encrypts in order; without a key it hands bytes through, as the spec has it."""

    def initialize_key(self, bytes key not None):
        """Take *key* (32 bytes) and start again at nonce 0."""
        self._aead = AesGcm(key)
        self._nonce = 0

    def has_key(self):
        return self._aead is not None

    def set_nonce(self, uint64_t nonce):
        self._nonce = nonce

    def encrypt_with_ad(self, bytes ad not None, bytes plaintext not None):
        """Return the ciphertext, 16 bytes longer; the nonce moves on. Raises `NonceExhausted`."""
        if self._aead is None:
            return plaintext
        sealed = bytes_room(bytes_size(plaintext) + TAG_SIZE)
        self.seal_into(bytes_at(ad), bytes_size(ad), bytes_at(plaintext), bytes_size(plaintext), bytes_fill(sealed))
        return sealed

    def decrypt_with_ad(self, bytes ad not None, bytes ciphertext not None):
        """Return the plaintext; on `CiphertextInvalid` the nonce has not moved."""
        if self._aead is None:
            return ciphertext
        if bytes_size(ciphertext) < TAG_SIZE:
            raise CiphertextInvalid("shorter than a tag")
        opened = bytes_room(bytes_size(ciphertext) - TAG_SIZE)
        self.open_into(bytes_at(ad), bytes_size(ad), bytes_at(ciphertext), bytes_size(ciphertext), bytes_fill(opened))
        return opened

    cdef int seal_into(self, const uint8_t *ad, size_t ad_size,
                       const uint8_t *src, size_t size, uint8_t *dst) except -1:
        """Write *size* + 16 bytes to *dst*, which may be *src*. There is a key."""
        cdef uint8_t nonce[NONCE_SIZE]
        self._load_nonce(nonce)
        if not self._aead.seal_into(nonce, ad, ad_size, src, size, dst):
            raise MemoryError
        self._nonce += 1
        return 0

    cdef int open_into(self, const uint8_t *ad, size_t ad_size,
                       const uint8_t *src, size_t size, uint8_t *dst) except -1:
        """Write *size* - 16 bytes to *dst*, which may be *src*. There is a key."""
        cdef uint8_t nonce[NONCE_SIZE]
        self._load_nonce(nonce)
        if not self._aead.open_into(nonce, ad, ad_size, src, size, dst):
            raise CiphertextInvalid("the tag does not match")
        self._nonce += 1
        return 0

    cdef int _load_nonce(self, uint8_t *nonce) except -1:
        """Section 12.3: four zero bytes, then the counter, big-endian. The last value is reserved."""
        if self._nonce == UINT64_MAX:
            raise NonceExhausted("this key has been used 2**64 - 1 times")
        nonce[0] = nonce[1] = nonce[2] = nonce[3] = 0
        store_u64(nonce + 4, self._nonce)
        return 0
