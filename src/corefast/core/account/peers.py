"""What the operator asks and decides about one peer: its identity key, its pin."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from corefast.address import canonical_number
from corefast.core.context import Context
from corefast.core.identity import end_sessions, forget_downgrade
from corefast.core.send.lane import Lane, Lanes
from corefast.core.store.peers import NotableRow, Standing
from corefast.endpoint.trust import Policy, identity_hash, safety_number
from corefast.errors import (
    IdentityMismatch,
    ParameterInvalid,
    PeerUnknown,
    RecipientIsSender,
)
from corefast.limits import MAX_PAGE
from corefast.protocol.pin import Pin
from corefast.store.database import Unit
from corefast.wire import peer
from corefast.wire.peer import AcceptIdentity, GetPeer, ListPeers, PeerPin, PeerView, PinPeer


class Peers:
    """Serves `GetPeer`, `PinPeer`, `AcceptIdentity` and `ListPeers`; each change is durable before its answer."""

    def __init__(self, context: Context, lanes: Lanes) -> None:
        self._context = context
        self._lanes = lanes

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {GetPeer: self.show, PinPeer: self.pin, AcceptIdentity: self.accept, ListPeers: self.list}

    async def show(self, request: GetPeer) -> PeerView:
        async with self._lane(request.number) as lane:
            return await self._view(lane)

    async def pin(self, request: PinPeer) -> PeerView:
        """Pin the peer, or unpin it; the sessions of another pin end."""
        pin = Pin(request.pin.value)

        def change(unit: Unit, lane: Lane) -> bool:
            if lane.standing.pin is pin:
                return False
            end_sessions(self._context, unit, lane)
            forget_downgrade(lane)
            lane.standing = msgspec.structs.replace(lane.standing, pin=pin)
            return True

        return await self._change(request.number, change)

    async def accept(self, request: AcceptIdentity) -> PeerView:
        """Acknowledge the identity key that the peer has, if it is the one that the caller means."""

        def change(unit: Unit, lane: Lane) -> bool:
            if not lane.identity:
                raise PeerUnknown("no identity key of this number was seen yet")
            if not hmac.compare_digest(identity_hash(lane.identity).encode(), request.hash.encode()):
                raise IdentityMismatch("the peer has another identity key: look at it, and compare the safety number")
            if lane.standing.is_acknowledged:
                return False
            lane.standing = msgspec.structs.replace(lane.standing, is_acknowledged=True)
            return True

        return await self._change(request.number, change)

    async def list(self, request: ListPeers) -> peer.Peers:
        if not 1 <= request.limit <= MAX_PAGE or request.after < 0:
            raise ParameterInvalid(f"limit is from 1 to {MAX_PAGE}, after from 0")
        rows = await self._context.peers.notable(request.after, request.limit)
        views = [self._listed(row) for row in rows]
        return peer.Peers(views, rows[-1].id if len(rows) == request.limit else 0)

    async def _change(self, number: str, change: Callable[[Unit, Lane], bool]) -> PeerView:
        """Commit what *change* adds, where it says that something has changed."""
        context = self._context
        async with self._lane(number) as lane:
            unit = Unit()
            if change(unit, lane):
                context.peers.put(unit, lane.peer, lane.number, lane.devices_version, lane.identity, lane.standing)
                lane.is_new = False
                await self._lanes.commit(unit, lane)
                lane.failures = 0
                self._lanes.tell(lane)
            return await self._view(lane)

    @asynccontextmanager
    async def _lane(self, text: str) -> AsyncIterator[Lane]:
        """Give the loaded lane of a number, in any spelling."""
        number = canonical_number(text)
        if number == self._context.number:
            raise RecipientIsSender("this is the account's own number")
        with self._lanes.hold(number) as lane:
            while not lane.is_loaded:
                await self._lanes.loaded(lane)
            yield lane

    async def _view(self, lane: Lane) -> PeerView:
        digits, identity, own = "", lane.identity, self._context.own.identity.public
        view = self._view_of(lane.number, identity, lane.standing, len(lane.devices))
        if identity:
            # Beside the loop: it takes some milliseconds.
            digits = await asyncio.to_thread(safety_number, self._context.number, own, lane.number, identity)
        return msgspec.structs.replace(view, safety_number=digits)

    def _listed(self, row: NotableRow) -> PeerView:
        return self._view_of(row.number, row.identity, row.standing, row.devices)

    def _view_of(self, number: str, identity: bytes | None, standing: Standing, devices: int) -> PeerView:
        return PeerView(
            number=number,
            identity_hash=identity_hash(identity) if identity else "",
            created_ms=standing.since_ms,
            acknowledged=standing.is_acknowledged,
            blocked=not standing.is_acknowledged and self._context.identity_policy is Policy.BLOCK,
            pin=PeerPin(standing.pin.value),
            downgraded=standing.is_downgraded,
            devices=devices,
        )
