"""Puts the core together, and takes it apart in order."""

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

from corefast import metrics
from corefast.address import canonical_number
from corefast.core.account.apikeys import ApiKeys
from corefast.core.account.duties import Duties
from corefast.core.account.peers import Peers
from corefast.core.account.place import Claim, Place
from corefast.core.account.retention import Retention
from corefast.core.account.stock import Stock
from corefast.core.account.users import Users
from corefast.core.config import CoreConfig, MigrateConfig
from corefast.core.context import Context
from corefast.core.feed.deliveries import Schedule
from corefast.core.feed.events import Feed
from corefast.core.gateway import Gateway, Operations, Service
from corefast.core.opening import open_context
from corefast.core.receive.inbound import Inbound
from corefast.core.receive.reading import Reading
from corefast.core.secrets import load_secrets
from corefast.core.send.idempotency import Claims
from corefast.core.send.lane import Lanes
from corefast.core.send.outbox import Outbox
from corefast.core.send.preparer import Preparer
from corefast.core.send.resender import Resender
from corefast.core.send.results import Results
from corefast.core.send.sender import Sender
from corefast.core.send.status import Statuses
from corefast.core.settings.certificates import Certificates
from corefast.core.settings.service import Settings
from corefast.core.store.apikeys import ApiKeyStore
from corefast.core.store.keys import AccountRow
from corefast.core.store.settings import SettingStore
from corefast.core.store.templates import TemplateStore
from corefast.core.store.users import UserStore
from corefast.core.template.templates import Templates
from corefast.endpoint.resend import HOUR_MS
from corefast.endpoint.trust import Policy
from corefast.endpoint.vault import Vault, load_master_key
from corefast.errors import CorefastError, NumberInvalid, Overloaded, SetupError
from corefast.link.secure import initiator_ik, responder_psk
from corefast.logs import get_logger
from corefast.net.client import parse_relay_url
from corefast.net.reconnect import Reconnecting
from corefast.net.server import Server, serve
from corefast.net.transport import Handler, Peer
from corefast.process import announce, lock_directory
from corefast.store.database import Unit
from corefast.store.opening import Location, open_database
from corefast.wire.codec import gateway_codec, relay_codec

