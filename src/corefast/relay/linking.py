"""The list of a number's devices: linked, listed, unlinked, and dropped after a long absence."""

from collections.abc import Callable

from corefast.address import Address
from corefast.errors import DevicesFull, DeviceUnknown, SlotClosed
from corefast.limits import DEVICE_LIFE_MS, MAX_DEVICE_ID, MAX_DEVICES
from corefast.logs import get_logger
from corefast.relay import presence
from corefast.relay.mailbox import Account, Device
from corefast.relay.prekeys import PreKeys, check_upload
from corefast.relay.registry import Registration, Registry, check_registration_id
from corefast.relay.store import account as rows
from corefast.store.database import Database, Unit
from corefast.wire.messages import DeviceList, LinkDevice, ListedDevice

SEEN_MS = 86_400_000
"""How exactly it is known when a device was here: one write a device and day."""

GRACE_MS = 3_600_000
"""Nobody is dropped before a relay has been up this long: while it was away, no device could show itself."""

_log = get_logger("corefast.relay")


class Linking:
    """Changes the lists of devices, each change durable before anybody sees it."""

    def __init__(
        self,
        registry: Registry,
        registration: Registration,
        prekeys: PreKeys,
        database: Database,
        on_unlinked: Callable[[Device], None],
        started_ms: int,
    ) -> None:
        self._registry = registry
        self._registration = registration
        self._prekeys = prekeys
        self._database = database
        self._on_unlinked = on_unlinked
        self._started_ms = started_ms

    def check_room(self, account: Account) -> None:
        """Raise `DevicesFull` where the number has as many devices as it may."""
        if len(account.devices) >= MAX_DEVICES:
            raise DevicesFull(f"a number has at most {MAX_DEVICES} devices; unlink one first")

    async def link(self, first: Device, link_key: bytes, wish: LinkDevice, now_ms: int) -> Device:
        """Return the new device beside *first*, which approved it; raise what `LinkDevice` names."""
        account = first.account
        check_registration_id(wish.registration_id)
        async with self._registration.turn(account.number, link_key):
            identity = await self._registry.identity(account.number)
            check_upload(identity, wish.prekeys, is_first=True)
            number = await self._registry.last_device(account.number) + 1
            if first.is_gone:
                raise SlotClosed("the number has another owner now")
            self.check_room(account)
            if number > MAX_DEVICE_ID:
                raise DevicesFull("this number linked as many devices as it ever may; claim it anew")
            address = Address(account.number, number)
            row = self._registry.next_device()
            unit = Unit()
            rows.add_linked(unit, row, address, link_key, wish)
            rows.add_seen(unit, row, now_ms)
            rows.add_list(unit, account.number, account.devices_version + 1, number)
            self._prekeys.add_first(unit, row, wish.prekeys)
            await self._database.commit(unit)
            return self._registry.link(account, address, link_key, row, now_ms)

    def list(self, account: Account) -> DeviceList:
        seen = self._registry.seen_ms
        listed = [ListedDevice(device.address.device, seen.get(device.row, 0)) for device in account.devices]
        return DeviceList(account.devices_version, listed)

    async def unlink(self, account: Account, number: int) -> None:
        """Cut a linked device off; raise `DeviceUnknown`."""
        device = next((each for each in account.devices if each.address.device == number), None)
        if device is None or number == 1:
            raise DeviceUnknown("there is no linked device of this number; the first one is not unlinked")
        await self._unlink(device)

    async def _unlink(self, device: Device) -> None:
        account = device.account
        async with self._registration.turn(account.number):
            if device.is_gone:
                return
            unit = Unit()
            rows.add_unlinked(unit, device.row)
            rows.add_list(unit, account.number, account.devices_version + 1, None)
            self._prekeys.add_drop(unit, device.row)
            await self._database.commit(unit)
            self._registry.unlink(device)
            self._on_unlinked(device)

    # ── absence ────────────────────────────────────────────────────────────────────────────────────────────────────

    def saw(self, device: Device, now_ms: int) -> None:
        """Note that a device is here."""
        unit = Unit()
        self._add_seen(unit, device, now_ms)
        if unit.ops:
            self._database.commit_then(unit, _on_seen)

    async def drop_absent(self, now_ms: int) -> None:
        """Unlink every linked device that was away for `DEVICE_LIFE_MS`."""
        unit = Unit()
        absent: list[Device] = []
        for device in self._registry.linked.values():
            if presence.holder(device) is not None:
                self._add_seen(unit, device, now_ms)
            elif max(self._registry.seen_ms[device.row] + DEVICE_LIFE_MS, self._started_ms + GRACE_MS) <= now_ms:
                absent.append(device)
        if unit.ops:
            await self._database.commit(unit)
        for device in absent:
            await self._unlink(device)

    def _add_seen(self, unit: Unit, device: Device, now_ms: int) -> None:
        if now_ms - self._registry.seen_ms.get(device.row, 0) >= SEEN_MS:
            self._registry.seen_ms[device.row] = now_ms
            rows.add_seen(unit, device.row, now_ms)


def _on_seen(error: Exception | None) -> None:
    if error is not None:
        _log.warning("it could not be stored that a device was here", code=getattr(error, "code", "internal"))
