"""Numbers and who owns them; all of them are in memory, without their keys, as every post looks one up."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable

from corefast.address import Address, canonical_number
from corefast.errors import NumberInvalid, NumberTaken, Overloaded, ParameterInvalid
from corefast.relay.admission import Admission, Mode
from corefast.relay.mailbox import MAX_SHARDS, Account, Device
from corefast.relay.prekeys import PreKeys, check_upload
from corefast.relay.store.account import AccountStore, History, add_claim
from corefast.relay.store.code import add_delete
from corefast.store.database import Database, Unit
from corefast.wire.messages import Register

IDENTITY_BYTES = 33
MAX_REGISTRATION_ID = 16_380
"""libsignal's: 14 bits without the last few."""

MAX_NUMBERS = 1_000_000
"""Some 500 bytes of memory each."""


class Registry:
    """Numbers, devices and link keys. *accounts* and *devices* are the router's, filled here."""

    def __init__(self, store: AccountStore, accounts: dict[str, Account], devices: dict[int, Device]) -> None:
        self._store = store
        self._accounts = accounts
        self._devices = devices
        self._links: dict[bytes, Device] = {}
        self._keys: dict[int, bytes] = {}
        self._last_device = 0
        self._unlinked: set[int] = set()
        self.linked: dict[int, Device] = {}
        """Devices other than their number's first, by row."""
        self.seen_ms: dict[int, int] = {}
        """When a device attached last, to a day, by row."""

    async def load(self) -> None:
        """Read everything, once at the start."""
        numbers, devices = await self._store.load()
        for number, version, shards in numbers:
            self._accounts[number] = Account(number, version, shards)
        for row, number, device, link_key, seen_ms, is_unlinked in devices:
            self._put(row, device, self._accounts[number], link_key)
            if link_key is not None:
                self.seen_ms[row] = seen_ms
            elif is_unlinked:
                self._unlinked.add(row)

    def _put(self, row: int, device: int, account: Account, link_key: bytes | None) -> Device:
        made = Device(row, Address(account.number, device), account)
        self._devices[row] = made
        self._last_device = max(self._last_device, row)
        if link_key is None:
            made.is_gone = True
        else:
            account.devices.append(made)
            self._links[link_key] = made
            self._keys[row] = link_key
            if device > 1:
                self.linked[row] = made
        return made

    def _drop(self, device: Device) -> None:
        device.is_gone = True
        del self._links[self._keys.pop(device.row)]
        self.linked.pop(device.row, None)
        self.seen_ms.pop(device.row, None)

    def find(self, number: str) -> Account | None:
        return self._accounts.get(number)

    def find_link(self, link_key: bytes) -> Device | None:
        """Return the device that has this link key."""
        return self._links.get(link_key)

    @property
    def is_full(self) -> bool:
        return len(self._accounts) >= MAX_NUMBERS

    async def identity(self, number: str) -> bytes:
        return await self._store.load_identity(number)

    def next_device(self) -> int:
        """Return a row id that was never given out."""
        self._last_device += 1
        return self._last_device

    def replace(self, claim: Register, link_key: bytes, row: int, version: int) -> tuple[Device, list[Device]]:
        """Put a durable claim into memory; return the new device and those that it replaced."""
        old = self._accounts.get(claim.number)
        replaced = list(old.devices) if old is not None else []
        for device in replaced:
            self._drop(device)
        account = Account(claim.number, version, claim.shards)
        self._accounts[claim.number] = account
        return self._put(row, 1, account, link_key), replaced

    async def last_device(self, number: str) -> int:
        """Return the highest device id that this account ever gave out."""
        return await self._store.last_device(number)

    def is_unlinked(self, row: int) -> bool:
        """Tell a device that was unlinked from one whose number has a new owner."""
        return row in self._unlinked

    def link(self, account: Account, address: Address, link_key: bytes, row: int, now_ms: int) -> Device:
        """Put a durable new device into memory: the account's list moves on."""
        account.devices_version += 1
        self.seen_ms[row] = now_ms
        return self._put(row, address.device, account, link_key)

    def unlink(self, device: Device) -> None:
        """Take a device out whose end is durable: the account's list moves on."""
        self._drop(device)
        self._unlinked.add(device.row)
        device.account.devices.remove(device)
        device.account.devices_version += 1


