"""Encrypts to and decrypts from one device of a peer, whichever session that takes.

Knows neither who may be trusted (`trust`) nor where a snapshot is kept. Session choice follows libsignal: a repeated
prekey message reuses its session, a Whisper message tries the current session and then the archived ones, and the one
that worked becomes the current one. So two sides that started at the same moment meet in one session.
"""

from collections.abc import Callable

import msgspec

from corefast.endpoint.selection import Selection, SessionPart
from corefast.endpoint.stock import OwnKeys
from corefast.errors import MessageMalformed, MessageReplayed, PeerError, PreKeyUnknown, SessionMissing
from corefast.limits import MAX_MESSAGE_GAP
from corefast.protocol.bundle import PreKeyBundle
from corefast.protocol.keys import Random
from corefast.protocol.message import PreKeySignalMessage
from corefast.protocol.pin import Pin
from corefast.protocol.session import Session
from corefast.protocol.start import accept, initiate
from corefast.wire.messages import Kind


class Opened(msgspec.Struct, frozen=True):
    """A decrypted message, and the one-time prekeys that it consumed.

    The caller deletes those in the commit of the message and takes them out of its `OwnKeys` before it decrypts the
    next message, so that no second message can name them.
    """

    plaintext: bytes
    used_one_time: int | None = None
    used_one_time_kem: int | None = None


class Correspondent:
    """All sessions with one device of a peer."""

    __slots__ = ("_sessions",)

    def __init__(self, sessions: Selection | None = None) -> None:
        self._sessions = sessions or Selection()

    @classmethod
    def new(cls) -> "Correspondent":
        """Return a correspondent with whom there is no session yet."""
        return cls()

    @classmethod
    def restore(cls, record: bytes, parts: list[tuple[int, int, bytes]] | None = None) -> "Correspondent":
        """Return the correspondent of a record and its parts (kind, number, content), which are in order of both.

        Raises `SnapshotInvalid` for the record; a part that does not fit it is left out. *parts* is emptied, and wiped
        as far as nobody else holds them; the record is the caller's to wipe.
        """
        return cls(Selection.restore(record, parts))

    def record(self) -> bytes:
        """Return what is stored with every change; secret (wipe it), and not whole without the parts."""
        return self._sessions.record()

    def take_changes(self) -> list[SessionPart]:
        """Return the parts that changed since the last call; store them, in order, in one commit with `record`.

        Their contents are secret: wipe them, which leaves those alone that are still needed here.
        """
        return self._sessions.take_changes()

    def rest(self) -> None:
        """Take less memory until the next use; what changed must be taken."""
        self._sessions.rest()

    @property
    def has_session(self) -> bool:
        return self._sessions.current is not None

    @property
    def their_identity(self) -> bytes | None:
        """The identity key (33 bytes) of the current session."""
        current = self._sessions.current
        return None if current is None else current.their_identity

    def start(self, own: OwnKeys, bundle: PreKeyBundle, random: Random, pin: Pin = Pin.NONE) -> None:
        """Start a session from *bundle*, which becomes the current one; raise `BundleInvalid`.

        `BundleDowngraded` among them is one to report. Sessions with an older identity of the peer are forgotten.
        """
        self._take(initiate(own.identity, own.registration_id, bundle, random, pin))

    def encrypt(self, plaintext: bytes, random: Random) -> tuple[int, bytes]:
        """Return the kind of the ciphertext and the ciphertext; raise `SessionMissing`.

        Store the snapshot together with the ciphertext, before the ciphertext leaves.
        """
        current = self._sessions.current
        if current is None:
            raise SessionMissing("there is no session with this device")
        return current.encrypt(plaintext, random)

    def decrypt(
        self,
        own: OwnKeys,
        kind: int,
        body: bytes,
        random: Random,
        pin: Pin = Pin.NONE,
        *,
        admit: Callable[[bytes], object] = lambda plaintext: None,
    ) -> Opened:
        """Return the plaintext; on any error, a `PeerError`, nothing is changed.

        *admit* is shown the plaintext of a message that starts a session; what it raises keeps the session out. Only
        the plaintext can say who wrote it: the keys are a stranger's until then.
        """
        if kind == Kind.WHISPER:
            return Opened(self._decrypt_whisper(body, random))
        if kind == Kind.PREKEY:
            return self._decrypt_prekey(own, PreKeySignalMessage.parse(body), random, pin, admit)
        raise MessageMalformed("a ciphertext is of an unknown kind")

    def _decrypt_whisper(self, message: bytes, random: Random) -> bytes:
        sessions = self._sessions
        if sessions.current is None:
            raise SessionMissing("there is no session with this device")
        try:
            return sessions.current.decrypt(message, random)
        except MessageReplayed:
            raise
        except PeerError as error:
            refused = error
        steps_left = MAX_MESSAGE_GAP
        for place, session in sessions.candidates():
            try:
                # All of them together step no further than one message may skip, whatever its counters say.
                steps = session.reach(message)
                if steps > steps_left:
                    continue
                steps_left -= steps
                plaintext = session.decrypt(message, random)
            except MessageReplayed:
                raise
            except PeerError:
                continue
            sessions.promote(place, session)
            return plaintext
        raise refused

    def _decrypt_prekey(
        self, own: OwnKeys, message: PreKeySignalMessage, random: Random, pin: Pin, admit: Callable[[bytes], object]
    ) -> Opened:
        known = self._session_of(message)
        if known is None:
            opened, session = self._accept(own, message, random, pin)
            admit(opened.plaintext)
            self._take(session)
            return opened
        place, session = known
        plaintext = session.decrypt(message.message, random)
        if place is not None:
            self._sessions.promote(place, session)
        return Opened(plaintext)

    def _session_of(self, message: PreKeySignalMessage) -> tuple[int | None, Session] | None:
        """Return the session that an earlier copy of this prekey message started, with its place in the archive."""
        wanted = (message.version, message.base_key)
        current = self._sessions.current
        if current is not None and (current.version, current.base_key) == wanted:
            return None, current
        for place, session in self._sessions.candidates():
            if (session.version, session.base_key) == wanted:
                return place, session
        return None

    def _accept(self, own: OwnKeys, message: PreKeySignalMessage, random: Random, pin: Pin) -> tuple[Opened, Session]:
        signed = own.signed.get(message.signed_id)
        kem = None if message.kem_id is None else own.kem(message.kem_id)
        one_time = None if message.one_time_id is None else own.one_time.get(message.one_time_id)
        kem_missing = kem is None and message.kem_id is not None
        if signed is None or kem_missing or (one_time is None and message.one_time_id is not None):
            raise PreKeyUnknown("the message names a prekey that is used up or too old")
        session, plaintext = accept(own.identity, message, signed, kem, one_time, random, pin)
        used_kem = message.kem_id if message.kem_id in own.one_time_kem else None
        return Opened(plaintext, message.one_time_id, used_kem), session

    def _take(self, session: Session) -> None:
        if self.their_identity not in (None, session.their_identity):
            self._sessions.clear()
        self._sessions.replace(session)


def identity_in(prekey_message: bytes) -> bytes:
    """Return the identity key (33 bytes) that a prekey message claims, before anything is done with it.

    A session that it starts has this identity. Raises `MessageMalformed`, `MessageVersionUnsupported`.
    """
    return PreKeySignalMessage.parse(prekey_message).identity
