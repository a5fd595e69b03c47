"""The two handshakes of corefast's links, as factories.

IK: devices and cores to the relay, whose static key they know from its URL. NNpsk0: the front and the webhooks to a
core, which share a secret with it. Knows messages, not frames.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from corefast.errors import HandshakeFailed, PeerError
from corefast.protocol.noise.cipher import CipherState
from corefast.protocol.noise.handshake import HandshakeState, KeyPair
from corefast.protocol.noise.patterns import IK, NN_PSK0
from corefast.wire.version import prologue

MAX_SECRETS = 8
"""Secrets that a responder tries: two of each role during a rotation, and room."""

_KEY_BYTES = 32

Random = Callable[[int], bytes]


class Secured(NamedTuple):
    """What a finished handshake leaves behind."""

    sending: CipherState
    receiving: CipherState
    their_static: bytes | None
    psk_index: int | None


class Handshake:
    """One handshake of two messages, from our side; *states* holds one candidate for each secret that is valid."""

    def __init__(self, states: Sequence[Callable[[], HandshakeState]], *, is_initiator: bool, has_psk: bool) -> None:
        self._states = states
        self._ours: HandshakeState | None = None
        self._has_psk = has_psk
        self.is_initiator = is_initiator

    def first(self) -> bytes:
        """Return the initiator's message."""
        self._ours = self._states[0]()
        return self._ours.write_message(b"")

    def receive(self, message: bytes) -> tuple[bytes, Secured]:
        """Take the other side's message; return ours (empty from the initiator) and the result.

        Raises `HandshakeFailed`. A payload has no effect: the initiator's could be a replay.
        """
        if self.is_initiator:
            assert self._ours is not None
            _read(self._ours, message)
            return b"", self._secured(self._ours, 0)
        for index, make in enumerate(self._states):
            state = make()
            try:
                _read(state, message)
            except HandshakeFailed:
                continue
            return state.write_message(b""), self._secured(state, index)
        raise HandshakeFailed("the handshake does not open: another key, secret, or version")

    def _secured(self, state: HandshakeState, index: int) -> Secured:
        ours, theirs = state.split()
        sending, receiving = (ours, theirs) if self.is_initiator else (theirs, ours)
        return Secured(sending, receiving, state.rs, index if self._has_psk else None)


HandshakeFactory = Callable[[Random], Handshake]
"""Starts a handshake with fresh randomness; what `connect` and `serve` take."""


def initiator_ik(our_private: bytes, their_public: bytes) -> HandshakeFactory:
    """Prove our static key to the holder of *their_public* (32 raw bytes each)."""
    _check_lengths(our_private, their_public)
    ours = KeyPair.from_private(our_private)

    def start(random: Random) -> Handshake:
        state = partial(HandshakeState, IK, True, prologue(), random=random, s=ours, rs=their_public)
        return Handshake([state], is_initiator=True, has_psk=False)

    return start


def responder_ik(our_private: bytes) -> HandshakeFactory:
    """Accept anyone who knows our public key, and learn theirs."""
    _check_lengths(our_private)
    ours = KeyPair.from_private(our_private)

    def start(random: Random) -> Handshake:
        state = partial(HandshakeState, IK, False, prologue(), random=random, s=ours)
        return Handshake([state], is_initiator=False, has_psk=False)

    return start


def initiator_psk(secret: bytes) -> HandshakeFactory:
    """Prove that we hold *secret* (32 bytes)."""
    _check_lengths(secret)

    def start(random: Random) -> Handshake:
        state = partial(HandshakeState, NN_PSK0, True, prologue(), random=random, psk=secret)
        return Handshake([state], is_initiator=True, has_psk=True)

    return start


def responder_psk(secrets: Sequence[bytes]) -> HandshakeFactory:
    """Accept the holder of any of *secrets*, at most `MAX_SECRETS`; `psk_index` says which."""
    _check_lengths(*secrets)
    if not 0 < len(secrets) <= MAX_SECRETS:
        raise ValueError(f"a responder has 1 to {MAX_SECRETS} secrets")

    def start(random: Random) -> Handshake:
        states = [partial(HandshakeState, NN_PSK0, False, prologue(), random=random, psk=secret) for secret in secrets]
        return Handshake(states, is_initiator=False, has_psk=True)

    return start


def _read(state: HandshakeState, message: bytes) -> None:
    try:
        state.read_message(message)
    except PeerError:
        raise HandshakeFailed("the handshake does not open: another key, secret, or version") from None


def _check_lengths(*values: bytes) -> None:
    if any(len(value) != _KEY_BYTES for value in values):
        raise ValueError("keys and secrets of a link have 32 bytes")