class Registration:
    """Claims of numbers, one at a time for each number."""

    def __init__(
        self,
        registry: Registry,
        admission: Admission,
        prekeys: PreKeys,
        database: Database,
        on_replaced: Callable[[list[Device]], Awaitable[None]],
    ) -> None:
        self._registry = registry
        self._admission = admission
        self._prekeys = prekeys
        self._database = database
        self._on_replaced = on_replaced
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._claiming: set[bytes] = set()

    async def register(self, link_key: bytes, claim: Register) -> Device:
        """Return the device that *link_key* now is; durable. Raises what `Register` names."""
        self._check_form(claim)
        async with self.turn(claim.number, link_key):
            return await self._register(link_key, claim)

    @contextlib.asynccontextmanager
    async def turn(self, number: str, link_key: bytes = b"") -> AsyncIterator[None]:
        """Whoever changes the devices of *number* does it in here, one at a time; a new *link_key* is in one turn."""
        lock = self._locks.setdefault(number, asyncio.Lock())
        async with lock:
            if link_key in self._claiming:
                raise Overloaded("this link key claims a number already; wait for the answer")
            if link_key:
                self._claiming.add(link_key)
            try:
                yield
            finally:
                self._claiming.discard(link_key)

    async def _register(self, link_key: bytes, claim: Register) -> Device:
        known = self._registry.find_link(link_key)
        if known is not None:
            return await self._repeat(known, claim)
        code = await self._admit(claim)
        check_upload(claim.identity, claim.prekeys, is_first=True)
        return await self._claim(link_key, claim, code)

    async def _repeat(self, known: Device, claim: Register) -> Device:
        """The same claim again: nothing changes, and its one-time keys, long in stock or given out, stay unread."""
        if known.account.number != claim.number:
            raise ParameterInvalid("this link key already owns another number")
        if await self._registry.identity(claim.number) != claim.identity:
            raise NumberTaken("this link key owns the number with another identity")
        if known.account.shards != claim.shards:
            raise ParameterInvalid("the number of shards is fixed by the first registration")
        return known

    async def _admit(self, claim: Register) -> bytes:
        """Return the code to use up; raise unless the claim may go ahead."""
        is_taken = self._registry.find(claim.number) is not None
        if is_taken and not claim.replace:
            raise NumberTaken("the number has an owner; claim it with replace, which cuts the owner's devices off")
        code = await self._admission.check_code(claim.number, claim.code)
        if is_taken:
            await self._admission.check_pin(claim.number, claim.pin)
        elif self._registry.is_full:
            raise Overloaded("this relay has no room for another number")
        return code

    async def _claim(self, link_key: bytes, claim: Register, code: bytes) -> Device:
        old = self._registry.find(claim.number)
        history = await self._history(claim, old)
        row = self._registry.next_device()
        unit = Unit()
        add_claim(unit, claim, link_key, row, history)
        self._prekeys.add_first(unit, row, claim.prekeys)
        for device in old.devices if old is not None else ():
            self._prekeys.add_drop(unit, device.row)
        if code:
            add_delete(unit, claim.number, code)
        await self._database.commit(unit)
        made, replaced = self._registry.replace(claim, link_key, row, history.devices_version)
        if replaced:
            await self._on_replaced(replaced)
        return made

    async def _history(self, claim: Register, old: Account | None) -> History:
        """Return where the number's list goes on; the same identity gives no device id out again."""
        if old is None:
            return History(1, 1)
        is_same = await self._registry.identity(claim.number) == claim.identity
        last_device = await self._registry.last_device(claim.number) if is_same else 1
        return History(old.devices_version + 1, last_device)

    def _check_form(self, claim: Register) -> None:
        if canonical_number(claim.number, development=self._admission.mode is Mode.OPEN) != claim.number:
            raise NumberInvalid("a number is written as digits with its country code, without a plus")
        check_registration_id(claim.registration_id)
        if len(claim.identity) != IDENTITY_BYTES:
            raise ParameterInvalid("an identity has 33 bytes")
        if not 1 <= claim.shards <= MAX_SHARDS or claim.shards & (claim.shards - 1):
            raise ParameterInvalid(f"the number of shards is a power of two up to {MAX_SHARDS}")


def check_registration_id(registration_id: int) -> None:
    """Raise `ParameterInvalid` unless this is one."""
    if not 0 <= registration_id <= MAX_REGISTRATION_ID:
        raise ParameterInvalid("a registration id has 14 bits")
