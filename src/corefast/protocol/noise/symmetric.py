"""SymmetricState (Noise, section 5.2) with SHA-256: the chaining key, the transcript hash, and a cipher under them."""

from corefast.native.kdf import hkdf_sha256, sha256
from corefast.protocol.noise.cipher import CipherState

_HASH_BYTES = 32


class SymmetricState:
    """`h` is the transcript hash, unique to the handshake once it is over."""

    def __init__(self, protocol_name: bytes) -> None:
        fits = len(protocol_name) <= _HASH_BYTES
        self.h = protocol_name.ljust(_HASH_BYTES, b"\0") if fits else sha256(protocol_name)
        self._ck = self.h
        self._cipher = CipherState()

    def mix_key(self, input_key_material: bytes) -> None:
        self._ck, key = self._hkdf(input_key_material, 2)
        self._cipher.initialize_key(key)

    def mix_hash(self, data: bytes) -> None:
        self.h = sha256(self.h + data)

    def mix_key_and_hash(self, input_key_material: bytes) -> None:
        self._ck, digest, key = self._hkdf(input_key_material, 3)
        self.mix_hash(digest)
        self._cipher.initialize_key(key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        ciphertext = self._cipher.encrypt_with_ad(self.h, plaintext)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        """Return the plaintext; raise `CiphertextInvalid` with nothing changed."""
        plaintext = self._cipher.decrypt_with_ad(self.h, ciphertext)
        self.mix_hash(ciphertext)
        return plaintext

    @property
    def has_key(self) -> bool:
        return self._cipher.has_key()

    def split(self) -> tuple[CipherState, CipherState]:
        """Return the ciphers for what the initiator sends and for what the responder sends; forget the chain."""
        first, second = self._hkdf(b"", 2)
        self._ck = b""
        ciphers = CipherState(), CipherState()
        ciphers[0].initialize_key(first)
        ciphers[1].initialize_key(second)
        return ciphers

    def _hkdf(self, input_key_material: bytes, outputs: int) -> list[bytes]:
        """Section 4.3; RFC 5869 with the chaining key as salt and no info."""
        block = hkdf_sha256(input_key_material, self._ck, b"", outputs * _HASH_BYTES)
        return [block[i : i + _HASH_BYTES] for i in range(0, len(block), _HASH_BYTES)]
