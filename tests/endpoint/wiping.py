"""A program that looks for its own keys: run by test_wiping, since a small process is soon searched."""

import asyncio
import gc
import json
import os
from typing import Any

from corefast.core.store.keys import KeyStore
from corefast.core.store.peers import PeerStore
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.fanout import bundle_of
from corefast.endpoint.selection import PartKind
from corefast.endpoint.stock import KeyKind, OwnKeys
from corefast.endpoint.vault import Vault
from corefast.native import kem
from corefast.native.curve import agree
from corefast.native.kdf import hkdf_sha256
from corefast.native.secret import wipe
from corefast.protocol import start
from corefast.protocol.chain import step_chain
from corefast.protocol.keys import KemKeyPair, KeyPair, Random
from corefast.protocol.spare import SpareKeys
from corefast.store.database import Unit
from corefast.wire.messages import Bundle, DeviceBundle, PreKeyUpload
from tests.endpoint.pair import NOW_MS
from tests.support.memory import count_secrets, keep_freed_memory

Keys = dict[str, str]
started: Keys = {}


def hex_of(secret: bytes, start: int = 0) -> str:
    """32 bytes of a secret in hex, without a copy of them."""
    with memoryview(secret) as view:
        return view[start : start + 32].hex()


def look(what: str, keys: Keys) -> None:
    gc.collect()
    print(json.dumps([what, dict(zip(keys, count_secrets(list(keys.values())), strict=True))]))


# ── what a session starts from ─────────────────────────────────────────────────────────────────────────────────────


def random(size: int) -> bytes:
    value = os.urandom(size)
    if size == 32:
        started.setdefault("base private", hex_of(value))
    return value


def spy_on_starts() -> None:
    """Note the KEM's secrets of each start in `started` as they pass by."""

    def spied(function: Any, name: str) -> Any:
        def spy(*arguments: Any) -> Any:
            result = function(*arguments)
            started[name] = hex_of(result[1] if isinstance(result, tuple) else result)
            return result

        return spy

    round_3 = kem._round_3

    def spy_on_round_3(shared: bytes, ciphertext: bytes) -> bytes:
        started["ML-KEM secret"] = hex_of(shared)
        return round_3(shared, ciphertext)

    kem._round_3 = spy_on_round_3
    setattr(start, "encapsulate", spied(getattr(start, "encapsulate"), "KEM secret"))  # noqa: B009, B010
    KemKeyPair.decapsulate = spied(KemKeyPair.decapsulate, "decapsulated")  # type: ignore[method-assign]


def note_agreements(identity: KeyPair, their_identity: bytes, upload: PreKeyUpload) -> None:
    """Note what a start whose base key and KEM secret are in `started` has agreed on, and its first keys."""
    ours, base = identity.private, bytes.fromhex(started["base private"])
    signed, one_time = upload.signed.public, upload.one_time[0].public
    pairs = [(ours, signed), (base, their_identity), (base, signed), (base, one_time)]
    held = [bytes([0xFF]) * 32, *(agree(private, public[1:]) for private, public in pairs)]
    started.update({f"agreement {place}": hex_of(held[place]) for place in range(1, 5)})
    held.append(bytes.fromhex(started["KEM secret"]))
    held.append(b"".join(held))
    held.append(hkdf_sha256(held[-1], b"", b"WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024", 96))
    started.update(
        {f"first {name}": hex_of(held[-1], 32 * place) for place, name in enumerate(("root", "chain", "pq"))}
    )
    pairs.clear()
    held += ours, base
    del ours, base
    while held:
        assert wipe(held.pop())


# ── a party with the stores of a core ──────────────────────────────────────────────────────────────────────────────


