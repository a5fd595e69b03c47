"""A peer with the right keys that keeps no rule: a right MAC over whatever body it likes.

Its keys come from the plain model and depend on nothing but this file, so its messages are the same in every run.
"""

import hmac
from functools import cache
from hashlib import shake_256

from corefast.endpoint.stock import OwnKeys
from corefast.protocol.keys import KemKeyPair, KeyPair

from . import model
from .model_wire import Prekey, Refused, Signal, build_prekey, build_signal, read_pq, write_pq

FAR = 60
"""The highest counter and index that the attacker can write."""


def _key(name: bytes, size: int = 32) -> bytes:
    return shake_256(name).digest(size)


@cache
def victim() -> OwnKeys:
    """The keys of the device under attack."""
    own = OwnKeys(KeyPair.from_private(_key(b"own")), 7, (1, 1, 1))
    own.signed[11], own.one_time[13] = (KeyPair.from_private(_key(seed)) for seed in (b"signed", b"one time"))
    own.last_resort[12] = KemKeyPair.from_secret(_key(b"kem", 64))
    return own


class Attacker:
    """The model's half of a session that begins with us: what it needs to write any message of its first chains."""

    def __init__(self) -> None:
        own, identity, base = victim(), _key(b"identity"), _key(b"base")
        # A ciphertext of zeros is one too; its secret is what decapsulation says.
        ciphertext = b"\x08" + bytes(1568)
        shared = model.kem_secret(own.last_resort[12].secret, ciphertext)
        self.start = Prekey(4, 13, model.public_of(base), model.public_of(identity), b"", 5, 11, 12, ciphertext)
        keys = own.identity.public, own.signed[11].public, own.one_time[13].public
        session = model.initiate(identity, base, keys, shared, self.start)
        assert session.pq is not None
        self._pq = session.pq[0].key
        ratchet = _key(b"ratchet")
        _, _, self._chain = session.encrypt(b"", ratchet)
        self.ratchet = model.public_of(ratchet)
        self.ours, self.theirs = session.ours, session.theirs

    def body(self, counter: int, pq: bytes, ciphertext: bytes | None = None) -> bytes:
        """Return a SignalMessage without its MAC."""
        if ciphertext is None:
            encryptor = model.cbc(self._keys(counter, read_pq(pq))).encryptor()
            ciphertext = encryptor.update(b"hello" + b"\x0b" * 11) + encryptor.finalize()
        return build_signal(4, self.ratchet, counter, 0, ciphertext, pq)

    def seal(self, body: bytes) -> bytes | None:
        """Return *body* with the MAC that its counter and index ask for; None where they are too far or missing."""
        try:
            signal = Signal.parse(body + bytes(8))
            index = read_pq(signal.pq)
        except Refused:
            return None
        if signal.counter > FAR or index > FAR:
            return None
        return (
            body + hmac.digest(self._keys(signal.counter, index)[32:64], self.ours + self.theirs + body, "sha256")[:8]
        )

    def first(self, message: bytes | None = None) -> bytes:
        """Return *message*, a whole SignalMessage, or a common one in the start of a session."""
        message = message or self.seal(self.body(0, write_pq(1)))
        assert message is not None
        return build_prekey(4, self.start, message)

    @cache  # noqa: B019
    def _keys(self, counter: int, index: int) -> bytes:
        salt = model.PqChain(self._pq).find(index) if index else None
        return model.Session._keys(model.Chain(self._chain).find(counter), salt)


@cache
def attacker() -> Attacker:
    return Attacker()
