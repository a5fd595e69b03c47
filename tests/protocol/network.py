"""Two devices, each with its model beside it, for a network that is anything but kind.

What a device does, its model does too: the same bytes leave, the same messages are read, the same ones refused.
"""

from dataclasses import dataclass, field
from hashlib import shake_256

from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.fanout import bundle_of
from corefast.endpoint.stock import KeyKind, OwnKeys
from corefast.errors import CorefastError, PeerError
from corefast.limits import KEM_PREKEY_STOCK, PREKEY_STOCK
from corefast.wire.messages import Bundle, DeviceBundle

from . import model
from .model_wire import Prekey, Refused
from .stored import Rows, state_of

NOW_MS = 1_800_000_000_000
ARCHIVED = 40
Message = tuple[int, bytes]


class Draw:
    """Random bytes that depend on the seed alone; it remembers the private keys it gave, by their public halves."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._count = 0
        self.keys: dict[bytes, bytes] = {}

    def __call__(self, size: int) -> bytes:
        self._count += 1
        drawn = shake_256(self._seed + self._count.to_bytes(8, "big")).digest(size)
        if size == 32:
            self.keys[model.public_of(drawn)] = drawn
        return drawn


@dataclass
class ModelEnd:
    """The model's side of a correspondence: a current session and archived ones, newest first."""

    identity: bytes
    current: model.Session | None = None
    archived: list[model.Session] = field(default_factory=list)

    def take(self, session: model.Session) -> None:
        if self.current is not None:
            self.archived = [self.current, *self.archived][:ARCHIVED]
        self.current = session

    def read_signal(self, message: bytes) -> bytes:
        if self.current is None:
            raise Refused("no session")
        refused = Refused()
        for session in [self.current, *self.archived]:
            try:
                plaintext = session.decrypt(message)
            except model.Replayed:
                raise
            except Refused as error:
                refused = error
                continue
            self._promote(session)
            return plaintext
        raise refused

    def read_prekey(self, message: Prekey, own: OwnKeys) -> bytes:
        for session in [self.current, *self.archived] if self.current else []:
            if (session.version, session.base) == (message.version, message.base):
                plaintext = session.decrypt(message.message)
                self._promote(session)
                return plaintext
        signed, kem = own.signed.get(message.signed), own.kem(message.kem)
        one_time = None if message.one_time is None else own.one_time.get(message.one_time)
        if signed is None or kem is None or (one_time is None) != (message.one_time is None):
            raise Refused("a prekey is gone")
        session, plaintext = model.accept(
            self.identity, signed.private, kem.secret, one_time and one_time.private, message
        )
        self.take(session)
        return plaintext

    def _promote(self, session: model.Session) -> None:
        if session is not self.current:
            self.archived = [each for each in self.archived if each is not session]
            self.take(session)


class Device:
    """One device in both forms, with its stock of prekeys as a relay would hand it out."""

    def __init__(self, name: bytes) -> None:
        self.random = Draw(name)
        self.own = OwnKeys.new(self.random)
        change = self.own.make_upload(
            self.random, NOW_MS, one_time_left=PREKEY_STOCK - 90, one_time_kem_left=KEM_PREKEY_STOCK - 16
        )
        assert change is not None
        self.upload = change.upload
        self.them = Correspondent.new()
        self.rows = Rows()
        self.model = ModelEnd(self.own.identity.private)
        self.used_keys: set[bytes] = set()

    def bundle(self) -> Bundle:
        """Return the next bundle: with one-time prekeys, until they are used up."""
        upload = self.upload
        one_time = upload.one_time.pop() if upload.one_time else None
        kem = upload.one_time_kem.pop() if upload.one_time_kem else upload.last_resort
        assert upload.signed is not None and kem is not None
        device = DeviceBundle(1, self.own.registration_id, upload.signed, kem, one_time)
        return Bundle("1", self.own.identity.public, 1, [device])

    def start(self, other: "Device") -> None:
        """Start a session from the other's bundle. The model learns the KEM's secret from who can decapsulate it."""
        bundle = other.bundle()
        keys = bundle_of(bundle, bundle.devices[0])
        self.them.start(self.own, keys, self.random)
        start = Prekey.parse(self._saved().encrypt(b"", self.random)[1])
        kem = other.own.kem(start.kem)
        assert kem is not None and start.identity == self.own.identity.public
        expect = (keys.signed_id, keys.one_time_id, keys.kem_id, self.own.registration_id)
        assert (start.signed, start.one_time, start.kem, start.registration) == expect
        start.message = b""
        shared = model.kem_secret(kem.secret, start.kem_ciphertext)
        their = (keys.identity, keys.signed_public, keys.one_time_public)
        base = self.random.keys[start.base]
        self.model.take(model.initiate(self.own.identity.private, base, their, shared, start))

    def encrypt(self, plaintext: bytes) -> Message:
        """Return a message that both forms wrote alike, under a key that was never used before."""
        made = self.them.encrypt(plaintext, self.random)
        session = self.model.current
        assert session is not None
        ratchet = self._ratchet_of(made) if session.next_ratchet_is_needed() else None
        kind, message, key = session.encrypt(plaintext, ratchet)
        assert made == (kind, message), "our bytes are not the model's"
        assert key not in self.used_keys, "a message key was used twice"
        self.used_keys.add(key)
        return made

    def _ratchet_of(self, message: Message) -> bytes:
        body = Prekey.parse(message[1]).message if message[0] == 3 else message[1]
        return self.random.keys[model.Signal.parse(body).ratchet]

    def decrypt(self, message: Message) -> bytes | None:
        """Return the plaintext, None where both forms refuse; a refusal changes nothing."""
        before = state_of(self.them)
        expect = self._model_decrypt(message)
        try:
            opened = self.them.decrypt(self.own, *message, self.random)
        except CorefastError as error:
            assert isinstance(error, PeerError)
            assert expect is None, f"we refuse what the model reads: {error!r}"
            assert state_of(self.them) == before, "a refusal changed the session"
            return None
        assert expect == opened.plaintext, "we read what the model does not"
        if opened.used_one_time is not None:
            self.own.forget(KeyKind.ONE_TIME, opened.used_one_time)
        if opened.used_one_time_kem is not None:
            self.own.forget(KeyKind.ONE_TIME_KEM, opened.used_one_time_kem)
        return opened.plaintext

    def _model_decrypt(self, message: Message) -> bytes | None:
        kind, body = message
        try:
            return self.model.read_signal(body) if kind == 2 else self.model.read_prekey(Prekey.parse(body), self.own)
        except Refused:
            return None

    def restart(self) -> None:
        """Go on from what is stored, as after a crash behind the last commit."""
        before = state_of(self.them)
        self.them = self._saved()
        assert state_of(self.them) == before, "the stored form does not name everything"

    def _saved(self) -> Correspondent:
        self.rows.save(self.them)
        return self.rows.load()
