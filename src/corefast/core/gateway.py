"""What fronts and webhook emitters may ask: one function for each message, by role and by account."""

import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from corefast import __version__, metrics
from corefast.core.account.place import Standing
from corefast.core.business import Business, Service
from corefast.core.context import Process
from corefast.core.feed.rota import Rota
from corefast.errors import CorefastError, PeerOutOfTurn, ScopeMissing
from corefast.net.calls import Dispatcher, Function
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.gateway import Done, GetHealth, GetMetrics, Health, Message, Metrics, Send
from corefast.wire.webhook import ClaimDeliveries, Deliveries, GetWebhook, ReportDeliveries


class Businesses(Protocol):
    """The accounts of this core."""

    def find(self, named: str) -> Business:
        """Return the account of that number, or the only one; raise `AccountUnknown` or `ParameterMissing`."""
        ...

    def all(self) -> list[Business]: ...


@runtime_checkable
class EmitterService(Protocol):
    """A family of which emitters may send some messages as well."""

    def emitter_functions(self) -> dict[type, Callable[[Any], Any]]: ...


class Gateway:
    """Serves the gateway protocol. What names an account goes to its `Business`, the rest to *services*."""

    def __init__(self, businesses: Businesses, rota: Rota, services: Sequence[Service]) -> None:
        self._businesses = businesses
        self._rota = rota
        self._services = services

    def front(self, operations: "Operations") -> "FrontHandler":
        """Return the handler of fronts: everything but the work of emitters."""
        table = self._front_functions() | operations.functions()
        table |= {each: _refuse_role for each in self._emitter_functions() if each not in table}
        return FrontHandler(self._businesses, self._dispatcher(table))

    def emitter(self, operations: "Operations") -> Dispatcher:
        """Return the handler of webhook emitters."""
        table = self._emitter_functions() | operations.functions()
        table |= {each: _refuse_role for each in self._front_functions() if each not in table}
        return self._dispatcher(table)

    def _front_functions(self) -> dict[type, Function]:
        table: dict[type, Function] = {
            each: self._route for each in Message.__args__ if "account" in each.__struct_fields__
        }
        for service in self._services:
            table |= {each: _without_peer(function) for each, function in service.functions().items()}
        return table

    def _emitter_functions(self) -> dict[type, Function]:
        table: dict[type, Function] = {
            ClaimDeliveries: self.claim,
            ReportDeliveries: self.report,
            GetWebhook: self._route,
        }
        for service in self._services:
            if isinstance(service, EmitterService):
                table |= {each: _without_peer(function) for each, function in service.emitter_functions().items()}
        return table

    def _dispatcher(self, table: dict[type, Function]) -> Dispatcher:
        return Dispatcher(table, on_lost=lambda peer, error: self._rota.release(peer))

    def _route(self, peer: Peer, request: Any) -> Any:
        """Let the account that *request* names answer it."""
        business = self._businesses.find(request.account)
        function = business.functions.get(type(request))
        if function is None:
            raise PeerOutOfTurn(f"{type(request).__name__} is not served here")
        return function(request)

    async def claim(self, peer: Peer, request: ClaimDeliveries) -> Deliveries:
        deliveries = await self._rota.claim(peer, request.limit, request.wait_ms)
        if not peer.is_open:
            self._rota.release(peer)
        return deliveries

    async def report(self, peer: Peer, request: ReportDeliveries) -> Done:
        await self._rota.report(peer, request.outcomes)
        return Done()


class FrontHandler:
    """A handler whose sends go past the dispatch table: no coroutine and no future for them."""

    def __init__(self, businesses: Businesses, dispatcher: Dispatcher) -> None:
        self._find = businesses.find
        self._dispatcher = dispatcher

    def received(self, peer: Peer, message: Any, call: int) -> None:
        if type(message) is Send and call:
            self._find(message.account).accept(peer, call, message)
        else:
            self._dispatcher.received(peer, message, call)

    def lost(self, peer: Peer, error: Exception | None) -> None:
        self._dispatcher.lost(peer, error)


_WORST_FIRST = (Standing.DISCONNECTED, Standing.UNREGISTERED, Standing.CONNECTING, Standing.CONNECTED)


class Operations:
    """Health and metrics, for both roles."""

    def __init__(self, process: Process, businesses: Businesses, rota: Rota) -> None:
        self._process = process
        self._businesses = businesses
        self._rota = rota
        self.is_draining = False

    def functions(self) -> dict[type, Function]:
        return {GetHealth: self.health, GetMetrics: self.metrics}

    async def health(self, peer: Peer, request: GetHealth) -> Health:
        """Ask the store too: it works when its reader does and its last commit, or one made for this, succeeded."""
        asked = [self._businesses.find(request.account)] if request.account else self._businesses.all()
        process = self._process
        store_ok, waiting = True, 0
        try:
            store_ok = await process.lease.is_held()
            waiting = await self._rota.count_waiting()
            if process.database.is_failing:
                await process.database.commit(Unit())
        except CorefastError:
            store_ok = False
        return Health(
            node=f"{socket.gethostname()}:{process.shard}",
            number=asked[0].context.number if len(asked) == 1 else "",
            gateway_status=self._status(asked),
            store_ok=store_ok,
            keys_ok=not asked or not all(business.place.is_superseded for business in asked),
            waiting_messages=sum(business.lanes.queued for business in asked),
            waiting_deliveries=waiting,
            version=__version__,
        )

    def _status(self, asked: list[Business]) -> str:
        if self.is_draining:
            return Standing.DISCONNECTED.value
        standings = {business.place.standing for business in asked} or {Standing.UNREGISTERED}
        return next(each.value for each in _WORST_FIRST if each in standings)

    async def metrics(self, peer: Peer, request: GetMetrics) -> Metrics:
        businesses = self._businesses.all()
        metrics.core_waiting_messages.set(sum(business.lanes.queued for business in businesses))
        metrics.core_sessions.set(sum(len(business.lanes) for business in businesses))
        connected = sum(business.place.standing is Standing.CONNECTED for business in businesses)
        metrics.core_relay_connected.set(connected)
        try:
            metrics.core_waiting_deliveries.set(await self._rota.count_waiting())
        except CorefastError:
            pass
        return Metrics(metrics.render("core", "store", "link"))


def _without_peer(function: Callable[[Any], Any]) -> Function:
    return lambda peer, message: function(message)


def _refuse_role(peer: Peer, message: Any) -> None:
    raise ScopeMissing(f"{type(message).__name__} is not for this role")
