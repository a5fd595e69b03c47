"""Two devices in memory, with everything a session needs."""

import os

from corefast.protocol.bundle import PreKeyBundle
from corefast.protocol.keys import KemKeyPair, KeyPair
from corefast.protocol.message import PreKeySignalMessage
from corefast.protocol.pin import Pin
from corefast.protocol.session import Session
from corefast.protocol.start import accept, initiate

RANDOM = os.urandom


class Party:
    """One device with one prekey of each kind."""

    def __init__(self) -> None:
        self.identity = KeyPair.generate(RANDOM)
        self.registration_id = 4711
        self.signed = KeyPair.generate(RANDOM)
        self.kem = KemKeyPair.generate()
        self.one_time = KeyPair.generate(RANDOM)

    def bundle(self, with_one_time: bool = True, with_kem: bool = True) -> PreKeyBundle:
        return PreKeyBundle(
            identity=self.identity.public,
            registration_id=self.registration_id,
            signed_id=11,
            signed_public=self.signed.public,
            signed_signature=self.identity.sign(self.signed.public, RANDOM),
            kem_id=12 if with_kem else None,
            kem_public=self.kem.public if with_kem else None,
            kem_signature=self.identity.sign(self.kem.public, RANDOM) if with_kem else None,
            one_time_id=13 if with_one_time else None,
            one_time_public=self.one_time.public if with_one_time else None,
        )

    def initiate(self, bundle: PreKeyBundle, pin: Pin = Pin.NONE) -> Session:
        return initiate(self.identity, self.registration_id, bundle, RANDOM, pin)

    def accept(self, message: bytes, with_one_time: bool = True, pin: Pin = Pin.NONE) -> tuple[Session, bytes]:
        one_time = self.one_time if with_one_time else None
        parsed = PreKeySignalMessage.parse(message)
        return accept(self.identity, parsed, self.signed, self.kem, one_time, RANDOM, pin)


def started() -> tuple[Session, Session]:
    """A session of two of which the second has not answered yet."""
    alice, bob = Party(), Party()
    ours = alice.initiate(bob.bundle())
    theirs, _ = bob.accept(ours.encrypt(b"first", RANDOM)[1])
    return ours, theirs


def session_pair() -> tuple[Session, Session]:
    """A session of two who have heard of each other."""
    ours, theirs = started()
    pass_on(theirs, ours, b"answer")
    pass_on(ours, theirs, b"go on")
    return ours, theirs


def write(session: Session, plaintext: bytes) -> bytes:
    return session.encrypt(plaintext, RANDOM)[1]


def read(session: Session, message: bytes) -> bytes:
    return session.decrypt(message, RANDOM)


def pass_on(sender: Session, receiver: Session, plaintext: bytes) -> None:
    assert read(receiver, write(sender, plaintext)) == plaintext