class Tables:
    """Answers the queries of `PeerStore.load` from what its units hold."""

    def __init__(self) -> None:
        self.session: tuple[Any, ...] = ()
        self.parts: dict[tuple[int, int], tuple[Any, ...]] = {}

    def run(self, unit: Unit) -> None:
        for statement, params, _ in unit.ops:
            if "INTO session_part" in statement.sqlite:
                key, kind, number, _, sealed = params
                self.parts[kind, number] = (key, kind, number, sealed)
            elif "INTO session " in statement.sqlite:
                self.session = (params[0], params[2], params[3])
            elif "session_part" in statement.sqlite:
                _, kind, first, last = params
                self.parts = {k: row for k, row in self.parts.items() if not (k[0] == kind and first <= k[1] <= last)}

    async def fetch(self, statement: Any, *params: Any) -> list[Any]:
        if "FROM peer" in statement.sqlite:
            return [(1, 1, b"", 0, 0, 0, 1, 0)]
        return [self.parts[key] for key in sorted(self.parts)] if "session_part" in statement.sqlite else [self.session]


class End:
    def __init__(self) -> None:
        self.vault = Vault(os.urandom(32), os.urandom)
        self.tables = Tables()
        self.peers = PeerStore(self.tables, self.vault, 1)  # type: ignore[arg-type]
        self.own = OwnKeys.new(os.urandom)
        self.them = Correspondent.new()
        self.one_time: Keys = {}
        self.sent = 0

    def publish(self) -> PreKeyUpload:
        change = self.own.make_upload(os.urandom, NOW_MS)
        assert change is not None
        for record in change.made:
            if record.id == change.upload.one_time[0].id and record.kind == KeyKind.ONE_TIME:
                self.one_time = {"one-time private": hex_of(record.private)}
        KeyStore(self.tables, self.vault, 1).put_change(Unit(), change)  # type: ignore[arg-type]
        return change.upload

    def start(self, other: "End", upload: PreKeyUpload, place: int, random: Random = random) -> None:
        key, kem = upload.one_time[place], upload.one_time_kem[place]
        device = DeviceBundle(1, other.own.registration_id, upload.signed, kem, key)
        bundle = Bundle("49123123456", other.own.identity.public, 1, [device])
        self.them.start(self.own, bundle_of(bundle, device), random)

    def write(self, text: bytes, random: Random = os.urandom) -> tuple[int, bytes]:
        self.sent += 1
        return self.them.encrypt(text, random)

    def read(self, message: tuple[int, bytes]) -> None:
        opened = self.them.decrypt(self.own, *message, os.urandom)
        if opened.used_one_time is not None:
            self.own.forget(KeyKind.ONE_TIME, opened.used_one_time)

    def save(self) -> None:
        unit = Unit()
        self.peers.put_sessions(unit, 1, {1: self.them}, {1: 1})
        self.tables.run(unit)

    def load(self) -> None:
        row = asyncio.run(self.peers.load("49123123456"))
        assert row is not None
        self.them = row.devices[1]

    def keys(self) -> Keys:
        """The keys that the current session holds, by their places in its record (`protocol.snapshot`)."""
        record = self.them.record()
        at = 1 + 2 + 66 + 33
        at += 4 + int.from_bytes(record[at : at + 2], "big") + int.from_bytes(record[at + 2 : at + 4], "big")
        keys = {"root": hex_of(record, at)}
        is_sending = record[at + 36]
        at += 37
        if is_sending:
            keys |= {"ratchet private": hex_of(record, at), "sending chain": hex_of(record, at + 64)}
            at += 3 * 32 + 4
        count = record[at]
        at += 1
        for place in range(count):
            keys[f"receiving chain {place}"] = hex_of(record, at + 32)
            at += 68
        keys |= {"sending salts": hex_of(record, at + 1), "receiving salts": hex_of(record, at + 37)}
        assert wipe(record)
        return keys

    def skipped(self) -> Keys:
        """What is kept for one skipped message, which has not been stored: its seed and its salt."""
        keys = {}
        changes = self.them.take_changes()
        while changes:
            part = changes.pop()
            if part.kind is PartKind.SKIPPED and part.content is not None:
                keys["skipped salt" if part.content[0] else "skipped seed"] = hex_of(part.content, 41)
                assert wipe(part.content)
        return keys


