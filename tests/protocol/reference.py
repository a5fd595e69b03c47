"""A second, slow reader of our messages: PQXDH and the ratchet from the specifications, on other libraries."""

import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from corefast.protocol.message import PreKeySignalMessage, SignalMessage

from .party import Party

PQ_LABEL = b"Signal PQ Ratchet V1 Chain "
PQXDH_INFO = b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"


def agree(private: bytes, public: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public[1:]))


def hkdf(salt: bytes | None, ikm: bytes, info: bytes, size: int) -> bytes:
    return HKDF(SHA256(), size, salt, info).derive(ikm)


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def pq_salt(auth_key: bytes, index: int) -> bytes:
    """Return the salt of the initiator's message *index*, counted from 1, in the first epoch of SPQR."""
    chain = hkdf(None, auth_key, PQ_LABEL + b" Start", 96)[32:64]
    for step in range(1, index + 1):
        keys = hkdf(None, chain, step.to_bytes(4, "big") + PQ_LABEL + b"Next", 64)
        chain, salt = keys[:32], keys[32:]
    return salt


def open_first(party: Party, whole: bytes) -> bytes:
    """Return the plaintext of the first messages of a session, having all keys of *party*."""
    outer = PreKeySignalMessage.parse(whole)
    inner = SignalMessage.parse(outer.message)
    secret = b"\xff" * 32
    secret += agree(party.signed.private, outer.identity)
    secret += agree(party.identity.private, outer.base_key)
    secret += agree(party.signed.private, outer.base_key)
    if outer.one_time_id is not None:
        secret += agree(party.one_time.private, outer.base_key)
    secret += party.kem.decapsulate(outer.kem_ciphertext)
    secrets = hkdf(None, secret, PQXDH_INFO, 96)
    root = secrets[:32]
    salt = pq_salt(secrets[64:], inner.counter + 1)
    assert inner.pq_ratchet == b"\x01\x01" + varint(inner.counter + 1) + b"\x00"
    shared = agree(party.signed.private, inner.ratchet_key)
    chain = hkdf(root, shared, b"WhisperRatchet", 64)[32:]
    for _ in range(inner.counter):
        chain = hmac.digest(chain, b"\x02", "sha256")
    seed = hmac.digest(chain, b"\x01", "sha256")
    keys = hkdf(salt, seed, b"WhisperMessageKeys", 80)
    maced = outer.identity + party.identity.public + outer.message[:-8]
    assert hmac.digest(keys[32:64], maced, "sha256")[:8] == outer.message[-8:]
    cipher = Cipher(algorithms.AES(keys[:32]), modes.CBC(keys[64:])).decryptor()
    padded = cipher.update(inner.ciphertext) + cipher.finalize()
    assert padded.endswith(bytes([padded[-1]]) * padded[-1])
    return padded[: -padded[-1]]
