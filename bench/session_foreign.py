"""`python session_foreign.py PEER SECONDS`: a foreign session engine, measured in an interpreter that has its package.

Prints one JSON object: microseconds of CPU for each sample of `setup`, `pingpong`, `encrypt`, `decrypt`. It imports
nothing of corefast, so that its interpreter needs only the peer.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from time import perf_counter_ns, process_time_ns
from typing import Any, NamedTuple

TEXT = b"x" * 100
BATCH = 200
TURNS = 10

Writes = Callable[[], Any]
Reads = Callable[[Any], Any]


class Pair(NamedTuple):
    """A session of two that have heard of each other: how each writes, and reads what the other wrote."""

    ours: tuple[Writes, Reads]
    theirs: tuple[Writes, Reads]


def measure(
    start: Callable[[], Pair], seconds: float, *, with_setup: bool = True, before: Callable[[], object] = lambda: None
) -> dict[str, list[float]]:
    """Return the samples; *before* each of a start or of turns something may be done that does not count."""
    samples: dict[str, list[float]] = {"pingpong": [], "encrypt": [], "decrypt": []}
    if with_setup:
        samples["setup"] = []
    share = int(seconds * 1e9 / 3)
    pair = start()
    end = perf_counter_ns() + share
    while with_setup and perf_counter_ns() < end:
        before()
        samples["setup"].append(timed(start))
    (write, read), (answer, hear) = pair
    end = perf_counter_ns() + share
    while perf_counter_ns() < end:
        before()
        samples["pingpong"].append(timed(lambda: [(read(answer()), hear(write())) for _ in range(TURNS)]) / 2 / TURNS)
    end = perf_counter_ns() + share
    while perf_counter_ns() < end:
        messages: list[Any] = []
        samples["encrypt"].append(timed(lambda: messages.extend([write() for _ in range(BATCH)])) / BATCH)  # noqa: B023
        samples["decrypt"].append(timed(lambda: [hear(message) for message in messages]) / BATCH)  # noqa: B023
    return samples


def timed(action: Callable[[], Any]) -> float:
    before = process_time_ns()
    action()
    return (process_time_ns() - before) / 1e3


def vodozemac() -> Callable[[], Pair]:
    """Olm's 3DH; nobody verifies a prekey's signature."""
    from vodozemac import Account

    alice, bob = Account(), Account()
    ready: list[Any] = []

    def start() -> Pair:
        if not ready:
            bob.generate_one_time_keys(bob.max_number_of_one_time_keys)
            ready.extend(bob.one_time_keys.values())
            bob.mark_keys_as_published()
        ours = alice.create_outbound_session(bob.curve25519_key, ready.pop())
        first = ours.encrypt(TEXT).to_pre_key()
        theirs, _ = bob.create_inbound_session(alice.curve25519_key, first)
        return Pair((lambda: ours.encrypt(TEXT), ours.decrypt), (lambda: theirs.encrypt(TEXT), theirs.decrypt))

    return start


def python_olm() -> Callable[[], Pair]:
    from olm import Account, InboundSession, OutboundSession

    alice, bob = Account(), Account()
    ready: list[str] = []
    text = TEXT.decode()

    def start() -> Pair:
        if not ready:
            bob.generate_one_time_keys(bob.max_one_time_keys)
            ready.extend(bob.one_time_keys["curve25519"].values())
            bob.mark_keys_as_published()
        ours = OutboundSession(alice, bob.identity_keys["curve25519"], ready.pop())
        first = ours.encrypt(text)
        theirs = InboundSession(bob, first)
        theirs.decrypt(first)
        bob.remove_one_time_keys(theirs)
        return Pair((lambda: ours.encrypt(text), ours.decrypt), (lambda: theirs.encrypt(text), theirs.decrypt))

    return start


def double_ratchet() -> Callable[[], Pair]:
    """The ratchet alone: how its secret is agreed on is another package's."""
    import doubleratchet as dr
    from doubleratchet.recommended import (
        HashFunction,
        aead_aes_hmac,
        diffie_hellman_ratchet_curve25519,
        kdf_hkdf,
        kdf_separate_hmacs,
    )

    class Ratchet(dr.DoubleRatchet):
        @staticmethod
        def _build_associated_data(associated_data: bytes, header: Any) -> bytes:
            counts = (header.sending_chain_length, header.previous_sending_chain_length)
            return associated_data + header.ratchet_pub + b"".join(each.to_bytes(4, "big") for each in counts)

    class Aead(aead_aes_hmac.AEAD):
        @staticmethod
        def _get_hash_function() -> Any:
            return HashFunction.SHA_256

        @staticmethod
        def _get_info() -> bytes:
            return b"message"

    class RootKdf(kdf_hkdf.KDF):
        @staticmethod
        def _get_hash_function() -> Any:
            return HashFunction.SHA_256

        @staticmethod
        def _get_info() -> bytes:
            return b"root"

    class ChainKdf(kdf_separate_hmacs.KDF):
        @staticmethod
        def _get_hash_function() -> Any:
            return HashFunction.SHA_256

    common: dict[str, Any] = {
        "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
        "root_chain_kdf": RootKdf,
        "message_chain_kdf": ChainKdf,
        "message_chain_constant": b"\x01\x02",
        "dos_protection_threshold": 2_000,
        "max_num_skipped_message_keys": 2_000,
        "aead": Aead,
        "shared_secret": bytes(32),
        "associated_data": bytes(66),
    }
    loop = asyncio.new_event_loop()

    def wait(coroutine: Any) -> Any:
        return loop.run_until_complete(coroutine)

    def start() -> Pair:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        private = X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        ours, first = wait(Ratchet.encrypt_initial_message(recipient_ratchet_pub=public, message=TEXT, **common))
        theirs, _ = wait(
            Ratchet.decrypt_initial_message(own_ratchet_priv=private.private_bytes_raw(), message=first, **common)
        )
        ad = bytes(66)
        return Pair(
            (lambda: wait(ours.encrypt_message(TEXT, ad)), lambda message: wait(ours.decrypt_message(message, ad))),
            (lambda: wait(theirs.encrypt_message(TEXT, ad)), lambda message: wait(theirs.decrypt_message(message, ad))),
        )

    return start


PEERS = {"vodozemac": vodozemac, "python-olm": python_olm, "DoubleRatchet": double_ratchet}

if __name__ == "__main__":
    peer = sys.argv[1]
    print(json.dumps(measure(PEERS[peer](), float(sys.argv[2]), with_setup=peer != "DoubleRatchet")))
