"""The relay's side of its protocol: one function for each message that a client may send."""

import asyncio
from collections.abc import Callable
from typing import Any

from corefast.errors import (
    DeviceNotFirst,
    NotAttached,
    NumberUnknown,
    ParameterInvalid,
    PeerOutOfTurn,
    RateLimited,
    SlotRefused,
)
from corefast.limits import SLOT_LIFE_MS
from corefast.metrics import relay_bundles, relay_posts_limited, relay_registrations
from corefast.net.calls import Dispatcher, Function
from corefast.net.transport import Handler, Peer
from corefast.relay import presence
from corefast.relay.admission import Admission, Mode
from corefast.relay.attachment import Attachments, places_of
from corefast.relay.client import Client
from corefast.relay.files import Files
from corefast.relay.linking import Linking
from corefast.relay.mailbox import Account, Device
from corefast.relay.prekeys import PreKeys
from corefast.relay.quota import Rates
from corefast.relay.rate import Buckets
from corefast.relay.registry import Registration, Registry
from corefast.relay.router import Router
from corefast.relay.slot import Slots
from corefast.relay.store.prekey import Stock
from corefast.store.database import Database, Unit
from corefast.wire.messages import (
    Ack,
    AnswerSlot,
    Attach,
    Attached,
    Bundle,
    DeviceList,
    DevicesChanged,
    Done,
    FetchBundle,
    FindNumbers,
    FoundNumbers,
    JoinSlot,
    LinkDevice,
    ListDevices,
    OpenSlot,
    Post,
    PostBatch,
    PostResult,
    PostResults,
    PostState,
    PreKeyCount,
    PreKeysLow,
    PutPreKeys,
    Register,
    Registered,
    SetPin,
    SlotAnswer,
    SlotJoined,
    SlotOpened,
    UnlinkDevice,
)

REGISTRATION_BURST = 30
REGISTRATION_REFILL_PER_S = 0.5
"""Claims from one address, where the relay is not on loopback."""

MAX_FOUND_NUMBERS = 1_000
"""Numbers looked up by one message."""

ATTACH_BURST = 60
ATTACH_REFILL_PER_S = 1.0
"""Attaches of one phone: each is a commit, and the next may come on the same connection."""

UPLOAD_BURST = 20
UPLOAD_REFILL_PER_S = 0.2
"""Uploads of prekeys and pins of one device: they cost signature checks and a slow hash."""


