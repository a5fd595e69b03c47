"""Rows of numbers and their devices."""

from typing import NamedTuple

from corefast.address import Address
from corefast.relay.store.prekey import NO_KEM
from corefast.store.database import Database, Row, Statement, Unit
from corefast.wire.messages import LinkDevice, PreKeyUpload, Register

_NUMBERS = Statement("SELECT number, devices_version, shards FROM number")
_DEVICES = Statement("SELECT id, number, device, link_key, seen_ms, is_unlinked FROM device ORDER BY number, device")
_IDENTITY = Statement("SELECT identity FROM number WHERE number = ?")
_PIN = Statement("SELECT pin, pin_failures, pin_retry_ms FROM number WHERE number = ?")
_PUT_PIN = Statement("UPDATE number SET pin = ?, pin_failures = 0, pin_retry_ms = 0 WHERE number = ?")
_PUT_FAILURE = Statement("UPDATE number SET pin_failures = ?, pin_retry_ms = ? WHERE number = ?")
_DELETE_NUMBER = Statement("DELETE FROM number WHERE number = ?")
_PUT_NUMBER = Statement(
    "INSERT INTO number (number, identity, devices_version, shards, last_device) VALUES (?, ?, ?, ?, ?)"
)
_RETIRE = Statement("UPDATE device SET link_key = NULL WHERE number = ? AND link_key IS NOT NULL")
_PUT_DEVICE = Statement(
    "INSERT INTO device (id, number, device, link_key, registration_id, signed_id, signed_public, signed_signature,"
    " kem_id, kem_public, kem_signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LAST_DEVICE = Statement("SELECT last_device FROM number WHERE number = ?")
_GROW = Statement("UPDATE number SET devices_version = ?, last_device = ? WHERE number = ?")
_SHRINK = Statement("UPDATE number SET devices_version = ? WHERE number = ?")
_UNLINK = Statement("UPDATE device SET link_key = NULL, is_unlinked = 1 WHERE id = ?")
_SEEN = Statement("UPDATE device SET seen_ms = ? WHERE id = ?")


class PinState(NamedTuple):
    """*digest* is empty where no pin is set."""

    digest: bytes
    failures: int
    retry_ms: int


class History(NamedTuple):
    """What a new claim takes over from the one before."""

    devices_version: int
    last_device: int


class AccountStore:
    """Numbers, their one identity, their devices and their pin."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> tuple[list[Row], list[Row]]:
        """Return all numbers (number, devices_version, shards) and all devices.

        A device is (id, number, device, link_key, seen_ms, is_unlinked).
        """
        return await self._database.fetch(_NUMBERS), await self._database.fetch(_DEVICES)

    async def load_identity(self, number: str) -> bytes:
        """Return the identity of a number that is registered."""
        identity: bytes = (await self._database.fetch(_IDENTITY, number))[0][0]
        return identity

    async def last_device(self, number: str) -> int:
        """Return the highest device id that this account ever gave out."""
        last: int = (await self._database.fetch(_LAST_DEVICE, number))[0][0]
        return last

    async def load_pin(self, number: str) -> PinState:
        return PinState(*(await self._database.fetch(_PIN, number))[0])

    async def put_pin(self, number: str, digest: bytes) -> None:
        await self._commit(_PUT_PIN, digest, number)

    async def put_pin_failure(self, number: str, failures: int, retry_ms: int) -> None:
        await self._commit(_PUT_FAILURE, failures, retry_ms, number)

    async def _commit(self, statement: Statement, *params: object) -> None:
        unit = Unit()
        unit.add(statement, *params)
        await self._database.commit(unit)


def add_claim(unit: Unit, claim: Register, link_key: bytes, device: int, history: History) -> None:
    """Let *unit* give the number to the claim's identity with one device; who had it before keeps nothing."""
    unit.add(_RETIRE, claim.number)
    unit.add(_DELETE_NUMBER, claim.number)
    unit.add(_PUT_NUMBER, claim.number, claim.identity, history.devices_version, claim.shards, history.last_device)
    _add_device(unit, device, Address(claim.number, 1), link_key, (claim.registration_id, claim.prekeys))


def add_linked(unit: Unit, device: int, address: Address, link_key: bytes, link: LinkDevice) -> None:
    """Let *unit* add a device to a number that stays whose it is; `add_list` belongs with it."""
    _add_device(unit, device, address, link_key, (link.registration_id, link.prekeys))


def add_list(unit: Unit, number: str, devices_version: int, new_device: int | None) -> None:
    """Let *unit* move the list of devices on; *new_device* is the id that was given out, if one was."""
    if new_device is None:
        unit.add(_SHRINK, devices_version, number, rows=1)
    else:
        unit.add(_GROW, devices_version, new_device, number, rows=1)


def add_unlinked(unit: Unit, device: int) -> None:
    """Let *unit* take the device's place away; its row stays, as waiting items name it."""
    unit.add(_UNLINK, device, rows=1)


def add_seen(unit: Unit, device: int, now_ms: int) -> None:
    unit.add(_SEEN, now_ms, device)


def _add_device(
    unit: Unit, device: int, address: Address, link_key: bytes, published: tuple[int, PreKeyUpload]
) -> None:
    registration_id, prekeys = published
    signed, kem = prekeys.signed, prekeys.last_resort or NO_KEM
    assert signed is not None
    keys = (signed.id, signed.public, signed.signature, kem.id, kem.public, kem.signature)
    unit.add(_PUT_DEVICE, device, address.id, address.device, link_key, registration_id, *keys)
