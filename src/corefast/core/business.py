"""One account of a core: its number, its place at the relay, and all that is sent and received under it."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from corefast.core.account.collection import Collection
from corefast.core.account.duties import Chore, Duties
from corefast.core.account.peers import Peers
from corefast.core.account.place import Claim, Place
from corefast.core.account.retention import Retention
from corefast.core.account.stock import Stock
from corefast.core.config import CoreConfig
from corefast.core.contact.contacts import Contacts
from corefast.core.context import Context
from corefast.core.feed.deliveries import Schedule
from corefast.core.feed.events import Feed
from corefast.core.feed.rota import Rota
from corefast.core.feed.webhooks import Webhooks
from corefast.core.group.broadcast import Broadcast
from corefast.core.group.founding import Founding
from corefast.core.media.files import Files
from corefast.core.media.folder import Folder
from corefast.core.media.link import MediaLink
from corefast.core.media.media import Media
from corefast.core.message import Messages
from corefast.core.receive.inbound import Inbound
from corefast.core.receive.reading import Reading
from corefast.core.send.idempotency import Claims
from corefast.core.send.lane import Lanes
from corefast.core.send.outbox import Outbox
from corefast.core.send.preparer import Preparer
from corefast.core.send.resender import Resender
from corefast.core.send.results import Results
from corefast.core.send.sender import Sender
from corefast.core.send.status import Statuses
from corefast.core.settings.backups import RESTORED, Backups
from corefast.core.settings.profile import Profile
from corefast.core.settings.service import Settings
from corefast.core.store.keys import AccountRow
from corefast.core.store.settings import SettingStore
from corefast.core.store.templates import TemplateStore
from corefast.core.task import end
from corefast.core.template.templates import Templates
from corefast.endpoint.resend import HOUR_MS
from corefast.endpoint.trust import Policy
from corefast.errors import CorefastError, RelayAway, RemoteRefused
from corefast.link.secure import initiator_ik
from corefast.net.client import connect, parse_relay_url
from corefast.net.reconnect import Reconnecting
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.codec import relay_codec
from corefast.wire.messages import SetPin
from corefast.wire.registration import GetShards, SetTwoStep, Shards, TwoStepSet
from corefast.wire.stats import Litter

SHARDS = 1
"""Parts that an account's peers are split into; this release knows no other number."""

MEDIA = "media"
MEGABYTE = 1_048_576


class Service(Protocol):
    """A family of messages that fronts may send, each with the function that answers it."""

    def functions(self) -> dict[type, Callable[[Any], Any]]: ...


class Given(NamedTuple):
    """What the operator said of an account at the start: for its registration, and where its webhook is."""

    claim: Claim
    webhook: str = ""
    is_restored: bool = False
    """Made of a backup, and not attached since."""


