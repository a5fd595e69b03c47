"""Our own private keys: the identity, and the prekeys that others start sessions with.

The owner stores what it is given (`account`, `KeyRecord.private`) sealed, in its own tables, and commits it *before*
the upload leaves. Consumed one-time keys are removed from here by the owner after that commit.
"""

from collections.abc import Iterable
from enum import IntEnum

import msgspec

from corefast.errors import KeyMalformed, SnapshotInvalid
from corefast.limits import (
    KEM_PREKEY_FLOOR,
    KEM_PREKEY_STOCK,
    MAX_ONE_TIME_PREKEYS,
    PREKEY_FLOOR,
    PREKEY_STOCK,
    SIGNED_PREKEY_GRACE_MS,
    SIGNED_PREKEY_LIFE_MS,
)
from corefast.native.secret import wipe
from corefast.protocol.keys import KemKeyPair, KeyPair, Random
from corefast.wire.messages import PreKeyUpload, PublicPreKey, SignedPreKey

_ID_MASK = 0xFFFFFF
"""Prekey ids are 24 bits, from 1, and start at a random place (libsignal's Medium.MAX_VALUE)."""

_REGISTRATION_ID_LIMIT = 16_380
"""libsignal draws registration ids from 1 to this."""

_VERSION = 1


class KeyKind(IntEnum):
    """The kinds of private prekeys. Both Kyber kinds share one id space: a message names only the id."""

    SIGNED = 1
    LAST_RESORT = 2
    ONE_TIME = 3
    ONE_TIME_KEM = 4


class KeyRecord(msgspec.Struct, frozen=True):
    """A private prekey as its owner stores it; `private` is secret."""

    kind: KeyKind
    id: int
    made_ms: int
    private: bytes


class StockChange(msgspec.Struct, frozen=True):
    """What to commit (`account`, `made`, `dropped`), and then to send."""

    account: bytes
    made: list[KeyRecord]
    dropped: list[tuple[KeyKind, int]]
    upload: PreKeyUpload


class _Account(msgspec.Struct, frozen=True, array_like=True):
    version: int
    identity: bytes
    registration_id: int
    next_signed: int
    next_kem: int
    next_one_time: int


