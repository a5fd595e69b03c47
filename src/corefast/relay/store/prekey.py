"""Rows of public prekeys."""

from collections.abc import Sequence
from typing import NamedTuple

from corefast.store.database import Database, Row, Statement, Unit
from corefast.wire.messages import PublicPreKey, SignedPreKey

_TAKE = Statement(
    "DELETE FROM one_time WHERE device = ? AND position ="
    " (SELECT min(position) FROM one_time WHERE device = ?) RETURNING id, public",
    "SELECT id, public FROM one_time WHERE device = ? ORDER BY position LIMIT 1 FOR UPDATE;"
    "DELETE FROM one_time WHERE device = ? ORDER BY position LIMIT 1",
)
_TAKE_KEM = Statement(
    "DELETE FROM one_time_kem WHERE position ="
    " (SELECT min(position) FROM one_time_kem WHERE device = ?) RETURNING id, public, signature",
    "SELECT id, public, signature FROM one_time_kem WHERE device = ? ORDER BY position LIMIT 1 FOR UPDATE;"
    "DELETE FROM one_time_kem WHERE device = ?1 ORDER BY position LIMIT 1",
)
_PUT = Statement("INSERT INTO one_time (device, position, id, public) VALUES (?, ?, ?, ?)")
_PUT_KEM = Statement("INSERT INTO one_time_kem (position, device, id, public, signature) VALUES (?, ?, ?, ?, ?)")
_PUT_SIGNED = Statement("UPDATE device SET signed_id = ?, signed_public = ?, signed_signature = ? WHERE id = ?")
_PUT_LAST_RESORT = Statement("UPDATE device SET kem_id = ?, kem_public = ?, kem_signature = ? WHERE id = ?")
_PUT_NEWEST = Statement("UPDATE device SET one_time_newest = ?, one_time_kem_newest = ? WHERE id = ?")
_NEWEST = Statement("SELECT one_time_newest, one_time_kem_newest FROM device WHERE id = ?")
_COUNT = Statement(
    "SELECT (SELECT count(*) FROM one_time WHERE device = ?), (SELECT count(*) FROM one_time_kem WHERE device = ?)"
)
_LAST_POSITION = Statement(
    "SELECT max(coalesce((SELECT max(position) FROM one_time), 0),"
    " coalesce((SELECT max(position) FROM one_time_kem), 0))",
    "SELECT greatest(coalesce((SELECT max(position) FROM one_time), 0),"
    " coalesce((SELECT max(position) FROM one_time_kem), 0))",
)
_DROP = Statement("DELETE FROM one_time WHERE device = ?")
_DROP_KEM = Statement("DELETE FROM one_time_kem WHERE device = ?")
_BUNDLE = Statement(
    "SELECT number.identity, number.devices_version, device.id, device.device, registration_id,"
    " signed_id, signed_public, signed_signature, kem_id, kem_public, kem_signature,"
    " (SELECT count(*) FROM one_time WHERE one_time.device = device.id),"
    " (SELECT count(*) FROM one_time_kem WHERE one_time_kem.device = device.id)"
    " FROM number JOIN device ON device.number = number.number"
    " WHERE number.number = ? AND device.link_key IS NOT NULL ORDER BY device.device"
)


NO_KEM = SignedPreKey(0, b"", b"")
"""What the row of a device has that speaks only X3DH."""


class Stock(NamedTuple):
    """One-time keys left."""

    one_time: int
    one_time_kem: int


class Newest(NamedTuple):
    """The newest id of each kind that a device ever uploaded; None before its first."""

    one_time: int | None
    one_time_kem: int | None


class Taken(NamedTuple):
    one_time: PublicPreKey | None
    one_time_kem: SignedPreKey | None


class DeviceKeys(NamedTuple):
    """A device's lasting keys, its number's identity, and its stock."""

    identity: bytes
    devices_version: int
    row: int
    device: int
    registration_id: int
    signed: SignedPreKey
    last_resort: SignedPreKey | None
    stock: Stock


class PreKeyStore:
    """Public prekeys by device."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, devices: Sequence[int]) -> list[Taken]:
        """Return one key of each kind of each device, that no other call has got or will get; None where empty."""
        unit = Unit()
        for device in devices:
            unit.add(_TAKE, device, device)
            unit.add(_TAKE_KEM, device)
        rows = await self._database.commit(unit)
        return [
            Taken(
                PublicPreKey(*one_time[0]) if one_time else None,
                SignedPreKey(*kem[0]) if kem else None,
            )
            for one_time, kem in zip(rows[::2], rows[1::2], strict=True)
        ]

    async def load(self, number: str) -> list[DeviceKeys]:
        """Return the keys of the number's devices, in order; none for an unknown number."""
        rows = await self._database.fetch(_BUNDLE, number)
        return [_device_keys(row) for row in rows]

    async def count(self, device: int) -> Stock:
        return Stock(*(await self._database.fetch(_COUNT, device, device))[0])

    async def newest(self, device: int) -> Newest:
        rows: list[Row] = await self._database.fetch(_NEWEST, device)
        return Newest(*rows[0])

    async def last_position(self) -> int:
        """Return the highest position in use: rows are given out in the order of theirs."""
        position: int = (await self._database.fetch(_LAST_POSITION))[0][0]
        return position

    async def commit(self, unit: Unit) -> None:
        """Make what was added to *unit* durable."""
        await self._database.commit(unit)


def _device_keys(row: Row) -> DeviceKeys:
    identity, version, device_row, device, registration_id = row[:5]
    signed, last_resort, stock = SignedPreKey(*row[5:8]), SignedPreKey(*row[8:11]), Stock(*row[11:])
    kem = None if last_resort == NO_KEM else last_resort
    return DeviceKeys(identity, version, device_row, device, registration_id, signed, kem, stock)


def add_one_time(unit: Unit, device: int, position: int, keys: Sequence[PublicPreKey]) -> None:
    for offset, key in enumerate(keys):
        unit.add(_PUT, device, position + offset, key.id, key.public)


def add_one_time_kem(unit: Unit, device: int, position: int, keys: Sequence[SignedPreKey]) -> None:
    for offset, key in enumerate(keys):
        unit.add(_PUT_KEM, position + offset, device, key.id, key.public, key.signature)


def add_signed(unit: Unit, device: int, key: SignedPreKey) -> None:
    unit.add(_PUT_SIGNED, key.id, key.public, key.signature, device)


def add_last_resort(unit: Unit, device: int, key: SignedPreKey) -> None:
    unit.add(_PUT_LAST_RESORT, key.id, key.public, key.signature, device)


def add_newest(unit: Unit, device: int, newest: Newest) -> None:
    unit.add(_PUT_NEWEST, newest.one_time, newest.one_time_kem, device)


def add_drop(unit: Unit, device: int) -> None:
    """Let *unit* forget the device's one-time stock, and which ids it had."""
    unit.add(_DROP, device)
    unit.add(_DROP_KEM, device)
    add_newest(unit, device, Newest(None, None))