class Business:
    """An account at work: loaded by `load`, at the relay from `start` to `close`."""

    def __init__(
        self,
        config: CoreConfig,
        context: Context,
        account: AccountRow,
        given: Given,
        rota: Rota,
        chores: Sequence[Chore] = (),
    ) -> None:
        self.context = context
        self.account = account
        self._config = config
        self._given = given
        self._rota = rota
        self._chores = chores
        self._relay_url = parse_relay_url(config.relay)
        context.identity_policy = Policy(config.identity_policy)
        context.book.life_ms = config.resend_hours * HOUR_MS
        self.on_stopped: Callable[[str], None] = lambda refusal: None
        """Called with the reason when the account takes no more messages and only the operator can help."""
        self._housekeeping: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None
        self._make_parts()
        self._connect_parts()
        self.functions = {each: serve for service in self._services() for each, serve in service.functions().items()}
        self.functions |= {GetShards: self.shards, SetTwoStep: self.set_two_step}
        """What answers each message that names this account."""
        self.accept = self.sender.accept

    def _services(self) -> list[Service]:
        return [
            Messages(self.context, self.feed),
            self.feed,
            self.peers,
            self.contacts,
            self.webhooks,
            Reading(self.context, self.sender),
            self.templates,
            self.founding,
            self.settings,
            self.media,
            self.profile,
            self.collection,
            Backups(self.context, self.account, self._setting_store),
        ]

    def _make_parts(self) -> None:
        context = self.context
        self.feed = Feed(context)
        self.schedule = Schedule(context, self.feed, self._rota.changed)
        self.webhooks = Webhooks(context, self.schedule)
        self.lanes = Lanes(context)
        self.outbox = Outbox(context, self.lanes)
        statuses = Statuses(context)
        self.preparer = Preparer(context, self.lanes, self.outbox, statuses)
        self.resender = Resender(context, self.lanes, self.preparer)
        self.results = Results(context, self.lanes, self.outbox, self.preparer, statuses, self.resender)
        self.inbound = Inbound(context, self.lanes, statuses, self.resender)
        claims = Claims(context, self.account.id_key)
        self.peers = Peers(context, self.lanes)
        self.contacts = Contacts(context, lambda message: self.relay.call(message))
        self.templates = Templates(context, TemplateStore(context.database, context.vault, context.account))
        broadcast = Broadcast(context, self.lanes, self.outbox, self.preparer, statuses)
        self.founding = Founding(context, broadcast)
        self.inbound.on_leaves = self.founding.wake
        self.sender = Sender(context, self.lanes, self.outbox, self.preparer, claims, self.templates, broadcast)
        broadcast.check_room = self.sender.check_room
        self.stock = Stock(context)
        self.place = Place(context, self.account, self._given.claim, self.stock)
        self._setting_store = SettingStore(context.database, context.vault, context.random)
        self.profile = Profile(context, self._setting_store)
        self.settings = Settings(context, self._setting_store, self.schedule, self._given.webhook)
        self.settings.on_changed.append(self.profile.load)
        retention = Retention(context, self._config.keep_messages_days)
        self.media = self._make_media()
        collectors = {Litter.MESSAGES: lambda: retention.sweep(context.clock()), Litter.MEDIA: self.media.collect}
        self.collection = Collection(context, collectors)
        self.sender.resolve = self.media.resolve
        self.inbound.on_media = self.media.downloads.want
        duties = (self.stock, self.resender, retention, self._chores, self.media)
        self.duties = Duties(context, self.feed, self.schedule, *duties)

    def _make_media(self) -> Media:
        context, config = self.context, self._config
        folder = Folder(Path(config.data_dir) / MEDIA / str(context.account), config.media_cache_mb * MEGABYTE)
        link = MediaLink(config.relay, self.account.link_key)
        files = Files(folder, link, context.clock)
        return Media(context, link, files, config.networks(), self.settings.providers)

    def _connect_parts(self) -> None:
        place = self.place
        place.on_results = self.results.take
        place.on_items = lambda peer, message: self.inbound.deliver(peer, message.items)
        place.on_attached += [self.outbox.attached, self.preparer.attached, self.resender.attached, self._attached]
        place.on_lost += [self.outbox.lost, self.preparer.lost, self.resender.lost, self._lost]
        place.on_superseded.append(self._superseded)
        place.on_refused = lambda: self._stop_relay(self.place.refusal)
        url = self._relay_url
        handshake = initiator_ik(self.account.link_key, url.key)
        self.relay = Reconnecting(url.host, url.port, handshake, relay_codec, place, on_open=place.open)

    async def load(self) -> None:
        """Bring into memory what outlived the last process."""
        context = self.context
        if self._config.adopt_restored:
            await self.place.adopt()
        await self.feed.load()
        await self.templates.load()
        await self.schedule.load()
        await context.resends.load(context.book)
        await context.groups.load()
        for row in await context.messages.load_waiting():
            lane = self.lanes.get(row.number)
            lane.peer = row.peer
            self.lanes.count(lane, 1)
            if row.is_bare:
                lane.waiting.append(row.message)
        await self.settings.load()
        await self.media.load()

    async def register(self, claim: Claim) -> None:
        """Claim the number over a link of its own, before `start` or after a refusal.

        Raises what the relay refuses (`RemoteRefused`), or what keeps us from it.
        """
        url = self._relay_url
        handshake = initiator_ik(self.account.link_key, url.key)
        peer = await connect(url.host, url.port, handshake, relay_codec, _Deaf())
        try:
            await self.place.register(peer, claim)
        finally:
            peer.close()

    def start(self) -> None:
        """Begin: attach to the relay, have webhooks delivered, do the duties; or go on after a refusal."""
        if self._housekeeping is not None:
            self.sender.refusal = ""
            self.relay.start()
            return
        self._rota.add(self.schedule)
        if self.place.is_superseded:
            self._superseded()
        else:
            self.relay.start()
        self._housekeeping = asyncio.create_task(self.duties.run(asyncio.sleep))

    async def close(self) -> None:
        """Leave the relay; what is under way becomes durable with the database's end."""
        if self._housekeeping is not None:
            await end(self._housekeeping)
        await self.founding.close()
        await self.media.close()
        await self.collection.close()
        await self.relay.close()
        self.lanes.close()

    def shards(self, request: GetShards) -> Shards:
        return Shards(SHARDS)

    async def set_two_step(self, request: SetTwoStep) -> TwoStepSet:
        """Set the number's pin at the relay, or end it."""
        try:
            await self.relay.call(SetPin(request.pin))
        except RemoteRefused:
            raise
        except CorefastError:
            raise RelayAway("the relay cannot be reached; repeat the request later") from None
        return TwoStepSet()

    def _attached(self, peer: Peer) -> None:
        self.duties.peer = peer
        self.founding.wake()
        if self._given.is_restored:
            self._settling = asyncio.get_running_loop().create_task(self._settle())

    async def _settle(self) -> None:
        """Remember that the restored account has its place: from now on it takes it by no force."""
        unit = Unit()
        self._setting_store.delete(unit, self.context.account, RESTORED)
        with contextlib.suppress(CorefastError):
            await self.context.database.commit(unit)

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


class _Deaf:
    """A link for one call: the relay has nothing to say on it, as nobody attaches."""

    def received(self, peer: Peer, message: Any, call: int) -> None:
        peer.close()

    def lost(self, peer: Peer, error: Exception | None) -> None:
        pass
