"""What one session costs on one core: plaintexts of 100 bytes, called from Python as the core calls them."""

import os
from typing import Any

import pytest

from corefast.protocol.bundle import PreKeyBundle
from corefast.protocol.keys import KemKeyPair, KeyPair
from corefast.protocol.message import PreKeySignalMessage
from corefast.protocol.session import Session, accept, initiate

PLAINTEXT = b"x" * 100
BATCH = 1_000
RANDOM = os.urandom


class Device:
    """The keys of one device."""

    def __init__(self) -> None:
        self.identity = KeyPair.generate(RANDOM)
        self.signed = KeyPair.generate(RANDOM)
        self.kem = KemKeyPair.generate()
        self.one_time = KeyPair.generate(RANDOM)
        signed_signature = self.identity.sign(self.signed.public, RANDOM)
        kem_signature = self.identity.sign(self.kem.public, RANDOM)
        self.bundle = PreKeyBundle(
            self.identity.public,
            1,
            1,
            self.signed.public,
            signed_signature,
            1,
            self.kem.public,
            kem_signature,
            1,
            self.one_time.public,
        )

    def accept(self, message: bytes) -> Session:
        parsed = PreKeySignalMessage.parse(message)
        return accept(self.identity, parsed, self.signed, self.kem, self.one_time, RANDOM)[0]


ALICE, BOB = Device(), Device()


def start() -> tuple[Session, Session]:
    ours = initiate(ALICE.identity, 1, BOB.bundle, RANDOM)
    return ours, BOB.accept(ours.encrypt(PLAINTEXT, RANDOM)[1])


def turn(sender: Session, receiver: Session) -> None:
    receiver.decrypt(sender.encrypt(PLAINTEXT, RANDOM)[1], RANDOM)


@pytest.fixture
def pair() -> tuple[Session, Session]:
    ours, theirs = start()
    for _ in range(6):
        turn(theirs, ours)
        turn(ours, theirs)
    return ours, theirs


def encrypt_100(benchmark: Any, pair: tuple[Session, Session]) -> None:
    benchmark.extra_info["name"] = "session.encrypt"
    benchmark.pedantic(pair[0].encrypt, (PLAINTEXT, RANDOM), rounds=100, iterations=BATCH, warmup_rounds=5)


def decrypt_100(benchmark: Any, pair: tuple[Session, Session]) -> None:
    benchmark.extra_info["name"] = "session.decrypt"
    ours, theirs = pair

    def write_batch() -> tuple[tuple[list[bytes]], dict[str, Any]]:
        return ([ours.encrypt(PLAINTEXT, RANDOM)[1] for _ in range(BATCH)],), {}

    def read_batch(messages: list[bytes]) -> None:
        for message in messages:
            theirs.decrypt(message, RANDOM)

    benchmark.extra_info["messages"] = BATCH
    benchmark.pedantic(read_batch, setup=write_batch, rounds=100, warmup_rounds=5)


def pingpong_100(benchmark: Any, pair: tuple[Session, Session]) -> None:
    """Messages in turns: each pays an encryption, a decryption and the DH step of both sides."""
    benchmark.extra_info["name"] = "session.pingpong"
    ours, theirs = pair

    def round_trip() -> None:
        turn(ours, theirs)
        turn(theirs, ours)

    benchmark.extra_info["messages"] = 2
    benchmark.pedantic(round_trip, rounds=100, iterations=10, warmup_rounds=5)


def start_session(benchmark: Any) -> None:
    """From a bundle to the first message read: verify, PQXDH on both sides."""
    benchmark.extra_info["name"] = "session.setup"
    benchmark.pedantic(start, rounds=200, warmup_rounds=5)


def snapshot(benchmark: Any, pair: tuple[Session, Session]) -> None:
    benchmark.extra_info["name"] = "session.snapshot"
    benchmark.extra_info["bytes"] = len(pair[0].snapshot())
    benchmark.pedantic(pair[0].snapshot, rounds=100, iterations=BATCH, warmup_rounds=5)


def restore(benchmark: Any, pair: tuple[Session, Session]) -> None:
    benchmark.extra_info["name"] = "session.restore"
    benchmark.pedantic(Session.restore, (pair[0].snapshot(),), rounds=100, iterations=BATCH, warmup_rounds=5)


def skip_2000(benchmark: Any) -> None:
    """A message behind 2,000 lost ones: what one forged header can cost, and the keys it leaves."""
    benchmark.extra_info["name"] = "session.skip_2000"
    ours, theirs = start()
    for _ in range(2_000):
        ours.encrypt(PLAINTEXT, RANDOM)
    message = PreKeySignalMessage.parse(ours.encrypt(PLAINTEXT, RANDOM)[1]).message
    before = theirs.snapshot()

    def fresh() -> tuple[tuple[Session], dict[str, Any]]:
        return (Session.restore(before),), {}

    def read(session: Session) -> None:
        session.decrypt(message, RANDOM)

    benchmark.pedantic(read, setup=fresh, rounds=100, warmup_rounds=2)