class OwnKeys:
    """All private keys of this endpoint."""

    def __init__(self, identity: KeyPair, registration_id: int, next_ids: tuple[int, int, int]) -> None:
        self.identity = identity
        self.registration_id = registration_id
        self.signed: dict[int, KeyPair] = {}
        self.last_resort: dict[int, KemKeyPair] = {}
        self.one_time: dict[int, KeyPair] = {}
        self.one_time_kem: dict[int, KemKeyPair] = {}
        self._next_signed, self._next_kem, self._next_one_time = next_ids
        self._made_ms: dict[tuple[KeyKind, int], int] = {}

    @classmethod
    def new(cls, random: Random, identity: KeyPair | None = None) -> "OwnKeys":
        """Make an identity, or take the one that the account's other devices have; prekeys come by `make_upload`."""
        first_ids = (_random_id(random), _random_id(random), _random_id(random))
        registration_id = 1 + int.from_bytes(random(4), "big") % _REGISTRATION_ID_LIMIT
        return cls(identity or KeyPair.generate(random), registration_id, first_ids)

    def encode_account(self) -> bytes:
        """Return identity, registration id and id counters as bytes; secret: wipe it."""
        next_ids = (self._next_signed, self._next_kem, self._next_one_time)
        private = self.identity.private
        encoded = msgspec.msgpack.encode(_Account(_VERSION, private, self.registration_id, *next_ids))
        wipe(private)
        return encoded

    @classmethod
    def restore(cls, account: bytes, records: Iterable[KeyRecord]) -> "OwnKeys":
        """Return the keys that `encode_account` and the stored records describe; raise `SnapshotInvalid`.

        The records' private keys are wiped where nobody else holds them.
        """
        try:
            stored = msgspec.msgpack.decode(account, type=_Account)
        except (msgspec.DecodeError, RecursionError):
            raise SnapshotInvalid("the account record is damaged") from None
        if stored.version != _VERSION:
            raise SnapshotInvalid(f"the account record has version {stored.version}; this program reads {_VERSION}")
        next_ids = (stored.next_signed, stored.next_kem, stored.next_one_time)
        own = cls(KeyPair.from_private(stored.identity), stored.registration_id, next_ids)
        wipe(stored.identity)
        for record in sorted(records, key=lambda record: record.made_ms):
            own._keep(record)
            wipe(record.private)
        return own

    def kem(self, kem_id: int) -> KemKeyPair | None:
        """Return the Kyber key pair of that id, one-time or last-resort."""
        return self.one_time_kem.get(kem_id) or self.last_resort.get(kem_id)

    def forget(self, kind: KeyKind, key_id: int) -> None:
        """Drop a key whose deletion the owner has committed."""
        table: dict[int, KeyPair] | dict[int, KemKeyPair] = self._table(kind)
        table.pop(key_id, None)
        self._made_ms.pop((kind, key_id), None)

    def is_rotation_due(self, now_ms: int) -> bool:
        """Tell whether the signed or last-resort prekey is lost, or older than `SIGNED_PREKEY_LIFE_MS`."""
        if not (self.signed and self.last_resort):
            return True
        signed_ms = self._age_ms(KeyKind.SIGNED, _last(self.signed), now_ms)
        last_resort_ms = self._age_ms(KeyKind.LAST_RESORT, _last(self.last_resort), now_ms)
        # They are made together: where the newest ones differ in age, the newer partner of one is lost.
        return signed_ms != last_resort_ms or signed_ms >= SIGNED_PREKEY_LIFE_MS

    def make_upload(
        self, random: Random, now_ms: int, *, one_time_left: int = 0, one_time_kem_left: int = 0
    ) -> StockChange | None:
        """Fill the relay's stock up and rotate what is due; None when nothing is.

        The current signed and last-resort prekeys go along with every upload, so that one which was lost on the way
        heals itself. Dropped are keys too old for any message under way, and one-time keys beyond the relay's limit.
        """
        rotate = self.is_rotation_due(now_ms)
        curve = PREKEY_STOCK - one_time_left if one_time_left <= PREKEY_FLOOR else 0
        kem = KEM_PREKEY_STOCK - one_time_kem_left if one_time_kem_left <= KEM_PREKEY_FLOOR else 0
        if not (rotate or curve or kem):
            return None
        made: list[KeyRecord] = []
        if rotate:
            made.append(KeyRecord(KeyKind.SIGNED, self._take_signed_id(), now_ms, KeyPair.generate(random).private))
            made.append(self._new_kem(KeyKind.LAST_RESORT, now_ms))
        made += [self._new_one_time(random, now_ms) for _ in range(curve)]
        made += [self._new_kem(KeyKind.ONE_TIME_KEM, now_ms) for _ in range(kem)]
        for record in made:
            self._keep(record)
        return StockChange(self.encode_account(), made, self._drop_old(now_ms), self._upload_of(made, random))

    def _upload_of(self, made: list[KeyRecord], random: Random) -> PreKeyUpload:
        signed_id, last_resort_id = _last(self.signed), _last(self.last_resort)
        return PreKeyUpload(
            signed=self._signed(signed_id, self.signed[signed_id].public, random),
            last_resort=self._signed(last_resort_id, self.last_resort[last_resort_id].public, random),
            one_time=[PublicPreKey(r.id, self.one_time[r.id].public) for r in made if r.kind == KeyKind.ONE_TIME],
            one_time_kem=[
                self._signed(r.id, self.one_time_kem[r.id].public, random)
                for r in made
                if r.kind == KeyKind.ONE_TIME_KEM
            ],
        )

    def _signed(self, key_id: int, public: bytes, random: Random) -> SignedPreKey:
        return SignedPreKey(key_id, public, self.identity.sign(public, random))

    def _keep(self, record: KeyRecord) -> None:
        try:
            if record.kind in (KeyKind.SIGNED, KeyKind.ONE_TIME):
                curve = self.signed if record.kind == KeyKind.SIGNED else self.one_time
                curve[record.id] = KeyPair.from_private(record.private)
            else:
                kem = self.last_resort if record.kind == KeyKind.LAST_RESORT else self.one_time_kem
                kem[record.id] = KemKeyPair.from_secret(record.private)
        except KeyMalformed:
            raise SnapshotInvalid("a stored prekey is damaged") from None
        self._made_ms[record.kind, record.id] = record.made_ms

    def _table(self, kind: KeyKind) -> dict[int, KeyPair] | dict[int, KemKeyPair]:
        tables: dict[KeyKind, dict[int, KeyPair] | dict[int, KemKeyPair]] = {
            KeyKind.SIGNED: self.signed,
            KeyKind.LAST_RESORT: self.last_resort,
            KeyKind.ONE_TIME: self.one_time,
            KeyKind.ONE_TIME_KEM: self.one_time_kem,
        }
        return tables[kind]

    def _age_ms(self, kind: KeyKind, key_id: int, now_ms: int) -> int:
        return now_ms - self._made_ms[kind, key_id]

    def _drop_old(self, now_ms: int) -> list[tuple[KeyKind, int]]:
        old: list[tuple[KeyKind, int]] = []
        for kind in (KeyKind.SIGNED, KeyKind.LAST_RESORT):
            replaced = list(self._table(kind))[:-1]
            limit_ms = SIGNED_PREKEY_LIFE_MS + SIGNED_PREKEY_GRACE_MS
            old += [(kind, key_id) for key_id in replaced if self._age_ms(kind, key_id, now_ms) >= limit_ms]
        for kind in (KeyKind.ONE_TIME, KeyKind.ONE_TIME_KEM):
            old += [(kind, key_id) for key_id in list(self._table(kind))[:-MAX_ONE_TIME_PREKEYS]]
        for kind, key_id in old:
            self.forget(kind, key_id)
        return old

    def _new_one_time(self, random: Random, now_ms: int) -> KeyRecord:
        key_id, self._next_one_time = self._next_one_time, _next_id(self._next_one_time)
        return KeyRecord(KeyKind.ONE_TIME, key_id, now_ms, KeyPair.generate(random).private)

    def _new_kem(self, kind: KeyKind, now_ms: int) -> KeyRecord:
        key_id, self._next_kem = self._next_kem, _next_id(self._next_kem)
        return KeyRecord(kind, key_id, now_ms, KemKeyPair.generate().secret)

    def _take_signed_id(self) -> int:
        key_id, self._next_signed = self._next_signed, _next_id(self._next_signed)
        return key_id


def _random_id(random: Random) -> int:
    return int.from_bytes(random(3), "big") or 1


def _next_id(key_id: int) -> int:
    return key_id + 1 & _ID_MASK or 1


def _last(table: dict[int, KeyPair] | dict[int, KemKeyPair]) -> int:
    """Return the newest id: tables are in the order of making."""
    return next(reversed(table))
