"""Sender keys: a message to a group is encrypted once, under a chain that its sender handed to every member.

The messages are libsignal's of today (sender_keys.rs, group_cipher.rs). A distribution message travels inside the
sessions with the members; who is a member, and when a sender has to begin anew, is the caller's.
"""

from typing import Annotated, NamedTuple, TypeVar

import msgspec

from corefast.errors import (
    MessageGapTooLarge,
    MessageMalformed,
    MessageReplayed,
    MessageTooLong,
    MessageVersionUnsupported,
    SessionMissing,
    SnapshotInvalid,
)
from corefast.limits import MAX_ENVELOPE_BYTES, MAX_MESSAGE_GAP, MAX_PLAINTEXT_BYTES, MAX_SKIPPED_KEYS
from corefast.native.aead import cbc_decrypt, cbc_encrypt
from corefast.native.kdf import hkdf_sha256
from corefast.native.secret import wipe
from corefast.protocol.chain import step_chain
from corefast.protocol.fields import Fields, put_bytes, put_number, take_bytes, take_fields, take_u32
from corefast.protocol.keys import PUBLIC_SIZE, KeyPair, Random, raw_public, verify_signature

VERSION_BYTE = 0x33
"""Version 3 in both halves; readers look at the high one."""

DISTRIBUTION_ID_SIZE = 16
SIGNATURE_SIZE = 64
MAX_STATES = 5
"""Chains kept for one sender in one group (libsignal's consts.rs): late messages of an earlier one are still read."""

_LAST_ITERATION = 2**32 - 1
_SNAPSHOT_VERSION = 1


class Distribution(NamedTuple):
    """What a sender tells the members: where its chain stands, and the key that signs."""

    distribution_id: bytes
    chain_id: int
    iteration: int
    chain_key: bytes
    signing_public: bytes

    def encode(self) -> bytes:
        return bytes([VERSION_BYTE]) + b"".join(
            (
                put_bytes(1, self.distribution_id),
                put_number(2, self.chain_id),
                put_number(3, self.iteration),
                put_bytes(4, self.chain_key),
                put_bytes(5, self.signing_public),
            )
        )

    @classmethod
    def parse(cls, message: bytes) -> "Distribution":
        """Read a distribution message; raise MessageMalformed, MessageVersionUnsupported, KeyMalformed."""
        fields = _fields_of(message, 0)
        # Bytes behind a public key are tolerated, as libsignal does.
        signing_public = take_bytes(fields, 5)[:PUBLIC_SIZE]
        raw_public(signing_public)
        return cls(*_place_of(fields), take_bytes(fields, 4, 32), signing_public)


_U32 = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
_Id = Annotated[bytes, msgspec.Meta(min_length=DISTRIBUTION_ID_SIZE, max_length=DISTRIBUTION_ID_SIZE)]
_Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
_Public = Annotated[bytes, msgspec.Meta(min_length=PUBLIC_SIZE, max_length=PUBLIC_SIZE)]


class _Sending(msgspec.Struct, array_like=True):
    version: int
    distribution_id: _Id
    chain_id: _U32
    iteration: _U32
    chain_key: _Key
    signing_private: _Key


class _Receiving(msgspec.Struct, array_like=True):
    """One chain of a sender, as read so far: `chain_key` yields message `iteration`."""

    chain_id: _U32
    iteration: _U32
    chain_key: _Key
    signing_public: _Public
    skipped: Annotated[dict[_U32, _Key], msgspec.Meta(max_length=MAX_SKIPPED_KEYS)]


class _Receivings(msgspec.Struct, array_like=True):
    version: int
    distribution_id: _Id
    states: Annotated[list[_Receiving], msgspec.Meta(max_length=MAX_STATES)]


_State = TypeVar("_State", _Sending, _Receivings)