def message_keys(keys: Keys, index: int) -> Keys:
    """The keys of message *index*, from 1, of a session that holds *keys*: held for a look, then wiped."""
    held = [bytes.fromhex(keys["sending chain"]), bytes.fromhex(keys["sending salts"])]
    held += step_chain(held[0])
    info = index.to_bytes(4, "big") + b"Signal PQ Ratchet V1 Chain Next"
    held.append(hkdf_sha256(held[1], b"", info, 64))
    held.append(held[4][32:])
    held.append(hkdf_sha256(held[2], held[5], b"WhisperMessageKeys", 80))
    found = {"seed": hex_of(held[2]), "salt": hex_of(held[5])}
    found |= {"cipher key": hex_of(held[6]), "MAC key": hex_of(held[6], 32)}
    look("message keys, held: there", found)
    while held:
        assert wipe(held.pop())
    return found


def use_spare_keys(alice: End, bob: End, upload: PreKeyUpload) -> None:
    """Three keys made ahead: one starts a session, one is its ratchet key, one is never used."""
    kept: Keys = {}

    def random(size: int) -> bytes:
        value = os.urandom(size)
        kept[f"spare {len(kept)}"] = hex_of(value)
        return value

    spare = SpareKeys(random, 3)
    spare.fill(3)
    look("made ahead: once", kept)
    alice.start(bob, upload, 2, spare)
    look("a spare base key: gone", {"spare 2": kept.pop("spare 2")})
    bob.read(alice.write(b"first", spare))
    look("a spare ratchet key: once", kept)
    alice.read(bob.write(b"answer"))
    look("a spare ratchet key, after the turn: gone", {"spare 1": kept.pop("spare 1")})
    look("not used: once", kept)
    spare.wipe()
    look("not used, wiped: gone", kept)


def main() -> None:
    spy_on_starts()
    keep_freed_memory()
    alice, bob = End(), End()
    upload = bob.publish()
    look("published: there", bob.one_time)
    alice.start(bob, upload, 0)
    note_agreements(alice.own.identity, bob.own.identity.public, upload)
    look(
        "a start: gone", {name: started[name] for name in started if not name.startswith("first") or name == "first pq"}
    )
    look("first root, in use: there", {"first root": started["first root"], "first chain": started["first chain"]})
    message = alice.write(b"first")
    bob.read(message)
    look("used one-time prekey: gone", bob.one_time)
    del started["first chain"]  # Alice keeps it as one to read
    look("a first message: gone", started)
    bob.save()
    alice.read(bob.write(b"answer"))
    bob.read(alice.write(b"on"))

    keys = alice.keys()
    look("in use: there", keys)
    alice.save()
    alice.load()
    look("stored and loaded: there", keys)
    late, ahead = alice.write(b"late"), alice.write(b"ahead")
    bob.read(ahead)
    skipped = bob.skipped()
    look("skipped: there", skipped)
    bob.read(late)
    look("skipped and read: gone", skipped)
    look("after steps of the chains: gone", {name: keys[name] for name in ("sending chain", "sending salts")})

    late = alice.write(b"late")
    bob.read(alice.write(b"ahead"))
    bob.save(), bob.load(), bob.them.rest()
    alice.start(bob, upload, 1)
    alice.save()
    old = {"root": bob.keys()["root"]}
    bob.read(alice.write(b"again"))
    bob.save()
    look("archived: there", old)
    bob.read(late)
    bob.save(), bob.load()
    look("promoted: there", old)
    alice.read(bob.write(b"turn"))
    bob.read(alice.write(b"turn"))
    bob.write(b"turn")
    bob.save(), bob.load()
    look("after turns: gone", old)

    keys = bob.keys()
    found = message_keys(keys, bob.sent + 1)
    look("message keys, let go: gone", found)
    bob.write(b"with these keys")
    bob.write(b"and the next")
    look("message keys, used: gone", found)

    use_spare_keys(alice, bob, upload)
    bob.save(), bob.them.rest()
    keys = bob.keys()
    bob.them.rest()
    look("at the end: there", keys)
    del alice.them, bob.them
    look("after the end: gone", keys)


main()
