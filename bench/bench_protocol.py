"""What one session costs on one core: plaintexts of 100 bytes, called from Python as the core calls them.

Figures with `_spare` take their key pairs from spare ones, which a program makes in idle moments and which are made
here where nothing is measured; `session.spare_key` is what one of them costs. All others make them on the spot.
"""

import os
from typing import Any

import pytest

from corefast.protocol.bundle import PreKeyBundle
from corefast.protocol.keys import KemKeyPair, KeyPair, Random
from corefast.protocol.message import PreKeySignalMessage
from corefast.protocol.pin import Pin
from corefast.protocol.session import Session
from corefast.protocol.spare import SpareKeys
from corefast.protocol.start import accept, initiate

PLAINTEXT = b"x" * 100
BATCH = 1_000
TURNS = 10
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


def start(random: Random = RANDOM, pin: Pin = Pin.NONE) -> tuple[Session, Session]:
    ours = initiate(ALICE.identity, 1, BOB.bundle, random, pin)
    return ours, BOB.accept(ours.encrypt(PLAINTEXT, random)[1])


def turn(sender: Session, receiver: Session, random: Random = RANDOM) -> None:
    receiver.decrypt(sender.encrypt(PLAINTEXT, random)[1], random)


def talking(pin: Pin = Pin.NONE) -> tuple[Session, Session]:
    ours, theirs = start(pin=pin)
    for _ in range(6):
        turn(theirs, ours)
        turn(ours, theirs)
    return ours, theirs


@pytest.fixture
def pair() -> tuple[Session, Session]:
    return talking()


@pytest.fixture
def plain_pair() -> tuple[Session, Session]:
    """Without SPQR: the Double Ratchet's chains alone."""
    return talking(Pin.WITHOUT_SPQR)


def encrypt_100(benchmark: Any, pair: tuple[Session, Session]) -> None:
    benchmark.extra_info["name"] = "session.encrypt"
    benchmark.pedantic(pair[0].encrypt, (PLAINTEXT, RANDOM), rounds=100, iterations=BATCH, warmup_rounds=5)


def encrypt_100_plain(benchmark: Any, plain_pair: tuple[Session, Session]) -> None:
    benchmark.extra_info["name"] = "session.encrypt_plain"
    benchmark.pedantic(plain_pair[0].encrypt, (PLAINTEXT, RANDOM), rounds=100, iterations=BATCH, warmup_rounds=5)


def decrypt_100(benchmark: Any, pair: tuple[Session, Session]) -> None:
    benchmark.extra_info["name"] = "session.decrypt"
    decrypt_batches(benchmark, pair)


def decrypt_100_plain(benchmark: Any, plain_pair: tuple[Session, Session]) -> None:
    benchmark.extra_info["name"] = "session.decrypt_plain"
    decrypt_batches(benchmark, plain_pair)


def decrypt_batches(measure: Any, pair: tuple[Session, Session]) -> None:
    ours, theirs = pair

    def write_batch() -> tuple[tuple[list[bytes]], dict[str, Any]]:
        return ([ours.encrypt(PLAINTEXT, RANDOM)[1] for _ in range(BATCH)],), {}

    def read_batch(messages: list[bytes]) -> None:
        for message in messages:
            theirs.decrypt(message, RANDOM)

    measure.extra_info["messages"] = BATCH
    measure.pedantic(read_batch, setup=write_batch, rounds=100, warmup_rounds=5)


def pingpong_100(benchmark: Any, pair: tuple[Session, Session]) -> None:
    """Messages in turns: each pays an encryption, a decryption and the DH step of both sides."""
    benchmark.extra_info["name"] = "session.pingpong"
    ours, theirs = pair

    def round_trip() -> None:
        turn(ours, theirs)
        turn(theirs, ours)

    benchmark.extra_info["messages"] = 2
    benchmark.pedantic(round_trip, rounds=100, iterations=TURNS, warmup_rounds=5)


def pingpong_100_spare(benchmark: Any, pair: tuple[Session, Session]) -> None:
    """The same with ratchet keys that were made ahead."""
    benchmark.extra_info["name"] = "session.pingpong_spare"
    ours, theirs = pair
    spare = SpareKeys(RANDOM, 2 * TURNS)

    def round_trips() -> None:
        for _ in range(TURNS):
            turn(ours, theirs, spare)
            turn(theirs, ours, spare)

    benchmark.extra_info["messages"] = 2 * TURNS
    benchmark.pedantic(round_trips, setup=lambda: spare.fill(2 * TURNS), rounds=100, warmup_rounds=5)


def start_session(benchmark: Any) -> None:
    """From a bundle to the first message read: verify, PQXDH on both sides."""
    benchmark.extra_info["name"] = "session.setup"
    benchmark.pedantic(start, rounds=200, warmup_rounds=5)


def start_session_spare(benchmark: Any) -> None:
    """The same with a base key and a ratchet key that were made ahead."""
    benchmark.extra_info["name"] = "session.setup_spare"
    spare = SpareKeys(RANDOM, 2)
    benchmark.pedantic(start, (spare,), setup=lambda: spare.fill(2), rounds=200, warmup_rounds=5)


def make_spare_key(benchmark: Any) -> None:
    """What one key made ahead costs when it is made."""
    benchmark.extra_info["name"] = "session.spare_key"
    benchmark.extra_info["messages"] = BATCH // 10
    spare = SpareKeys(RANDOM, BATCH // 10)
    benchmark.pedantic(spare.fill, (BATCH // 10,), setup=spare.wipe, rounds=100, warmup_rounds=5)


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