class GroupSender:
    """Our own chain in one group. Begin anew (`new`) whenever somebody left it."""

    def __init__(self, state: _Sending) -> None:
        self._state = state
        self._signing = KeyPair.from_private(state.signing_private)

    @classmethod
    def new(cls, distribution_id: bytes, random: Random) -> "GroupSender":
        if len(distribution_id) != DISTRIBUTION_ID_SIZE:
            raise ValueError("a distribution id has 16 bytes")
        chain_id = int.from_bytes(random(4), "big") >> 1
        return cls(_Sending(_SNAPSHOT_VERSION, distribution_id, chain_id, 0, random(32), random(32)))

    def distribution(self) -> bytes:
        """Return what a member needs to read from the next message on."""
        state = self._state
        place = (state.distribution_id, state.chain_id, state.iteration)
        return Distribution(*place, state.chain_key, self._signing.public).encode()

    def encrypt(self, plaintext: bytes, random: Random) -> bytes:
        """Return one message for all members; commit `snapshot` before it leaves. Raises MessageTooLong."""
        state = self._state
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            raise MessageTooLong(f"a plaintext has at most {MAX_PLAINTEXT_BYTES} bytes")
        if state.iteration == _LAST_ITERATION:
            raise MessageGapTooLarge("the chain is at its end")
        seed, next_key = step_chain(state.chain_key)
        iv, key = _message_keys(seed)
        signed = bytes([VERSION_BYTE]) + b"".join(
            (
                put_bytes(1, state.distribution_id),
                put_number(2, state.chain_id),
                put_number(3, state.iteration),
                put_bytes(4, cbc_encrypt(key, iv, plaintext)),
            )
        )
        message = signed + self._signing.sign(signed, random)
        used_key, state.chain_key, state.iteration = state.chain_key, next_key, state.iteration + 1
        wipe(used_key)
        wipe(seed)
        wipe(key)
        return message

    def snapshot(self) -> bytes:
        """Return all state as bytes, private keys in clear: seal them."""
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, snapshot: bytes) -> "GroupSender":
        """Return what `snapshot` described; raise SnapshotInvalid."""
        return cls(_decode(snapshot, _Sending))


def distribution_id_of(message: bytes) -> bytes:
    """Return which chain's sender and group a message names, before anything is verified.

    Raises MessageMalformed, MessageVersionUnsupported.
    """
    return _place_of(_fields_of(message, SIGNATURE_SIZE))[0]


class GroupReceiver:
    """The chains of one sender in one group."""

    def __init__(self, distribution_id: bytes) -> None:
        self._state = _Receivings(_SNAPSHOT_VERSION, distribution_id, [])

    def join(self, distribution: Distribution) -> None:
        """Take a chain from its sender. One that is here already stays where it is; the oldest give way."""
        if distribution.distribution_id != self._state.distribution_id:
            raise MessageMalformed("a distribution message of another group")
        states = self._state.states
        for state in states:
            if (state.chain_id, state.signing_public) == (distribution.chain_id, distribution.signing_public):
                return
        others = [state for state in states if state.chain_id != distribution.chain_id]
        _, chain_id, iteration, chain_key, signing_public = distribution
        fresh = _Receiving(chain_id, iteration, chain_key, signing_public, {})
        self._state.states = [fresh, *others][:MAX_STATES]

    def decrypt(self, message: bytes) -> bytes:
        """Return the plaintext; on any error nothing is changed.

        Raises MessageMalformed, MessageVersionUnsupported, SessionMissing (a chain that was never handed to us),
        SignatureInvalid, MessageReplayed, MessageGapTooLarge, CiphertextInvalid.
        """
        fields = _fields_of(message, SIGNATURE_SIZE)
        distribution_id, chain_id, iteration = _place_of(fields)
        ciphertext = take_bytes(fields, 4)
        state = next((each for each in self._state.states if each.chain_id == chain_id), None)
        if state is None or distribution_id != self._state.distribution_id:
            raise SessionMissing("there is no sender key for this message")
        verify_signature(state.signing_public, message[:-SIGNATURE_SIZE], message[-SIGNATURE_SIZE:])
        step = _find(state, iteration)
        iv, key = _message_keys(step.seed)
        plaintext = cbc_decrypt(key, iv, ciphertext)
        wipe(key)
        _commit(state, iteration, step)
        wipe(step.seed)
        _trim(self._state.states)
        return plaintext

    @property
    def skipped(self) -> int:
        """How many keys are kept for messages that may still come."""
        return sum(len(state.skipped) for state in self._state.states)

    def snapshot(self) -> bytes:
        """Return all state as bytes; secret."""
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def restore(cls, snapshot: bytes) -> "GroupReceiver":
        """Return what `snapshot` described; raise SnapshotInvalid."""
        state = _decode(snapshot, _Receivings)
        self = cls(state.distribution_id)
        self._state = state
        return self


