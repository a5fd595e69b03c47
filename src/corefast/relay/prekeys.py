"""Public prekeys: taking in what devices publish, and giving each one-time key to exactly one asker."""

import asyncio
import weakref
from collections.abc import Callable, Sequence
from typing import TypeVar

from corefast.errors import BundleInvalid, NumberUnknown
from corefast.limits import KEM_PREKEY_FLOOR, MAX_ONE_TIME_PREKEYS, PREKEY_FLOOR
from corefast.protocol.bundle import check_signed_prekeys
from corefast.relay.mailbox import Account, Device
from corefast.relay.store import prekey as rows
from corefast.relay.store.prekey import DeviceKeys, Newest, PreKeyStore, Stock, Taken
from corefast.store.database import Unit
from corefast.wire.messages import Bundle, DeviceBundle, PreKeyUpload, PublicPreKey, SignedPreKey

MAX_KEM_UPLOAD = 100
"""One-time KEM prekeys in one upload: each costs a signature check of 0.1 ms on the loop."""

ID_SPACE = 1 << 24
CURVE_BYTES = 33
KEM_BYTES = 1_569
SIGNATURE_BYTES = 64
CURVE_TYPE = 5
KEM_TYPE = 8

K = TypeVar("K", PublicPreKey, SignedPreKey)


class PreKeys:
    """The stock of all devices."""

    def __init__(self, store: PreKeyStore, last_position: int, on_low: Callable[[Device, Stock], None]) -> None:
        self._store = store
        self._position = last_position + 1
        self._on_low = on_low
        self._locks: weakref.WeakValueDictionary[int, asyncio.Lock] = weakref.WeakValueDictionary()

    async def put(self, device: Device, identity: bytes, upload: PreKeyUpload) -> Stock:
        """Add *upload* to the device's stock; raise `BundleInvalid`. A repeated upload adds nothing.

        One-time ids count up (modulo 2^24), so a key that was here and is gone is known by its id: it cannot come
        back, whatever became of the answer to its first upload.
        """
        check_upload(identity, upload)
        lock = self._locks.setdefault(device.row, asyncio.Lock())
        async with lock:
            unit = Unit()
            self._add(unit, device.row, upload, await self._store.newest(device.row), await self.count(device))
            await self._store.commit(unit)
        return await self.count(device)

    def add_first(self, unit: Unit, device: int, upload: PreKeyUpload) -> None:
        """Let *unit* add the one-time keys of a device that comes into being with it."""
        self._add(unit, device, upload, Newest(None, None), Stock(0, 0))

    def _add(self, unit: Unit, device: int, upload: PreKeyUpload, newest: Newest, stock: Stock) -> None:
        one_time, newest_id = _new_keys(upload.one_time, newest.one_time, MAX_ONE_TIME_PREKEYS - stock.one_time)
        kem, newest_kem = _new_keys(upload.one_time_kem, newest.one_time_kem, MAX_ONE_TIME_PREKEYS - stock.one_time_kem)
        rows.add_one_time(unit, device, self._position, one_time)
        rows.add_one_time_kem(unit, device, self._position, kem)
        self._position += max(len(one_time), len(kem))
        rows.add_newest(unit, device, Newest(newest_id, newest_kem))
        if upload.signed is not None:
            rows.add_signed(unit, device, upload.signed)
        if upload.last_resort is not None:
            rows.add_last_resort(unit, device, upload.last_resort)

    def add_drop(self, unit: Unit, device: int) -> None:
        """Let *unit* forget the one-time stock of a device that lost the private keys."""
        rows.add_drop(unit, device)

    async def count(self, device: Device) -> Stock:
        return await self._store.count(device.row)

    async def take_bundle(self, account: Account, asker: Device) -> Bundle:
        """Return what *asker* needs to write to each device; a one-time key in it is gone here before it leaves.

        Where the stock is empty the last-resort KEM key stands in, without a one-time curve key. A device that speaks
        only X3DH has no KEM key at all.
        """
        for _ in range(3):
            devices = [device for device in account.devices if device is not asker]
            taken = await self._store.take([device.row for device in devices])
            found = await self._store.load(account.number)
            keys = [key for key in found if key.row != asker.row]
            if found and [key.row for key in keys] == [device.row for device in devices]:
                bundles = self._bundles(devices, keys, taken)
                return Bundle(account.number, found[0].identity, found[0].devices_version, bundles)
        raise NumberUnknown("the number is changing hands")

    def _bundles(
        self, devices: Sequence[Device], keys: Sequence[DeviceKeys], taken: Sequence[Taken]
    ) -> list[DeviceBundle]:
        for device, key in zip(devices, keys, strict=True):
            is_kem_low = key.last_resort is not None and key.stock.one_time_kem <= KEM_PREKEY_FLOOR
            if key.stock.one_time <= PREKEY_FLOOR or is_kem_low:
                self._on_low(device, key.stock)
        return [
            DeviceBundle(key.device, key.registration_id, key.signed, got.one_time_kem or key.last_resort, got.one_time)
            for key, got in zip(keys, taken, strict=True)
        ]


def check_upload(identity: bytes, upload: PreKeyUpload, *, is_first: bool = False) -> None:
    """Raise `BundleInvalid` unless all keys have their form and the identity signed what has to be signed."""
    if is_first and upload.signed is None:
        raise BundleInvalid("a device begins with a signed prekey")
    if is_first and upload.one_time_kem and upload.last_resort is None:
        raise BundleInvalid("one-time KEM prekeys come with a last-resort one")
    if len(upload.one_time) > MAX_ONE_TIME_PREKEYS or len(upload.one_time_kem) > MAX_KEM_UPLOAD:
        raise BundleInvalid(f"an upload has at most {MAX_ONE_TIME_PREKEYS} and {MAX_KEM_UPLOAD} one-time prekeys")
    for key in upload.one_time:
        if not 0 <= key.id < ID_SPACE or len(key.public) != CURVE_BYTES or key.public[0] != CURVE_TYPE:
            raise BundleInvalid("a one-time prekey is malformed")
    signed: list[SignedPreKey] = []
    if upload.signed is not None:
        _check_form(upload.signed, CURVE_TYPE, CURVE_BYTES)
        signed.append(upload.signed)
    kems = [upload.last_resort] if upload.last_resort is not None else []
    for kem in kems + upload.one_time_kem:
        _check_form(kem, KEM_TYPE, KEM_BYTES)
        signed.append(kem)
    check_signed_prekeys(identity, [(key.public, key.signature) for key in signed])


def _check_form(key: SignedPreKey, kind: int, size: int) -> None:
    if not 0 <= key.id < ID_SPACE or len(key.signature) != SIGNATURE_BYTES:
        raise BundleInvalid("a signed prekey is malformed")
    if len(key.public) != size or key.public[0] != kind:
        raise BundleInvalid("a signed prekey is of the wrong kind")


def _new_keys(keys: Sequence[K], newest: int | None, room: int) -> tuple[list[K], int | None]:
    """Return the keys whose ids follow *newest* in the ring of ids, at most *room*, and the newest id then."""
    if not keys:
        return [], newest
    base = (keys[0].id - 1) % ID_SPACE if newest is None else newest
    distances = {(key.id - base) % ID_SPACE: key for key in keys}
    fresh = sorted(distance for distance in distances if 0 < distance < ID_SPACE // 2)[: max(0, room)]
    if not fresh:
        return [], newest
    return [distances[distance] for distance in fresh], (base + fresh[-1]) % ID_SPACE
