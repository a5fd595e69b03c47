"""Puts the core together, and takes it apart in order."""

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corefast import metrics
from corefast.address import canonical_number
from corefast.core.account.apikeys import ApiKeys
from corefast.core.account.directory import Directory
from corefast.core.account.place import Claim
from corefast.core.account.registration import Registrations
from corefast.core.account.users import Users
from corefast.core.business import Business, Given, Service
from corefast.core.config import CoreConfig, MigrateConfig
from corefast.core.context import Process
from corefast.core.feed.rota import Rota
from corefast.core.gateway import Gateway, Operations
from corefast.core.opening import load_account, make_account, open_context, open_process
from corefast.core.secrets import load_secrets
from corefast.core.settings.backups import RESTORED, read_backup, restore_account
from corefast.core.settings.certificates import Certificates
from corefast.core.settings.watch import Watch
from corefast.core.stats import Stats
from corefast.core.store.apikeys import ApiKeyStore
from corefast.core.store.keys import AccountRow, KeyStore, find_account, load_accounts
from corefast.core.store.settings import SettingStore
from corefast.core.store.span import FIRST_ACCOUNT
from corefast.core.store.users import UserStore
from corefast.core.task import end
from corefast.endpoint.refill import Refill
from corefast.endpoint.vault import Vault, load_master_key
from corefast.errors import AccountRegistered, CorefastError, NumberInvalid, Overloaded, SetupError
from corefast.limits import CORE_SPARE_KEYS, MAX_ACCOUNTS
from corefast.link.secure import responder_psk
from corefast.net.client import parse_relay_url
from corefast.net.server import Server, serve
from corefast.net.sweep import swept
from corefast.net.transport import Handler, Peer
from corefast.process import announce, lock_directory
from corefast.store.database import Unit
from corefast.store.opening import Location, open_database
from corefast.wire.codec import gateway_codec
from corefast.wire.settings import RestoreBackup, Restored

SHARD = 0
DATABASE, MASTER_KEY, FRONT_SECRET, WEBHOOKS_SECRET = "core.sqlite", "master.key", "front.secret", "webhooks.secret"
DRAIN_S = 1.5
"""How long answers that are under way may take once the core is told to stop."""

MAX_CONNECTIONS = 256


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


def location_of(config: CoreConfig | MigrateConfig) -> Location:
    """Return where the settings say that the database is; raise `SetupError` where they do not."""
    if not (config.database or config.data_dir):
        raise SetupError("say where the database is, with --database or --data-dir")
    file = Path(config.data_dir) / DATABASE
    return Location(config.database, config.database_password, file, "corefast.core.store")