class Service:
    """Serves all connections; what belongs to one of them is its `Client`, kept in `Peer.state`."""

    def __init__(
        self,
        *,
        database: Database,
        router: Router,
        registry: Registry,
        registration: Registration,
        linking: Linking,
        slots: Slots,
        admission: Admission,
        prekeys: PreKeys,
        attachments: Attachments,
        rates: Rates,
        files: Files,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._router = router
        self._registry = registry
        self._registration = registration
        self._linking = linking
        self._slots = slots
        self._admission = admission
        self._prekeys = prekeys
        self._attachments = attachments
        self._rates = rates
        self._files = files
        self._ending: set[asyncio.Task[None]] = set()
        self._claim_rate = Buckets(REGISTRATION_BURST, REGISTRATION_REFILL_PER_S)
        self._attach_rate = Buckets(ATTACH_BURST, ATTACH_REFILL_PER_S)
        self._upload_rate = Buckets(UPLOAD_BURST, UPLOAD_REFILL_PER_S)
        self._join_rate = Buckets(REGISTRATION_BURST, REGISTRATION_REFILL_PER_S)
        self._clock = clock
        self._one_way: dict[type, Callable[[Peer, Any], None]] = {PostBatch: self.post, Ack: self.ack}
        calls: dict[type, Function] = {
            Register: self.register,
            Attach: self.attach,
            PutPreKeys: self.put_prekeys,
            FetchBundle: self.fetch_bundle,
            FindNumbers: self.find_numbers,
            SetPin: self.set_pin,
            OpenSlot: self.open_slot,
            JoinSlot: self.join_slot,
            AnswerSlot: self.answer_slot,
            LinkDevice: self.link_device,
            ListDevices: self.list_devices,
            UnlinkDevice: self.unlink_device,
        }
        self._calls = Dispatcher(calls | files.functions())

    def accept(self, peer: Peer) -> Handler:
        """Return the handler of a new connection."""
        peer.state = Client(peer, self._router)
        return self

    def received(self, peer: Peer, message: Any, call: int) -> None:
        function = self._one_way.get(type(message))
        if function is None:
            self._calls.received(peer, message, call)
        elif call:
            raise PeerOutOfTurn(f"{type(message).__name__} has no answer and is no call")
        else:
            function(peer, message)

    def lost(self, peer: Peer, error: Exception | None) -> None:
        client: Client = peer.state
        client.leave()
        if self._files.has_uploads(client):
            task = asyncio.get_running_loop().create_task(self._files.lost(client))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def register(self, peer: Peer, claim: Register) -> Registered:
        if self._admission.mode is Mode.CODE:
            self._limit(self._claim_rate, peer.address.rpartition(":")[0])
        outcome = "refused"
        try:
            device = await self._registration.register(peer.state.link_key, claim)
            outcome = "accepted"
        finally:
            relay_registrations.labels(outcome).inc()
        peer.state.device = device
        return Registered(device.address, device.account.devices_version)

    async def attach(self, peer: Peer, wish: Attach) -> Attached:
        """Serve the newest copy: the token moves first, then the older connection goes, then the mailboxes open."""
        client: Client = peer.state
        device = self._registry.find_link(client.link_key)
        if device is None:
            raise NumberUnknown("this link key has no number; register it first")
        if not wish.shards:
            self._limit(self._attach_rate, device.row)
        shards = _check_shards(wish.shards, device.account.shards)
        self._attachments.move(device.row, wish)
        presence.evict(device, shards, "attach.superseded", besides=client)
        places = places_of(wish)
        if places:
            await self._commit_attach(device, wish, places)
        stock = await self._prekeys.count(device)
        self._attachments.recheck(device.row, wish)
        if device.is_gone or not peer.is_open:
            raise NotAttached("the connection ended or the number changed hands")
        presence.evict(device, shards, "attach.superseded", besides=client)
        client.open(device, shards, tokened=places, is_core=bool(wish.shards))
        self._linking.saw(device, self._clock())
        wanted = stock.one_time == 0 and stock.one_time_kem == 0
        devices = [each.address.device for each in device.account.devices]
        return Attached(device.address, device.account.devices_version, *stock, wanted, devices)

    async def _commit_attach(self, device: Device, wish: Attach, places: list[int]) -> None:
        unit = Unit()
        self._attachments.add(unit, device.row, places)
        if wish.force:
            self._prekeys.add_drop(unit, device.row)
        await self._database.commit(unit)

    async def put_prekeys(self, peer: Peer, message: PutPreKeys) -> PreKeyCount:
        device = _device_of(peer)
        self._limit(self._upload_rate, device.row)
        identity = await self._registry.identity(device.account.number)
        return PreKeyCount(*await self._prekeys.put(device, identity, message.prekeys))

    async def fetch_bundle(self, peer: Peer, message: FetchBundle) -> Bundle:
        device = _device_of(peer)
        if not self._rates.is_exempt(peer.state):
            self._limit(self._rates.lookup, device.row)
        account = self._registry.find(message.number)
        if account is None:
            raise NumberUnknown("nobody is registered under this number")
        self._limit(self._rates.bundle, (device.row, message.number))
        bundle = await self._prekeys.take_bundle(account, device)
        for entry in bundle.devices:
            relay_bundles.labels("one_time" if entry.one_time is not None else "last_resort").inc()
        return bundle

    def find_numbers(self, peer: Peer, message: FindNumbers) -> FoundNumbers:
        device = _device_of(peer)
        if len(message.numbers) > MAX_FOUND_NUMBERS:
            raise ParameterInvalid(f"at most {MAX_FOUND_NUMBERS} numbers are looked up at once")
        if not self._rates.is_exempt(peer.state):
            asked = len(message.numbers)
            _, wait_ms = self._rates.lookup.take_some(device.row, asked, self._clock())
            if wait_ms:
                raise RateLimited("too many requests of this kind", wait_ms)
        return FoundNumbers([number for number in message.numbers if self._registry.find(number) is not None])

    async def set_pin(self, peer: Peer, message: SetPin) -> Done:
        device = _device_of(peer)
        self._limit(self._upload_rate, device.row)
        await self._admission.set_pin(device.account.number, message.pin)
        return Done()

    # ── several devices of a number ────────────────────────────────────────────────────────────────────────────────

    def open_slot(self, peer: Peer, message: OpenSlot) -> SlotOpened:
        device = _first_device_of(peer)
        self._limit(self._upload_rate, device.row)
        self._linking.check_room(device.account)
        return SlotOpened(self._slots.open(device), SLOT_LIFE_MS)

    async def join_slot(self, peer: Peer, message: JoinSlot) -> SlotAnswer:
        self._limit(self._join_rate, peer.address.rpartition(":")[0])
        link_key = peer.state.link_key
        if self._registry.find_link(link_key) is not None:
            raise ParameterInvalid("this link key has a number already")
        slot = self._slots.find(message.slot)
        owner = presence.holder(slot.owner)
        if not isinstance(owner, Client):
            raise SlotRefused("the first device is not connected; try again when it is")
        answer = slot.join(link_key, message.message)
        owner.peer.notify(SlotJoined(slot.id, link_key, message.message))
        return SlotAnswer(await self._slots.answer(slot, answer))

    def answer_slot(self, peer: Peer, message: AnswerSlot) -> Done:
        self._slots.settle(_first_device_of(peer), message)
        return Done()

    async def link_device(self, peer: Peer, message: LinkDevice) -> Registered:
        link_key = peer.state.link_key
        known = self._registry.find_link(link_key)
        if known is None:
            slot = self._slots.approved(message.slot, link_key)
            known = await self._linking.link(slot.owner, link_key, message, self._clock())
            self._slots.close(slot)
            tell_devices(known.account)
        peer.state.device = known
        return Registered(known.address, known.account.devices_version)

    def list_devices(self, peer: Peer, message: ListDevices) -> DeviceList:
        return self._linking.list(_device_of(peer).account)

    async def unlink_device(self, peer: Peer, message: UnlinkDevice) -> DeviceList:
        account = _first_device_of(peer).account
        await self._linking.unlink(account, message.device)
        return self._linking.list(account)

    # ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self, peer: Peer, batch: PostBatch) -> None:
        client: Client = peer.state
        if client.outlet is None:
            now_ms = self._clock()
            peer.notify(PostResults([PostResult(post.id, PostState.REFUSED, now_ms) for post in batch.posts]))
            return
        if client.tokened:
            self._attachments.saw(client.outlet.device.row, client.tokened, batch.commit_seq)
        self._router.post(client.outlet, self._within_rate(client, batch.posts))

    def _within_rate(self, client: Client, posts: list[Post]) -> list[Post]:
        """Return the posts that the client may make now; the others are refused, with the time to wait."""
        if client.device is None or self._rates.is_exempt(client):
            return posts
        now_ms = self._clock()
        taken, wait_ms = self._rates.post.take_some(client.device.row, len(posts), now_ms)
        if wait_ms:
            relay_posts_limited.inc(len(posts) - taken)
            refused = [PostResult(post.id, PostState.REFUSED, now_ms, wait_ms) for post in posts[taken:]]
            client.peer.notify(PostResults(refused))
        return posts[:taken]

    def ack(self, peer: Peer, message: Ack) -> None:
        client: Client = peer.state
        if client.outlet is not None:
            self._router.ack(client.outlet, message.seqs)

    def _limit(self, buckets: Buckets, key: object) -> None:
        wait_ms = buckets.take(key, self._clock())
        if wait_ms:
            raise RateLimited("too many requests of this kind", wait_ms)


def tell_low(device: Device, stock: Stock) -> None:
    """Tell the device, where it is connected, that its one-time stock fell to its floor."""
    present = presence.holder(device)
    if isinstance(present, Client):
        present.peer.notify(PreKeysLow(*stock))


def tell_devices(account: Account) -> None:
    """Tell the connected devices of an account which devices it has now."""
    news = DevicesChanged(account.devices_version, [device.address.device for device in account.devices])
    for device in account.devices:
        present = presence.holder(device)
        if isinstance(present, Client):
            present.peer.notify(news)


def _device_of(peer: Peer) -> Device:
    client: Client = peer.state
    if client.device is None or client.device.is_gone:
        raise NotAttached("register or attach first")
    return client.device


def _first_device_of(peer: Peer) -> Device:
    """Return the attached device, which has to be its number's first and a phone."""
    client: Client = peer.state
    device = _device_of(peer)
    if client.outlet is None:
        raise NotAttached("attach first")
    if device.address.device != 1 or client.is_core:
        raise DeviceNotFirst("only the first device of a phone's number links and unlinks others")
    return device


def _check_shards(wished: list[int], shards: int) -> list[int]:
    """Return the shards to open; a phone wishes for none and gets all of its."""
    if not wished:
        return list(range(shards))
    if len(set(wished)) != len(wished) or not all(0 <= shard < shards for shard in wished):
        raise ParameterInvalid("the shards of an attach are those of the registration, each once")
    return list(wished)
