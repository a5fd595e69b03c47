"""Files, encrypted as a stream for a store that must not read them (the scheme of WhatsApp's media).

A file is AES-256-CBC and 10 bytes of HMAC-SHA256 over iv and ciphertext, under keys that HKDF makes from a 32-byte
media key and the kind of file. The media key and both hashes travel in an encrypted message; the file can lie anywhere.
"""

import hmac
from enum import Enum
from hashlib import sha256

from corefast.errors import CiphertextInvalid, KeyMalformed
from corefast.native.kdf import hkdf_sha256
from corefast.native.stream import CbcStream, HmacStream

MEDIA_KEY_SIZE = 32
MAC_SIZE = 10
_KEYS_SIZE = 112
"""iv 16, cipher key 32, MAC key 32, and 32 that nothing here uses."""


class MediaKind(Enum):
    """The kinds of file, each with its own keys."""

    IMAGE = b"WhatsApp Image Keys"
    VIDEO = b"WhatsApp Video Keys"
    AUDIO = b"WhatsApp Audio Keys"
    DOCUMENT = b"WhatsApp Document Keys"


def derive_media_keys(media_key: bytes, kind: MediaKind) -> tuple[bytes, bytes, bytes]:
    """Return (iv, cipher key, MAC key); raise KeyMalformed."""
    if len(media_key) != MEDIA_KEY_SIZE:
        raise KeyMalformed(f"a media key has {MEDIA_KEY_SIZE} bytes")
    keys = hkdf_sha256(media_key, b"", kind.value, _KEYS_SIZE)
    return keys[:16], keys[16:48], keys[48:80]


class MediaSealer:
    """Encrypts one file under a media key that is used for nothing else."""

    def __init__(self, media_key: bytes, kind: MediaKind) -> None:
        iv, cipher_key, mac_key = derive_media_keys(media_key, kind)
        self._cipher = CbcStream(cipher_key, iv, True)
        self._mac = HmacStream(mac_key)
        self._mac.update(iv)
        self._plain_hash, self._file_hash = sha256(), sha256()

    def update(self, data: bytes) -> bytes:
        """Return the next piece of the encrypted file."""
        self._plain_hash.update(data)
        return self._write(self._cipher.update(data))

    def finish(self) -> bytes:
        """Return the last piece; both hashes are complete then."""
        last = self._write(self._cipher.finish())
        mac = self._mac.digest()[:MAC_SIZE]
        self._file_hash.update(mac)
        return last + mac

    @property
    def plain_hash(self) -> bytes:
        """SHA-256 of what was encrypted."""
        return self._plain_hash.digest()

    @property
    def file_hash(self) -> bytes:
        """SHA-256 of the encrypted file."""
        return self._file_hash.digest()

    def _write(self, ciphertext: bytes) -> bytes:
        self._mac.update(ciphertext)
        self._file_hash.update(ciphertext)
        return ciphertext


class MediaOpener:
    """Decrypts one file. What `update` returns is genuine only once `finish` has returned: keep it aside until then."""

    def __init__(self, media_key: bytes, kind: MediaKind, plain_hash: bytes | None = None) -> None:
        iv, cipher_key, mac_key = derive_media_keys(media_key, kind)
        self._cipher = CbcStream(cipher_key, iv, False)
        self._mac = HmacStream(mac_key)
        self._mac.update(iv)
        self._held = b""
        self._expected_hash, self._plain_hash = plain_hash, sha256()

    def update(self, data: bytes) -> bytes:
        """Return the next piece of the file, not yet proved genuine."""
        self._held += data
        ciphertext, self._held = self._held[:-MAC_SIZE], self._held[-MAC_SIZE:]
        self._mac.update(ciphertext)
        return self._read(self._cipher.update(ciphertext))

    def finish(self) -> bytes:
        """Return the last piece; raise CiphertextInvalid unless the whole file is what its sender encrypted."""
        if not hmac.compare_digest(self._mac.digest()[:MAC_SIZE], self._held):
            raise CiphertextInvalid("the MAC of the file does not match")
        last = self._read(self._cipher.finish())
        if self._expected_hash is not None and not hmac.compare_digest(self._plain_hash.digest(), self._expected_hash):
            raise CiphertextInvalid("the file is not the one that was announced")
        return last

    def _read(self, plaintext: bytes) -> bytes:
        self._plain_hash.update(plaintext)
        return plaintext
