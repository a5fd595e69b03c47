"""All that one phone has: its keys, its peers and its messages, in one folder."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TextIO

import msgspec

from corefast.address import canonical_number
from corefast.device.directory import Directory, KnownPeer
from corefast.device.group import GroupDirectory
from corefast.device.handover import Handover
from corefast.device.store.groups import GroupStore
from corefast.device.store.inbox import InboxStore
from corefast.device.store.keys import Account, KeyStore
from corefast.device.store.outbox import OutboxStore
from corefast.device.store.peers import PeerStore
from corefast.device.store.resend import ResendStore
from corefast.endpoint.refill import Refill
from corefast.endpoint.resend import HOUR_MS, Book
from corefast.endpoint.stock import OwnKeys
from corefast.endpoint.trust import Policy
from corefast.endpoint.vault import Vault, load_master_key
from corefast.errors import CorefastError, SetupError
from corefast.limits import DEVICE_SPARE_KEYS
from corefast.process import lock_directory
from corefast.protocol.keys import Random
from corefast.store.database import Database, Rows, Unit
from corefast.store.migrate import load_migrations
from corefast.store.sqlite import open_sqlite

Clock = Callable[[], int]

LINK_KEY_BYTES = 32
_TOKEN_BYTES = 16


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What may be chosen when a device is opened."""

    name: str = ""
    """Profile name that goes with each message."""
    code: str = ""
    """Registration code, where the relay wants one."""
    pin: str = ""
    """Pin of the number, where it has one."""
    replace: bool = False
    """Take the number over from another device."""
    adopt_restored: bool = False
    """Let a restored copy of a home take the place of the one that it was copied from."""
    identity_policy: Policy = Policy.FLAG
    """Whether we go on writing to a peer whose identity key changed, or wait until the user accepts the new one."""
    resend_hours: int = 24
    """How long a message may be asked for that could not be decrypted, and a sent one is kept for that; 0 never."""
    master_key_file: str = ""
    """Where the master key is; the file `master.key` in the home where empty."""
    clock: Clock = unix_ms
    random: Random = os.urandom