log = get_logger()

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
    """One core over one database. Made by `open`, reachable after `listen`."""

    def __init__(self, config: CoreConfig, folder: Path, context: Context, account: AccountRow, vault: Vault) -> None:
        self._config = config
        self._folder = folder
        self.context = context
        self._account = account
        self.keys = ApiKeys(context, ApiKeyStore(context.database, vault))
        self.users = Users(context, UserStore(context.database, vault))
        self.templates = Templates(context, TemplateStore(context.database, vault))
        self._setting_store = SettingStore(context.database, vault, context.random)
        self._relay_url = parse_relay_url(config.relay)
        self._server: Server | None = None
        self.on_stopped: Callable[[str], None] = lambda refusal: None
        """Called with the reason when the account takes no more messages and only the operator can help."""
        self._duties: list[asyncio.Task[None]] = []
        self._make_parts()
        self._connect_parts()

    @classmethod
    async def open(cls, folder: Path, config: CoreConfig, clock: Callable[[], int] = unix_ms) -> "Core":
        """Return a core that knows what its database knows; on the first start the keys are made."""
        parse_relay_url(config.relay)
        number = _own_number(config)
        master_key = load_master_key(config.master_key_file or folder / MASTER_KEY, os.urandom)
        vault = Vault(master_key, os.urandom)
        database = await open_database(location_of(config), f"core {SHARD}")
        try:
            context, account = await open_context(database, vault, number, SHARD, clock, os.urandom)
            context.identity_policy = Policy(config.identity_policy)
            core = cls(config, folder, context, account, vault)
            await core._load()
            return core
        except BaseException:
            await database.close()
            raise

    def _make_parts(self) -> None:
        context = self.context
        self.feed = Feed(context)
        self.schedule = Schedule(context, self.feed)
        self.lanes = Lanes(context)
        self.outbox = Outbox(context, self.lanes)
        statuses = Statuses(context)
        self.preparer = Preparer(context, self.lanes, self.outbox, statuses)
        self.resender = Resender(context, self.lanes, self.preparer)
        self.results = Results(context, self.lanes, self.outbox, self.preparer, statuses, self.resender)
        self.inbound = Inbound(context, self.lanes, statuses, self.resender)
        claims = Claims(context, self._account.id_key)
        self.peers = Peers(context, self.lanes)
        self.sender = Sender(context, self.lanes, self.outbox, self.preparer, claims, self.templates)
        self.stock = Stock(context)
        given = self._config
        claim = Claim(given.code, given.pin, given.shards, given.adopt_restored, given.replace)
        self.place = Place(context, self._account, claim, self.stock)
        retention = Retention(context, given.keep_messages_days)
        self.settings = Settings(context, self._setting_store, self.schedule, given.webhook)
        self.certificates = Certificates(context, self._setting_store, self.schedule)
        self.duties = Duties(context, self.feed, self.schedule, self.stock, self.users, self.resender, retention)

    def _connect_parts(self) -> None:
        place = self.place
        place.on_results = self.results.take
        place.on_items = lambda peer, message: self.inbound.deliver(peer, message.items)
        place.on_attached += [self.outbox.attached, self.preparer.attached, self.resender.attached, self._attached]
        place.on_lost += [self.outbox.lost, self.preparer.lost, self.resender.lost, self._lost]
        place.on_superseded.append(self._superseded)
        place.on_refused = lambda: self._stop_relay(self.place.refusal)
        url = self._relay_url
        handshake = initiator_ik(self._account.link_key, url.key)
        self.relay = Reconnecting(url.host, url.port, handshake, relay_codec, place, on_open=place.open)

    async def _load(self) -> None:
        """Bring into memory what outlived the last process."""
        self.context.database.on_batch(_measure)
        if self._config.adopt_restored:
            await self.place.adopt()
        await self.feed.load()
        await self.schedule.load()
        await self.keys.load()
        await self.templates.load()
        await self.users.load(self._config.admin_password, is_compatible=self._config.compat_first_login)
        self.context.book.life_ms = self._config.resend_hours * HOUR_MS
        await self.context.resends.load(self.context.book)
        for row in await self.context.messages.load_waiting():
            lane = self.lanes.get(row.number)
            lane.peer = row.peer
            self.lanes.count(lane, 1)
            if row.is_bare:
                lane.waiting.append(row.message)
        self.settings.on_changed.append(self.certificates.load)
        services: list[Service] = [
            self.keys,
            self.peers,
            self.users,
            Reading(self.context, self.sender),
            self.templates,
            self.settings,
            self.certificates,
        ]
        self.gateway = Gateway(self.context, self.sender, self.feed, self.schedule, services)
        await self.settings.load()

    async def listen(self, host: str, port: int) -> int:
        """Serve the gateway, start the link to the relay, and return the port."""
        front = load_secrets(self._folder / FRONT_SECRET, os.urandom)
        emitter = load_secrets(self._folder / WEBHOOKS_SECRET, os.urandom)
        self.operations = Operations(self.context, self.place, self.lanes, self.schedule)
        handlers: list[Handler] = [self.gateway.front(self.operations)] * len(front)
        handlers += [self.gateway.emitter(self.operations)] * len(emitter)

        def accept(peer: Peer) -> Handler:
            assert peer.psk_index is not None
            return handlers[peer.psk_index]

        secrets = responder_psk([*front, *emitter])
        self._server = await serve(host, port, secrets, gateway_codec, accept, max_connections=MAX_CONNECTIONS)
        if self.place.is_superseded:
            self._superseded()
        else:
            self.relay.start()
        self._duties = [asyncio.create_task(each.run(asyncio.sleep)) for each in (self.duties, self.settings)]
        return self._server.port

    async def close(self) -> None:
        """Accept nothing more, let what is under way become durable and answered, and let go of the files."""
        self.sender.refusal = "the core is shutting down"
        if self._server is not None:
            self.operations.is_draining = True
            await self._drain()
            await self._server.close(Overloaded("the core is shutting down"))
        for duty in self._duties:
            duty.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await duty
        await self.relay.close()
        self.lanes.close()
        await self.context.database.close()

    async def _drain(self) -> None:
        """Wait for the commits, and so the answers, of all calls that were accepted: units commit in order."""
        with contextlib.suppress(CorefastError, TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self.context.database.commit(Unit())

    def _attached(self, peer: Peer) -> None:
        self.duties.peer = peer

    def _lost(self) -> None:
        self.duties.peer = None

    def _superseded(self) -> None:
        self.outbox.clear()
        for lane in self.lanes.all():
            self.lanes.spoil(lane)
        self._stop_relay(
            "another copy of this account, or another owner of its number, is at the relay; "
            "--adopt-restored lets this one go on in its place (with --replace for another owner)"
        )

    def _stop_relay(self, reason: str) -> None:
        """Refuse sends and leave the relay alone until the operator starts the core again."""
        self.sender.refusal = reason
        self.on_stopped(reason)
        self._closing = asyncio.get_running_loop().create_task(self.relay.close())


def _own_number(config: CoreConfig) -> str:
    if config.shards != 1:
        raise SetupError("--shards: this release runs an account in one shard")
    try:
        return canonical_number(config.number)
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
            refusal = core.sender.refusal
            first = {"first_password": core.users.first_password} if core.users.first_password else {}
            announce(ready="core", listen=f"{shown}:{port}", number=core.context.number, refusal=refusal, **first)
            core.on_stopped = lambda refusal: announce(event="stopped", refusal=refusal)
            await stop.wait()
        finally:
            await core.close()
    finally:
        lock.close()
