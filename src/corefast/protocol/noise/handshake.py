"""HandshakeState (Noise, section 5.3) for the patterns in `patterns`, with X25519, AES-256-GCM and SHA-256.

Knows no frames and no version bytes; the caller bounds the size of messages.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

from corefast.errors import HandshakeFailed, PeerError
from corefast.native.curve import agree, public_from_private
from corefast.protocol.noise.cipher import CipherState
from corefast.protocol.noise.patterns import Pattern, Token
from corefast.protocol.noise.symmetric import SymmetricState

_KEY_BYTES = 32
_TAG_BYTES = 16

# Whose key meets whose, from the initiator's side; the responder swaps.
_AGREEMENTS = {Token.EE: ("e", "e"), Token.ES: ("e", "s"), Token.SE: ("s", "e"), Token.SS: ("s", "s")}


class KeyPair(NamedTuple):
    """An X25519 key with its public half, 32 raw bytes each: kept together because deriving costs as much as a DH."""

    private: bytes
    public: bytes

    @classmethod
    def from_private(cls, private: bytes) -> Self:
        return cls(private, public_from_private(private))

    def __repr__(self) -> str:
        return "KeyPair(…)"


class HandshakeState:
    """One side of one handshake; `rs` is the other side's static public key once it is known.

    Names are the spec's: s and e are our key pairs, rs and re their public keys. After a `HandshakeFailed` the object
    is of no more use.
    """

    def __init__(
        self,
        pattern: Pattern,
        initiator: bool,
        prologue: bytes,
        *,
        random: Callable[[int], bytes],
        s: KeyPair | None = None,
        rs: bytes | None = None,
        psk: bytes | None = None,
    ) -> None:
        self._pattern = pattern
        self._initiator = initiator
        self._random = random
        self._s = s
        self._e: KeyPair | None = None
        self.rs: bytes | None = rs
        self._re: bytes | None = None
        self._psk = psk
        self._step = 0
        self._symmetric = SymmetricState(f"Noise_{pattern.name}_25519_AESGCM_SHA256".encode())
        self._symmetric.mix_hash(prologue)
        if pattern.knows_responder:
            self._symmetric.mix_hash(_needed(rs) if initiator else _pair(s).public)

    @property
    def is_finished(self) -> bool:
        return self._step == len(self._pattern.messages)

    @property
    def handshake_hash(self) -> bytes:
        return self._symmetric.h

    def write_message(self, payload: bytes) -> bytes:
        """Return our next message."""
        parts = [self._write_token(token) for token in self._next(ours=True)]
        parts.append(self._symmetric.encrypt_and_hash(payload))
        return b"".join(parts)

    def read_message(self, message: bytes) -> bytes:
        """Return the payload of their next message; raise `HandshakeFailed`."""
        rest = message
        try:
            for token in self._next(ours=False):
                rest = self._read_token(token, rest)
            return self._symmetric.decrypt_and_hash(rest)
        except PeerError:
            raise HandshakeFailed("a handshake message does not open") from None

    def split(self) -> tuple[CipherState, CipherState]:
        """Return the transport ciphers, the initiator's sending one first; forget the private keys."""
        if not self.is_finished:
            raise RuntimeError("the handshake is not finished")
        self._s = self._e = self._psk = None
        return self._symmetric.split()

    def _next(self, ours: bool) -> tuple[Token, ...]:
        if self.is_finished or (self._step % 2 == 0) != (self._initiator == ours):
            raise RuntimeError("it is not our turn" if ours else "it is not their turn")
        self._step += 1
        return self._pattern.messages[self._step - 1]

    def _write_token(self, token: Token) -> bytes:
        if token is Token.E:
            self._e = KeyPair.from_private(self._random(_KEY_BYTES))
            self._mix_ephemeral(self._e.public)
            return self._e.public
        if token is Token.S:
            return self._symmetric.encrypt_and_hash(_pair(self._s).public)
        self._mix(token)
        return b""

    def _read_token(self, token: Token, rest: bytes) -> bytes:
        if token is Token.E:
            self._re, rest = _cut(rest, _KEY_BYTES)
            self._mix_ephemeral(self._re)
        elif token is Token.S:
            sealed, rest = _cut(rest, _KEY_BYTES + (_TAG_BYTES if self._symmetric.has_key else 0))
            self.rs = self._symmetric.decrypt_and_hash(sealed)
        else:
            self._mix(token)
        return rest

    def _mix_ephemeral(self, public: bytes) -> None:
        self._symmetric.mix_hash(public)
        if self._pattern.has_psk:  # section 9.2: a psk is only safe with a random value mixed in
            self._symmetric.mix_key(public)

    def _mix(self, token: Token) -> None:
        if token is Token.PSK:
            self._symmetric.mix_key_and_hash(_needed(self._psk))
            return
        ours, theirs = _AGREEMENTS[token] if self._initiator else reversed(_AGREEMENTS[token])
        our_pair = _pair(self._s if ours == "s" else self._e)
        their_public = self.rs if theirs == "s" else self._re
        self._symmetric.mix_key(agree(our_pair.private, _needed(their_public)))


def _pair(pair: KeyPair | None) -> KeyPair:
    if pair is None:
        raise ValueError("this pattern needs a key pair")
    return pair


def _needed(key: bytes | None) -> bytes:
    if key is None or len(key) != _KEY_BYTES:
        raise ValueError("this pattern needs a key of 32 bytes")
    return key


def _cut(data: bytes, size: int) -> tuple[bytes, bytes]:
    if len(data) < size:
        raise HandshakeFailed("a handshake message is too short")
    return data[:size], data[size:]
