"""The session protocol once more, slow and obvious, on other libraries: X3DH, PQXDH, the Double Ratchet, SPQR's chains.

Written from the specifications and from what is known of libsignal's bytes; nothing of `corefast.protocol` is used.
Keys are raw bytes, public ones with their type byte; state is plain and a refusal is found before it changes.
"""

import hmac
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha3_256, shake_256

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

from .model_wire import Prekey, Refused, Signal, build_prekey, build_signal, read_pq, write_pq

GAP, KEPT, CHAINS, LAST = 25_000, 2_000, 5, 2**32 - 1
PRIME = 2**255 - 19


class Replayed(Refused):
    """The message was read before, or its key is forgotten."""


def public_of(private: bytes) -> bytes:
    return b"\x05" + X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agree(private: bytes, public: bytes) -> bytes:
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public[1:]))
    except ValueError:
        raise Refused("a low-order point") from None


def hkdf(salt: bytes | None, secret: bytes, info: bytes, size: int) -> bytes:
    return HKDF(SHA256(), size, salt, info).derive(secret)


def kem_secret(secret: bytes, ciphertext: bytes) -> bytes:
    """Round-3 Kyber from ML-KEM; *secret* is the seed, *ciphertext* has its type byte."""
    shared = MLKEM1024PrivateKey.from_seed_bytes(secret).decapsulate(ciphertext[1:])
    return shake_256(shared + sha3_256(ciphertext[1:]).digest()).digest(32)


def cbc(keys: bytes) -> "Cipher[modes.CBC]":
    return Cipher(algorithms.AES(keys[:32]), modes.CBC(keys[64:80]))


@dataclass
class Chain:
    """One direction under one ratchet key: the key of message `index`, and what was passed over."""

    key: bytes
    index: int = 0
    skipped: dict[int, bytes] = field(default_factory=dict)

    def step(self) -> bytes:
        seed, self.key = (hmac.digest(self.key, label, "sha256") for label in (b"\x01", b"\x02"))
        self.index += 1
        return seed

    def find(self, index: int) -> bytes:
        if index < self.index:
            if index not in self.skipped:
                raise Replayed
            return self.skipped.pop(index)
        if index - self.index > GAP or index == LAST:
            raise Refused("a gap")
        while self.index < index:
            at = self.index
            self.skipped[at] = self.step()
        for old in sorted(self.skipped)[: max(0, len(self.skipped) - KEPT)]:
            del self.skipped[old]
        return self.step()


@dataclass
class PqChain(Chain):
    """The same for the chains of SPQR, whose first message has index 1."""

    index: int = 1

    def step(self) -> bytes:
        info = self.index.to_bytes(4, "big") + b"Signal PQ Ratchet V1 Chain Next"
        keys = hkdf(None, self.key, info, 64)
        self.key, self.index = keys[:32], self.index + 1
        return keys[32:]