class Core:
    """One core over one database, with the accounts in it. Made by `open`, reachable after `listen`."""

    def __init__(self, config: CoreConfig, folder: Path, process: Process, number: str, refill: Refill) -> None:
        self._config = config
        self._number = number
        self._folder = folder
        self.process = process
        self.refill = refill
        self.directory = Directory()
        self.rota = Rota()
        self.keys = ApiKeys(process, ApiKeyStore(process.database, process.vault), self.directory)
        self.users = Users(process, UserStore(process.database, process.vault), self.directory)
        self._businesses: dict[str, Business] = {}
        self._server: Server | None = None
        self.on_stopped: Callable[[str, str], None] = lambda number, refusal: None
        """Called with the reason when a number takes no more messages and only the operator can help."""
        self._settings = SettingStore(process.database, process.vault, process.random)
        self.certificates = Certificates(process, self._settings, self.rota)
        self.watch = Watch(self._settings, self.certificates, lambda: [each.settings for each in self.all()])
        self._watching: asyncio.Task[None] | None = None
        self._joining = asyncio.Lock()
        self.registrations = Registrations(process, self._settings, self)
        self.stats = Stats(process, self.all, self.rota, folder)
        services: list[Service] = [self.keys, self.users, self.certificates, self.registrations, self.stats, self]
        self.gateway = Gateway(self, self.rota, services)
        self.operations = Operations(process, self, self.rota)

    @classmethod
    async def open(cls, folder: Path, config: CoreConfig, clock: Callable[[], int] = unix_ms) -> "Core":
        """Return a core that knows what its database knows; on the first start the keys are made."""
        parse_relay_url(config.relay)
        number = _own_number(config)
        master_key = load_master_key(config.master_key_file or folder / MASTER_KEY, os.urandom)
        vault = Vault(master_key, os.urandom)
        database = await open_database(location_of(config), f"core {SHARD}")
        try:
            refill = Refill(os.urandom, CORE_SPARE_KEYS)
            process = await open_process(database, vault, SHARD, clock, refill.keys)
            database.on_batch(_measure)
            core = cls(config, folder, process, number, refill)
            await core._load()
            return core
        except BaseException:
            await database.close()
            raise

    # ── accounts ───────────────────────────────────────────────────────────────────────────────────────────────────

    def all(self) -> list[Business]:
        return list(self._businesses.values())

    def find(self, named: str) -> Business:
        """Return the account of that number, or the only one; raise `AccountUnknown` or `ParameterMissing`."""
        business = self._businesses.get(named)
        return self._businesses[self.directory.resolve(named)] if business is None else business

    async def _load(self) -> None:
        """Bring into memory what outlived the last process, and make the account of --number where it is missing."""
        number = self._number
        for account in await load_accounts(self.process.database):
            keys = self._key_store(account)
            row = await load_account(keys)
            if row is not None:
                business = await self._open(keys, row)
                if row.number == number or not await self.registrations.is_waiting(business):
                    self._add(business)
        if number and number not in self._businesses:
            if self._businesses:
                raise SetupError(
                    "--number: the data folder belongs to another number; choose another folder, "
                    "or leave --number out and add the number with POST /v1/account"
                )
            self._add(await self.make(number))
        await self.keys.load()
        await self.users.load(self._config.admin_password, is_compatible=self._config.compat_first_login)
        await self.certificates.load()

    def _key_store(self, account: int) -> KeyStore:
        return KeyStore(self.process.database, self.process.vault, account)

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what the core itself serves: what is about no account that is here yet."""
        return {RestoreBackup: self.restore}

    async def restore(self, request: RestoreBackup) -> Restored:
        """Add the account of a backup and put it to work; the original, where there is one still, is cut off."""
        kept = await read_backup(request)
        async with self._joining:
            if await find_account(self.process.database, kept.number) is not None:
                raise AccountRegistered("the number of this backup is here already; restore it into another core")
            keys = await self._new_keys()
            row = await restore_account(self.process, keys, self._settings, kept)
            business = await self._open(keys, row)
            self._add(business)
        if self._server is not None:
            business.start()
        return Restored(kept.number)

    async def _new_keys(self) -> KeyStore:
        account = max(await load_accounts(self.process.database), default=FIRST_ACCOUNT - 1) + 1
        if account > MAX_ACCOUNTS:
            raise Overloaded(f"a core has at most {MAX_ACCOUNTS} numbers", retry_after_ms=60_000)
        return self._key_store(account)

    async def make(self, number: str) -> Business:
        """Return an account for *number*, with new keys unless an earlier try has made them; it takes no part yet."""
        async with self._joining:
            if number in self._businesses:
                raise AccountRegistered("the number is here already")
            known = await find_account(self.process.database, number)
            keys = await self._new_keys() if known is None else self._key_store(known)
            row = await load_account(keys) or await make_account(self.process, keys, number)
        return await self._open(keys, row)

    def serving(self, number: str) -> Business | None:
        return self._businesses.get(number)

    def serve(self, business: Business) -> None:
        """Let an account take part, from now on."""
        self._add(business)
        business.start()

    async def _open(self, keys: KeyStore, row: AccountRow) -> Business:
        context = await open_context(self.process, keys, row)
        is_restored = await self._settings.load(keys.account, RESTORED) is not None
        given = self._given(row.number, is_restored)
        business = Business(self._config, context, row, given, self.rota, [self.users.sweep])
        business.on_stopped = lambda refusal: self.on_stopped(row.number, refusal)
        await business.load()
        return business

    def _add(self, business: Business) -> None:
        context = business.context
        self._businesses[context.number] = business
        self.directory.add(context.account, context.number)

    def _given(self, number: str, is_restored: bool) -> Given:
        """Return what the operator said of a number; code, pin and webhook are those of --number."""
        given = self._config
        adopt = given.adopt_restored or is_restored
        if number != self._number:
            return Given(Claim(shards=given.shards, adopt=adopt), is_restored=is_restored)
        claim = Claim(given.code, given.pin, given.shards, adopt, given.replace)
        return Given(claim, given.webhook, is_restored)

    # ── serving ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def listen(self, host: str, port: int) -> int:
        """Serve the gateway, start the links to the relay, and return the port."""
        front = load_secrets(self._folder / FRONT_SECRET, os.urandom)
        emitter = load_secrets(self._folder / WEBHOOKS_SECRET, os.urandom)
        handlers: list[Handler] = [self.gateway.front(self.operations)] * len(front)
        handlers += [self.gateway.emitter(self.operations)] * len(emitter)

        def accept(peer: Peer) -> Handler:
            assert peer.psk_index is not None
            return handlers[peer.psk_index]

        secrets = responder_psk([*front, *emitter])
        self._server = await serve(host, port, secrets, gateway_codec, accept, max_connections=MAX_CONNECTIONS)
        for business in self.all():
            business.start()
        self._watching = asyncio.create_task(self.watch.run(asyncio.sleep))
        return self._server.port

    async def close(self) -> None:
        """Accept nothing more, let what is under way become durable and answered, and let go of the files."""
        for business in self.all():
            business.sender.refusal = "the core is shutting down"
        if self._server is not None:
            self.operations.is_draining = True
            await self._drain()
            await self._server.close(Overloaded("the core is shutting down"))
        if self._watching is not None:
            await end(self._watching)
        for business in self.all():
            await business.close()
        await self.registrations.close()
        await self.process.database.close()
        self.refill.keys.wipe()

    async def _drain(self) -> None:
        """Wait for the commits, and so the answers, of all calls that were accepted: units commit in order."""
        with contextlib.suppress(CorefastError, TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self.process.database.commit(Unit())


def _own_number(config: CoreConfig) -> str:
    """Return the number that the core is started with; nothing where it has only those of its database."""
    if config.shards != 1:
        raise SetupError("--shards: this release runs an account in one shard")
    try:
        return canonical_number(config.number) if config.number else ""
    except NumberInvalid as error:
        raise SetupError(f"--number {config.number!r}: {error}") from None


def _measure(units: int, seconds: float) -> None:
    _COMMITS.inc()
    metrics.store_commit_units.observe(units)
    metrics.store_commit_seconds.observe(seconds)


_COMMITS = metrics.store_commits.labels("done")


def _calm_collector() -> None:
    """Look for cycles rarely: a message makes none, and each search walks every session and queued message."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


async def main(config: CoreConfig, stop: asyncio.Event) -> None:
    """Run a core until *stop*."""
    host, port = config.address()
    folder = Path(config.data_dir)
    lock = lock_directory(folder)
    try:
        core = await Core.open(folder, config)
        try:
            port = await core.listen(host, port)
            shown = f"[{host}]" if ":" in host else host
            _calm_collector()
            refusal = next((business.sender.refusal for business in core.all() if business.sender.refusal), "")
            first = {"first_password": core.users.first_password} if core.users.first_password else {}
            numbers = ", ".join(core.directory.numbers)
            announce(ready="core", listen=f"{shown}:{port}", number=numbers, refusal=refusal, **first)
            core.on_stopped = lambda number, refusal: announce(event="stopped", number=number, refusal=refusal)
            with swept(core.refill):
                await stop.wait()
        finally:
            await core.close()
    finally:
        lock.close()
