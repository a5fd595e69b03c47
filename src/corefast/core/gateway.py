"""What fronts and webhook emitters may ask: one function for each message, by role."""

import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from corefast import __version__, metrics
from corefast.core.account.place import Place
from corefast.core.context import Context
from corefast.core.feed.deliveries import Schedule
from corefast.core.feed.events import Feed
from corefast.core.ids import parse_inbound, parse_outbound
from corefast.core.message import inbound_view, outbound_view
from corefast.core.send.lane import Lanes
from corefast.core.send.sender import Sender
from corefast.errors import (
    CorefastError,
    MessageDamaged,
    MessageUnknown,
    ScopeMissing,
    SealBroken,
    TokenInvalid,
)
from corefast.logs import get_logger
from corefast.net.calls import Dispatcher, Function
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.gateway import (
    ClaimDeliveries,
    DeadDeliveries,
    DeadDelivery,
    Deliveries,
    Done,
    GetHealth,
    GetMessage,
    GetMetrics,
    GetWebhook,
    Health,
    ListDead,
    MessageView,
    Metrics,
    ReadEvents,
    ReplayDeliveries,
    ReportDeliveries,
    Send,
    SetWebhook,
    Webhook,
)

log = get_logger()

FRONT, EMITTER = "front", "webhooks"


class Service(Protocol):
    """A family of messages that fronts may send, each with the function that answers it."""

    def functions(self) -> dict[type, Callable[[Any], Any]]: ...


@runtime_checkable
class EmitterService(Protocol):
    """A family of which emitters may send some messages as well."""

    def emitter_functions(self) -> dict[type, Callable[[Any], Any]]: ...


class Gateway:
    """Serves the gateway protocol."""

    def __init__(
        self, context: Context, sender: Sender, feed: Feed, schedule: Schedule, services: Sequence["Service"]
    ) -> None:
        self._context = context
        self._sender = sender
        self._services = services
        self._feed = feed
        self._schedule = schedule

    def front(self, operations: "Operations") -> "FrontHandler":
        """Return the handler of fronts: everything but the work of emitters."""
        table = self._front_functions() | operations.functions()
        table |= {each: _refuse_role for each in self._emitter_functions() if each not in table}
        return FrontHandler(self._sender, self._dispatcher(table))

    def emitter(self, operations: "Operations") -> Dispatcher:
        """Return the handler of webhook emitters."""
        table = self._emitter_functions() | operations.functions()
        table |= {each: _refuse_role for each in (Send, *self._front_functions()) if each not in table}
        return self._dispatcher(table)

    def _front_functions(self) -> dict[type, Function]:
        table: dict[type, Function] = {
            GetMessage: self.get_message,
            ReadEvents: lambda peer, message: self._feed.read(message),
            SetWebhook: self.set_webhook,
            GetWebhook: self.get_webhook,
            ListDead: self.list_dead,
            ReplayDeliveries: self.replay,
        }
        for service in self._services:
            table |= {each: _without_peer(function) for each, function in service.functions().items()}
        return table

    def _emitter_functions(self) -> dict[type, Function]:
        table: dict[type, Function] = {
            ClaimDeliveries: self.claim,
            ReportDeliveries: self.report,
            GetWebhook: self.get_webhook,
        }
        for service in self._services:
            if isinstance(service, EmitterService):
                table |= {each: _without_peer(function) for each, function in service.emitter_functions().items()}
        return table

    def _dispatcher(self, table: dict[type, Function]) -> Dispatcher:
        return Dispatcher(table, on_lost=lambda peer, error: self._schedule.release(peer))

    async def get_message(self, peer: Peer, request: GetMessage) -> MessageView:
        if request.account != self._context.number:
            raise TokenInvalid("this key belongs to another account")
        try:
            return await self._load_message(request)
        except SealBroken as error:
            log.error("a stored message is damaged", code=error.code)
            raise MessageDamaged("the stored message is damaged") from None

    async def _load_message(self, request: GetMessage) -> MessageView:
        context = self._context
        if (outbound := parse_outbound(request.id)) is not None and (row := context.ids.row_of(outbound)) is not None:
            if (message := await context.messages.load(row)) is not None:
                return outbound_view(message, request.id, self._feed)
        elif (inbound := parse_inbound(request.id)) is not None:
            if (received := await context.inbound.load(inbound)) is not None:
                return inbound_view(received, request.id, self._feed)
        raise MessageUnknown("no message has this id")

    # ── webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def set_webhook(self, peer: Peer, request: SetWebhook) -> Webhook:
        return await self._schedule.set(request)

    def get_webhook(self, peer: Peer, request: GetWebhook) -> Webhook:
        return self._schedule.webhook

    async def claim(self, peer: Peer, request: ClaimDeliveries) -> Deliveries:
        deliveries = await self._schedule.claim(peer, request.limit, request.wait_ms)
        if not peer.is_open:
            self._schedule.release(peer)
        return deliveries

    async def report(self, peer: Peer, request: ReportDeliveries) -> Done:
        await self._schedule.report(peer, request.outcomes)
        return Done()

    async def list_dead(self, peer: Peer, request: ListDead) -> DeadDeliveries:
        ids = self._context.ids
        rows = await self._schedule.dead(request.limit)
        return DeadDeliveries(
            [DeadDelivery(ids.event_id(row.id), row.attempts, row.last_ms, row.status, row.error) for row in rows]
        )

    async def replay(self, peer: Peer, request: ReplayDeliveries) -> Done:
        await self._schedule.replay(request.event_ids)
        return Done()