@dataclass
class Session:
    """Both directions; `turn` is our private ratchet key, None until the next message that we write."""

    version: int
    ours: bytes
    theirs: bytes
    base: bytes
    root: bytes
    turn: bytes | None = None
    sending: Chain | None = None
    previous: int = 0
    receiving: list[tuple[bytes, Chain]] = field(default_factory=list)
    pq: tuple[PqChain, PqChain] | None = None
    start: Prekey | None = None

    def next_ratchet_is_needed(self) -> bool:
        return self.sending is None

    def encrypt(self, plaintext: bytes, ratchet: bytes | None) -> tuple[int, bytes, bytes]:
        """Return (kind, message, chain key that made it); *ratchet* is our new ratchet key where one is needed."""
        if self.sending is None:
            assert ratchet is not None
            self.turn = ratchet
            self.root, key = self._root_step(agree(ratchet, self.receiving[-1][0]))
            self.sending = Chain(key)
        assert self.turn is not None
        counter, used = self.sending.index, self.sending.key
        pq = write_pq(self.pq[0].index) if self.pq else b""
        keys = self._keys(self.sending.step(), self.pq[0].step() if self.pq else None)
        padder, encryptor = PKCS7(128).padder(), cbc(keys).encryptor()
        sealed = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
        body = build_signal(self.version, public_of(self.turn), counter, self.previous, sealed, pq)
        body += hmac.digest(keys[32:64], self.ours + self.theirs + body, "sha256")[:8]
        return (2, body, used) if self.start is None else (3, build_prekey(self.version, self.start, body), used)

    def decrypt(self, message: bytes) -> bytes:
        """Return the plaintext; on Refused nothing is changed."""
        after = deepcopy(self)
        plaintext = after._read(message)
        self.__dict__.update(after.__dict__)
        return plaintext

    def _read(self, message: bytes) -> bytes:
        signal = Signal.parse(message)
        if signal.version != self.version:
            raise Refused("another version")
        chain = next((chain for key, chain in self.receiving if key == signal.ratchet), None) or self._turn(signal)
        seed = chain.find(signal.counter)
        keys = self._keys(seed, self._salt(signal.pq) if self.pq else None)
        mac = hmac.digest(keys[32:64], self.theirs + self.ours + message[:-8], "sha256")[:8]
        if mac != message[-8:]:
            raise Refused("the MAC")
        decryptor, unpadder = cbc(keys).decryptor(), PKCS7(128).unpadder()
        try:
            padded = decryptor.update(signal.ciphertext) + decryptor.finalize()
            plaintext = unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            raise Refused("the padding") from None
        self.start = None
        return plaintext

    def _turn(self, signal: Signal) -> Chain:
        if self.turn is None or self.sending is None:
            raise Refused("a ratchet key that answers none of ours")
        self.root, key = self._root_step(agree(self.turn, signal.ratchet))
        chain = Chain(key)
        self.receiving = [*self.receiving, (signal.ratchet, chain)][-CHAINS:]
        self.previous, self.turn, self.sending = max(self.sending.index - 1, 0), None, None
        return chain

    def _salt(self, pq: bytes) -> bytes | None:
        index = read_pq(pq)
        assert self.pq is not None
        return self.pq[1].find(index) if index else None

    def _root_step(self, shared: bytes) -> tuple[bytes, bytes]:
        keys = hkdf(self.root, shared, b"WhisperRatchet", 64)
        return keys[:32], keys[32:]

    @staticmethod
    def _keys(seed: bytes, salt: bytes | None) -> bytes:
        return hkdf(salt, seed, b"WhisperMessageKeys", 80)


def derive(secret: bytes, kem: bytes | None) -> tuple[bytes, bytes, tuple[PqChain, PqChain] | None]:
    """Return root, first chain key, and SPQR's chains, the initiator's sending one first."""
    if kem is None:
        keys = hkdf(None, secret, b"WhisperText", 64)
        return keys[:32], keys[32:], None
    keys = hkdf(None, secret + kem, b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024", 96)
    chains = hkdf(None, keys[64:], b"Signal PQ Ratchet V1 Chain  Start", 96)
    return keys[:32], keys[32:64], (PqChain(chains[32:64]), PqChain(chains[64:]))


def initiate(
    identity: bytes, base: bytes, their: tuple[bytes, bytes, bytes | None], kem: bytes, start: Prekey
) -> Session:
    """A session of version 4 with (identity, signed prekey, one-time prekey); *kem* is the KEM's shared secret."""
    their_identity, signed, one_time = their
    secret = b"\xff" * 32 + agree(identity, signed) + agree(base, their_identity) + agree(base, signed)
    secret += agree(base, one_time) if one_time else b""
    root, chain, pq = derive(secret, kem)
    session = Session(4, public_of(identity), their_identity, public_of(base), root, pq=pq, start=start)
    session.receiving.append((signed, Chain(chain)))
    return session


def accept(
    identity: bytes, signed: bytes, kem: bytes, one_time: bytes | None, message: Prekey
) -> tuple[Session, bytes]:
    """Return (session, plaintext) of a first message of version 4; *kem* is the private seed."""
    if message.version != 4 or int.from_bytes(message.base[1:], "little") >= PRIME:
        raise Refused("no session starts like this")
    secret = b"\xff" * 32 + agree(signed, message.identity) + agree(identity, message.base)
    secret += agree(signed, message.base) + (agree(one_time, message.base) if one_time else b"")
    root, chain, pq = derive(secret, kem_secret(kem, message.kem_ciphertext))
    assert pq is not None
    keyed = Signal.parse(message.message).pq[:1] >= b"\x01"
    session = Session(4, public_of(identity), message.identity, message.base, root, signed, Chain(chain))
    session.pq = (pq[1], pq[0]) if keyed else None
    return session, session.decrypt(message.message)