class _Step(NamedTuple):
    """A message found and the chain after it; `next_key` is None for a message that was skipped before."""

    seed: bytes
    next_key: bytes | None
    passed: dict[int, bytes]


def _find(state: _Receiving, iteration: int) -> _Step:
    if iteration < state.iteration:
        seed = state.skipped.get(iteration)
        if seed is None:
            raise MessageReplayed(iteration)
        return _Step(seed, None, {})
    gap = iteration - state.iteration
    if gap > MAX_MESSAGE_GAP or iteration == _LAST_ITERATION:
        raise MessageGapTooLarge(f"{gap} messages are missing")
    passed: dict[int, bytes] = {}
    chain_key = state.chain_key
    for place in range(state.iteration, iteration):
        seed, following = step_chain(chain_key)
        if place > state.iteration:
            wipe(chain_key)
        chain_key = following
        if iteration - place <= MAX_SKIPPED_KEYS:
            passed[place] = seed
        else:
            wipe(seed)
    step = _Step(*step_chain(chain_key), passed)
    if gap:
        del following
        wipe(chain_key)
    return step


def _commit(state: _Receiving, iteration: int, step: _Step) -> None:
    if step.next_key is None:
        del state.skipped[iteration]
        return
    state.skipped.update(step.passed)
    used_key, state.chain_key, state.iteration = state.chain_key, step.next_key, iteration + 1
    wipe(used_key)


def _trim(states: list[_Receiving]) -> None:
    """Keep so many skipped keys of one sender, those of the newest chains: whoever jumps in each fills no memory."""
    surplus = sum(len(state.skipped) for state in states) - MAX_SKIPPED_KEYS
    for state in reversed(states):
        for place in list(state.skipped)[: max(0, surplus)]:
            wipe(state.skipped.pop(place))
            surplus -= 1


def _message_keys(seed: bytes) -> tuple[bytes, bytes]:
    """Return (iv, key) of a 32-byte seed (libsignal, sender_keys.rs)."""
    keys = hkdf_sha256(seed, b"", b"WhisperGroup", 48)
    iv, key = keys[:16], keys[16:]
    wipe(keys)
    return iv, key


def _fields_of(message: bytes, tail: int) -> Fields:
    if not 1 + tail <= len(message) <= MAX_ENVELOPE_BYTES:
        raise MessageMalformed("the size of a message is out of range")
    if message[0] >> 4 != VERSION_BYTE >> 4:
        raise MessageVersionUnsupported(f"sender-key message version {message[0] >> 4}")
    return take_fields(message[1 : len(message) - tail])


def _place_of(fields: Fields) -> tuple[bytes, int, int]:
    return take_bytes(fields, 1, DISTRIBUTION_ID_SIZE), take_u32(fields, 2), take_u32(fields, 3)


def _decode(snapshot: bytes, kind: type[_State]) -> _State:
    try:
        state = msgspec.msgpack.decode(snapshot, type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise SnapshotInvalid("a sender key is damaged") from None
    if state.version != _SNAPSHOT_VERSION:
        raise SnapshotInvalid(f"a sender key of version {state.version}")
    return state