class FrontHandler:
    """A handler whose sends go past the dispatch table: no coroutine and no future for them."""

    def __init__(self, sender: Sender, dispatcher: Dispatcher) -> None:
        self._accept = sender.accept
        self._dispatcher = dispatcher

    def received(self, peer: Peer, message: Any, call: int) -> None:
        if type(message) is Send and call:
            self._accept(peer, call, message)
        else:
            self._dispatcher.received(peer, message, call)

    def lost(self, peer: Peer, error: Exception | None) -> None:
        self._dispatcher.lost(peer, error)


class Operations:
    """Health and metrics, for both roles."""

    def __init__(self, context: Context, place: Place, lanes: Lanes, schedule: Schedule) -> None:
        self._context = context
        self._place = place
        self._lanes = lanes
        self._schedule = schedule
        self.is_draining = False

    def functions(self) -> dict[type, Function]:
        return {GetHealth: self.health, GetMetrics: self.metrics}

    async def health(self, peer: Peer, request: GetHealth) -> Health:
        """Ask the store too: it works when its reader does and its last commit, or one made for this, succeeded."""
        store_ok, waiting = True, 0
        try:
            store_ok = await self._context.lease.is_held()
            waiting = await self._schedule.count_waiting()
            if self._context.database.is_failing:
                await self._context.database.commit(Unit())
        except CorefastError:
            store_ok = False
        return Health(
            node=f"{socket.gethostname()}:{self._context.shard}",
            number=self._context.number,
            gateway_status="disconnected" if self.is_draining else self._place.standing.value,
            store_ok=store_ok,
            keys_ok=not self._place.is_superseded,
            waiting_messages=self._lanes.queued,
            waiting_deliveries=waiting,
            version=__version__,
        )

    async def metrics(self, peer: Peer, request: GetMetrics) -> Metrics:
        metrics.core_waiting_messages.set(self._lanes.queued)
        metrics.core_sessions.set(len(self._lanes))
        try:
            metrics.core_waiting_deliveries.set(await self._schedule.count_waiting())
        except CorefastError:
            pass
        return Metrics(metrics.render("core", "store", "link"))


def _without_peer(function: Callable[[Any], Any]) -> Function:
    return lambda peer, message: function(message)


def _refuse_role(peer: Peer, message: Any) -> None:
    raise ScopeMissing(f"{type(message).__name__} is not for this role")