class Profile:
    """One phone's home, opened and locked. Constructed by `open` only."""

    def __init__(self, database: Database, vault: Vault, options: Options, lock: TextIO | None = None) -> None:
        self.database = database
        self.options = options
        self.clock = options.clock
        self.refill = Refill(options.random, DEVICE_SPARE_KEYS)
        self.random = self.refill.keys
        self.keys = KeyStore(database, vault)
        self.inbox = InboxStore(database, vault)
        self.outbox = OutboxStore(database, vault)
        self.resends = ResendStore(database, vault)
        self.book = Book(options.resend_hours * HOUR_MS)
        self.directory = Directory(PeerStore(database, vault))
        self.groups = GroupDirectory(GroupStore(database, vault))
        self._lock = lock
        self._account: Account | None = None
        self._is_newest = False
        """The relay has agreed, to this process, that no copy of this home went on after it."""

    @classmethod
    async def open(cls, home: Path, number: str, options: Options) -> "Profile":
        """Open or make the home of *number*; raise `SetupError`, `NumberInvalid`.

        Without a *number* it is opened for whom it belongs to, and may have no account yet.
        """
        number = canonical_number(number) if number else ""
        lock = await asyncio.to_thread(lock_directory, home)
        try:
            key_file = Path(options.master_key_file) if options.master_key_file else home / "master.key"
            vault = Vault(load_master_key(key_file, options.random), options.random)
            database = await open_sqlite(home / "phone.sqlite", load_migrations("corefast.device.store"))
        except BaseException:
            lock.close()
            raise
        profile = cls(database, vault, options, lock)
        try:
            await profile._load(number)
        except BaseException:
            await profile.close()
            raise
        return profile

    @property
    def account(self) -> Account:
        assert self._account is not None, "Profile.open loads the account"
        return self._account

    @property
    def has_account(self) -> bool:
        return self._account is not None

    @property
    def name(self) -> str:
        """The profile name that goes with each message."""
        return self.options.name or self.account.name

    @property
    def own(self) -> OwnKeys:
        return self.account.own

    def bars(self, peer: KnownPeer) -> bool:
        """Tell whether *peer* gets nothing before the user has accepted its identity key."""
        return not peer.is_accepted and self.options.identity_policy is Policy.BLOCK

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Whoever changes sessions or prekeys does it, and its commit, in here, one at a time.

        So memory is never ahead of two commits. After an error it is again as the store is.
        """
        async with self.directory.turn:
            try:
                yield
            except BaseException:
                with contextlib.suppress(CorefastError):
                    await self.database.commit(Unit())  # behind a commit that goes on although its task was cancelled
                self.directory.forget()
                self.groups.forget()
                self._account = await self.keys.load()
                raise
            self.directory.trim()
            self.groups.trim()

    async def commit_encrypted(self, unit: Unit) -> list[Rows]:
        """Commit, within a turn, a unit that encrypted something; an older copy of this home has counted fewer.

        It counts once the relay has agreed that this home is the newest: nothing leaves before, and a copy that
        encrypts on its own must not catch up.
        """
        if not self._is_newest:
            return await self.database.commit(unit)
        commit_seq = self.account.commit_seq + 1
        self.keys.save_commit_seq(unit, commit_seq)
        returned = await self.database.commit(unit)
        self._account = self.account._replace(commit_seq=commit_seq)
        return returned

    async def begin_move(self) -> None:
        """Have a token for the next attach: committed before the relay hears of it, so a crash between is a retry."""
        async with self.turn():
            if not self.account.next_token:
                next_token, unit = self.random(_TOKEN_BYTES), Unit()
                self.keys.save_tokens(unit, self.account.token, next_token)
                await self.database.commit(unit)
                self._account = self.account._replace(next_token=next_token)

    async def end_move(self) -> None:
        """Note that the relay knows us by the new token, before anything is posted; it counts."""
        async with self.turn():
            token, commit_seq, unit = self.account.next_token, self.account.commit_seq + 1, Unit()
            self.keys.save_tokens(unit, token, b"")
            self.keys.save_commit_seq(unit, commit_seq)
            await self.database.commit(unit)
            self._account = self.account._replace(token=token, next_token=b"", commit_seq=commit_seq)
            self._is_newest = True

    async def set_registered(self, at_ms: int, device: int) -> None:
        """Remember that the relay knows us, as *device* of the number."""
        unit = Unit()
        self.keys.save_registered(unit, at_ms, device)
        await self.database.commit(unit)
        self._account = self.account._replace(registered_ms=at_ms, device=device, meeting=b"")

    async def set_others(self, others: int) -> None:
        """Remember how many further devices our number has."""
        if others != self.account.others:
            unit = Unit()
            self.keys.save_others(unit, others)
            await self.database.commit(unit)
            self._account = self.account._replace(others=others)

    async def adopt(self, handover: Handover, link_key: bytes, own: OwnKeys, meeting: bytes) -> None:
        """Have an empty home begin as a device of somebody's number, to be linked in the slot *meeting*."""
        unit = Unit()
        self.keys.create(unit, Account(handover.number, 0, link_key, own, 0, meeting, handover.name))
        self.directory.put_identities(unit, handover.peers)
        await self.database.commit(unit)
        self._account = await self.keys.load()

    async def abandon(self) -> None:
        """Forget an account whose linking came to nothing."""
        unit = Unit()
        self.keys.abandon(unit)
        await self.database.commit(unit)
        self.directory.forget()
        self._account = None

    async def close(self) -> None:
        await self.database.close()
        self.refill.keys.wipe()
        if self._lock is not None:
            self._lock.close()

    async def _load(self, number: str) -> None:
        self._account = await self.keys.load()
        if self._account is None and number:
            unit = Unit()
            self.keys.create(unit, Account(number, 0, self.random(LINK_KEY_BYTES), OwnKeys.new(self.random)))
            await self.database.commit(unit)
            self._account = await self.keys.load()
        if number and self.account.number != number:
            raise SetupError(f"this home belongs to +{self.account.number}; choose another --home for another number")
        if self.options.adopt_restored and self._account is not None:
            await self._adopt_restored()
        await self.resends.load(self.book)
        await self.sweep()

    async def _adopt_restored(self) -> None:
        """Begin anew with everybody: another copy may have gone on with the sessions and prekeys that are here."""
        unit = Unit()
        self.directory.drop_sessions(unit)
        self.keys.drop_one_time(unit)
        self.outbox.drop_parts(unit)
        self.groups.store.drop_chains(unit)
        self.keys.save_tokens(unit, b"", b"")
        await self.database.commit(unit)
        self._account = await self.keys.load()

    async def sweep(self) -> None:
        """Forget what is too old to be of use."""
        now_ms, unit = self.clock(), Unit()
        self.inbox.sweep(unit, now_ms)
        self.outbox.sweep(unit, now_ms - self.book.life_ms)
        self.resends.sweep(unit, now_ms - self.book.life_ms, now_ms - 2 * HOUR_MS)
        for ask in self.book.old(now_ms):
            self.book.remove(ask)
            self.resends.delete_ask(unit, ask)
        await self.database.commit(unit)
