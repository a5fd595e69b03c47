"""Puts the relay together, keeps its slow clockwork going, and takes it apart in order."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from corefast.errors import SetupError
from corefast.link.secure import responder_ik
from corefast.logs import get_logger
from corefast.net.client import format_relay_url
from corefast.net.server import Server, serve
from corefast.process import announce, lock_directory
from corefast.relay import presence
from corefast.relay.admission import Admission, Mode
from corefast.relay.attachment import Attachments
from corefast.relay.beat import Beat
from corefast.relay.blob import open_files
from corefast.relay.config import CodeConfig, MigrateConfig, RelayConfig, is_loopback, split_address
from corefast.relay.files import Files
from corefast.relay.gauge import Gauges
from corefast.relay.identity import load_key
from corefast.relay.journal import Journal
from corefast.relay.linking import Linking
from corefast.relay.mailbox import SHARD_BITS, Device
from corefast.relay.prekeys import PreKeys
from corefast.relay.quota import Rates
from corefast.relay.registry import Registration, Registry
from corefast.relay.router import Router
from corefast.relay.service import Service, tell_devices, tell_low
from corefast.relay.slot import Slots
from corefast.relay.store.account import AccountStore
from corefast.relay.store.attachment import AttachmentStore
from corefast.relay.store.blob import BlobStore
from corefast.relay.store.code import CodeStore
from corefast.relay.store.mailbox import MailboxStore
from corefast.relay.store.prekey import PreKeyStore
from corefast.relay.sweep import Sweep, mailboxes_of
from corefast.store.database import Database, Unit
from corefast.store.opening import Location, open_database
from corefast.wire.codec import relay_codec

DATABASE = "relay.sqlite"
KEY = "relay.key"
BLOBS = "blobs"
MEGABYTE = 1_048_576

PULSE_S = 1.0
"""How far the disk may be behind with commit numbers, and metrics behind the truth."""

SWEEP_S = 60.0

_log = get_logger("corefast.relay")


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


def location_of(config: RelayConfig | CodeConfig | MigrateConfig) -> Location:
    """Return where the settings say that the database is; raise `SetupError` where they do not."""
    if not (config.database or config.data_dir):
        raise SetupError("say where the database is, with --database or --data-dir")
    file = Path(config.data_dir) / DATABASE
    return Location(config.database, config.database_password, file, "corefast.relay.store")


class Relay:
    """One relay over one database. Made by `open`, reachable after `listen`."""

    def __init__(self, folder: Path, config: RelayConfig, database: Database, clock: Callable[[], int]) -> None:
        self._config = config
        self._folder = folder
        self._database = database
        self._clock = clock
        self._key = load_key(folder / KEY, os.urandom)
        self._journal = Journal(config.journal) if config.journal else None
        self._mailboxes = MailboxStore(database)
        self._beat = Beat(clock)
        self._server: Server | None = None
        self._chores: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, folder: Path, config: RelayConfig, clock: Callable[[], int] = unix_ms) -> "Relay":
        """Return a relay that knows everything its database knows."""
        relay = cls(folder, config, await open_database(location_of(config), "relay"), clock)
        try:
            await relay._load()
        except BaseException:
            await relay._database.close()
            raise
        return relay

    async def _load(self) -> None:
        put = self._journal.put if self._journal is not None else None
        next_seq = await self._mailboxes.last_seq() + 1
        self._router = Router(self._mailboxes, self._clock, self._beat.wake, next_seq=next_seq, journal=put)
        self._beat.drive(self._router)
        accounts = AccountStore(self._database)
        self._registry = Registry(accounts, self._router.accounts, self._router.devices)
        await self._registry.load()
        keys = PreKeyStore(self._database)
        self._prekeys = PreKeys(keys, await keys.last_position(), tell_low)
        self._attachments = Attachments(await AttachmentStore(self._database).load())
        self._database.set_prelude(self._attachments.take_changes)
        self._database.on_batch(lambda units, seconds: self._attachments.committed())
        self._codes = CodeStore(self._database)
        mode = Mode(self._config.registration)
        self.admission = Admission(mode, self._codes, accounts, self._clock, os.urandom)
        self._sweep = Sweep(self._mailboxes, self._router, self._clock)
        self._gauges = Gauges(self._router)
        self._database.on_batch(self._gauges.batch)
        self._blobs = open_files(self._config.blob_store, self._folder / BLOBS, os.urandom)
        self._files = self._make_files()
        await self._files.load()
        self._service = self._make_service()
        await self._restore_mailboxes()

    def _make_files(self) -> Files:
        quotas = (self._config.blob_quota_mb * MEGABYTE, self._config.blob_quota_core_mb * MEGABYTE)

        def is_core(device: Device) -> bool:
            return self._attachments.is_core(device.row)

        return Files(self._blobs, BlobStore(self._database), self._registry, is_core, quotas, self._clock)

    def _make_service(self) -> Service:
        registration = Registration(self._registry, self.admission, self._prekeys, self._database, self._on_replaced)
        self._linking = Linking(
            self._registry, registration, self._prekeys, self._database, self._on_unlinked, self._clock()
        )
        return Service(
            database=self._database,
            router=self._router,
            registry=self._registry,
            registration=registration,
            linking=self._linking,
            slots=Slots(self._clock, os.urandom),
            admission=self.admission,
            prekeys=self._prekeys,
            attachments=self._attachments,
            rates=Rates.of(self._config),
            files=self._files,
            clock=self._clock,
        )

    async def _restore_mailboxes(self) -> None:
        """Learn how full each mailbox is, and go on telling whoever wrote to a device that was replaced."""
        orphaned: list[int] = []
        dropped: list[int] = []
        for mailbox, items, size in await self._mailboxes.counts():
            self._router.restore(mailbox, items, size)
            row = mailbox >> SHARD_BITS
            if self._router.devices[row].is_gone:
                (dropped if self._registry.is_unlinked(row) else orphaned).append(mailbox)
        if orphaned:
            self._start(self._guard(self._sweep.fail(orphaned)))
        if dropped:
            self._start(self._guard(self._sweep.drop(dropped)))

    async def listen(self, host: str, port: int) -> str:
        """Serve on *host* and *port*, start the clockwork, and return the relay's URL."""
        self._server = await serve(
            host,
            port,
            responder_ik(self._key.private),
            relay_codec,
            self._service.accept,
            max_connections=self._config.max_connections,
        )
        self._start(self._pulse())
        self._start(self._keep_sweeping())
        public = split_address(self._config.public, "--public") if self._config.public else None
        return format_relay_url(*(public or (host, self._server.port)), self._key.public[1:])

    async def close(self) -> None:
        """Hang up, write what clients had not acked and how far senders have come, and let go of the files."""
        if self._server is not None:
            await self._server.close()
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self._beat.stop()
        self._router.flush()
        await self._write_changes()
        await asyncio.to_thread(self._blobs.close)
        await self._database.close()
        if self._journal is not None:
            self._journal.close()

    # ── the clockwork ──────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, chore: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def _on_replaced(self, devices: list[Device]) -> None:
        """Cut off devices whose number has a new owner; what waits for them is reported once it is on the disk."""
        mailboxes = []
        for device in devices:
            presence.evict(device, range(device.account.shards), "number.taken")
            mailboxes += mailboxes_of(device.row, device.account.shards)
        self._router.when_written(lambda: self._start(self._guard(self._sweep.fail(mailboxes))))

    def _on_unlinked(self, device: Device) -> None:
        """Cut a device off that is none of its number's any more; nobody waits for what waits for it."""
        mailboxes = mailboxes_of(device.row, device.account.shards)
        presence.evict(device, range(device.account.shards), "device.unlinked")
        tell_devices(device.account)
        self._router.when_written(lambda: self._start(self._guard(self._sweep.drop(mailboxes))))

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(PULSE_S)
            self._gauges.update()
            await self._guard(self._write_changes())

    async def _write_changes(self) -> None:
        """Make the commit numbers durable that no other transaction took along."""
        if self._attachments.is_changed:
            await self._database.commit(Unit())

    async def _keep_sweeping(self) -> None:
        while True:
            await self._guard(self.sweep())
            await asyncio.sleep(SWEEP_S)

    async def sweep(self) -> None:
        """Let everything pass whose time is over."""
        self._gauges.expired(await self._sweep.expire())
        await self._codes.expire(self._clock())
        await self._linking.drop_absent(self._clock())
        await self._files.sweep()

    async def _guard(self, chore: Coroutine[None, None, None]) -> None:
        """A chore that fails is logged and done again next time: in the next round, or after the next start."""
        try:
            await chore
        except Exception as error:
            _log.warning("a chore failed", error=getattr(error, "code", type(error).__name__))


async def main(config: RelayConfig, stop: asyncio.Event) -> None:
    """Serve until *stop*."""
    host, port = split_address(config.listen, "--listen")
    if Mode(config.registration) is Mode.OPEN and not is_loopback(host):
        raise SetupError("--registration open gives any number to anybody: it is for loopback only; use code here")
    folder = Path(config.data_dir)
    with lock_directory(folder):
        relay = await Relay.open(folder, config)
        try:
            announce(ready="relay", url=await relay.listen(host, port))
            await stop.wait()
        finally:
            await relay.close()
