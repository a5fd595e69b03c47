"""Two endpoints in memory, with what a relay would hand out."""

import os

from corefast.endpoint.cipher import Correspondent, Opened
from corefast.endpoint.fanout import bundle_of
from corefast.endpoint.stock import KeyKind, OwnKeys
from corefast.wire.messages import Bundle, DeviceBundle

NOW_MS = 1_800_000_000_000


class End:
    """One side: its keys, its correspondent for the other side, and its stock at the relay."""

    def __init__(self) -> None:
        self.own = OwnKeys.new(os.urandom)
        self.upload = self.own.make_upload(os.urandom, NOW_MS).upload
        self.them = Correspondent.new()
        self.given = 0
        self.record = b""
        self.parts: dict[tuple[int, int], bytes] = {}
        self.writes: list[int] = []
        """Bytes of each row that the last `save` wrote."""

    def bundle(self, *, with_one_time: bool = True) -> Bundle:
        """Return the next bundle as the relay would."""
        one_time = self.upload.one_time[self.given] if with_one_time else None
        kem = self.upload.one_time_kem[self.given] if with_one_time else self.upload.last_resort
        self.given += with_one_time
        device = DeviceBundle(1, self.own.registration_id, self.upload.signed, kem, one_time)
        return Bundle("49123123456", self.own.identity.public, 1, [device])

    def start(self, other: "End", *, with_one_time: bool = True) -> None:
        bundle = other.bundle(with_one_time=with_one_time)
        self.them.start(self.own, bundle_of(bundle, bundle.devices[0]), os.urandom)

    def encrypt(self, plaintext: bytes) -> tuple[int, bytes]:
        return self.them.encrypt(plaintext, os.urandom)

    def open(self, message: tuple[int, bytes]) -> Opened:
        """Decrypt as an owner does: a consumed one-time prekey is gone afterwards."""
        opened = self.them.decrypt(self.own, *message, os.urandom)
        if opened.used_one_time is not None:
            self.own.forget(KeyKind.ONE_TIME, opened.used_one_time)
        if opened.used_one_time_kem is not None:
            self.own.forget(KeyKind.ONE_TIME_KEM, opened.used_one_time_kem)
        return opened

    def decrypt(self, message: tuple[int, bytes]) -> bytes:
        return self.open(message).plaintext

    def save(self) -> None:
        """Store what changed, as a database would."""
        self.writes = []
        for part in self.them.take_changes():
            if part.content is None:
                gone = [key for key in self.parts if key[0] == part.kind and part.number <= key[1] <= part.last]
                for key in gone:
                    del self.parts[key]
            else:
                self.parts[part.kind, part.number] = part.content
            self.writes.append(len(part.content or b""))
        self.record = self.them.record()
        self.writes.append(len(self.record))

    def load(self) -> None:
        """Go on with what is stored."""
        self.them = Correspondent.restore(self.record, [(*key, self.parts[key]) for key in sorted(self.parts)])

    def restart(self) -> None:
        """Go through the stored form, which names everything."""
        before = self.state()
        self.save()
        self.load()
        assert self.state() == before

    def state(self) -> list[bytes]:
        """Return everything there is of the sessions, the current one first."""
        sessions = self.them._sessions
        current = b"" if sessions.current is None else sessions.current.snapshot()
        return [current, *(snapshot for _, snapshot in sessions._archived)]


def talking_pair() -> tuple[End, End]:
    """Return two ends that have each decrypted a message of the other."""
    alice, bob = End(), End()
    alice.start(bob)
    assert bob.decrypt(alice.encrypt(b"hello")) == b"hello"
    assert alice.decrypt(bob.encrypt(b"hi")) == b"hi"
    return alice, bob
