"""Our place at the relay: registered once, attached on each link, lost to a copy that attaches later (promise 5)."""

import asyncio
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

import msgspec

from corefast.core.account.stock import Stock
from corefast.core.context import Context
from corefast.core.store.events import Fact
from corefast.core.store.keys import PHASE_NEW, PHASE_REGISTERED, PHASE_SUPERSEDED, AccountRow
from corefast.endpoint.stock import StockChange
from corefast.errors import (
    AttachSuperseded,
    CodeRequired,
    CodeWrong,
    CorefastError,
    NotAttached,
    NumberTaken,
    NumberUnknown,
    PinRequired,
    PinWrong,
    RemoteRefused,
)
from corefast.logs import get_logger
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.messages import Attach, Attached, Deliver, Drained, Evicted, PostResults, PreKeysLow, Register

log = get_logger()

_TOKEN_BYTES = 16
_LOSSES = (AttachSuperseded.code, NumberTaken.code)
_REMEDIES = {
    CodeRequired.code: "the relay asks for a code; corefast relay issue-code NUMBER prints one, --code passes it on",
    CodeWrong.code: "the code is wrong, used up or too old; corefast relay issue-code NUMBER prints a new one",
    PinRequired.code: "the number is protected by a pin; --pin passes it on",
    PinWrong.code: "the pin is wrong; --pin passes on another",
    NumberTaken.code: "the number has another owner; --replace takes it over and cuts the other off",
}
"""Refusals that no repeat changes (one would only use up the tries of a code or pin), and what the operator can do."""


class Standing(Enum):
    """Where we stand, in the words of the on-premises API."""

    UNREGISTERED = "unregistered"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


class Claim(msgspec.Struct, frozen=True):
    """What the operator gave for the registration; *adopt* after a restore."""

    code: str = ""
    pin: str = ""
    shards: int = 1
    adopt: bool = False
    replace: bool = False


class Place:
    """Handles the link to the relay: opens our mailbox, passes on what comes, notices when it is no longer ours."""

    def __init__(self, context: Context, account: AccountRow, claim: Claim, stock: Stock) -> None:
        self._context = context
        self._account = account
        self._claim = claim
        self._stock = stock
        self._adopt = claim.adopt
        self._may_replace = claim.replace
        self._upload: StockChange | None = None
        """The prekeys of a registration that did not succeed yet."""
        self._peer: Peer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.refusal = ""
        """Why the relay does not take us; for the operator."""
        self.on_attached: list[Callable[[Peer], None]] = []
        self.on_lost: list[Callable[[], None]] = []
        self.on_superseded: list[Callable[[], None]] = []
        self.on_refused: Callable[[], None] = lambda: None
        """Called when only the operator can help: no further try makes sense."""
        self.on_results: Callable[[PostResults], None] = lambda message: None
        self.on_items: Callable[[Peer, Deliver], None] = lambda peer, message: None

    @property
    def standing(self) -> Standing:
        if self._account.phase == PHASE_SUPERSEDED:
            return Standing.DISCONNECTED
        if self._account.phase == PHASE_NEW:
            return Standing.UNREGISTERED
        return Standing.CONNECTED if self._peer is not None else Standing.CONNECTING

    @property
    def is_superseded(self) -> bool:
        return self._account.phase == PHASE_SUPERSEDED

    # ── opening ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, peer: Peer) -> None:
        """Register where that is still to be done, attach, and tell everybody; raise what the relay refuses."""
        try:
            if self._account.phase == PHASE_NEW:
                await self._register(peer)
            try:
                attached = await self._attach(peer)
            except RemoteRefused as error:
                if error.code not in (NumberUnknown.code, NotAttached.code):
                    raise
                await self._register(peer)  # the relay has forgotten us
                attached = await self._attach(peer)
        except RemoteRefused as error:
            await self._refused(error)
            raise
        self._adopt = False
        self.refusal = ""
        self._peer = peer
        log.info("attached to the relay")
        for listener in self.on_attached:
            listener(peer)
        left = (0, 0) if attached.prekeys_wanted else (attached.one_time_left, attached.one_time_kem_left)
        self._spawn(self._stock.fill(peer, *left))

    async def register(self, peer: Peer, claim: Claim) -> None:
        """Claim the number with what the operator gives now; raise what the relay refuses."""
        self._claim, self._may_replace = (
            msgspec.structs.replace(self._claim, code=claim.code, pin=claim.pin),
            claim.replace,
        )
        await self._register(peer)
        self.refusal = ""

    async def _register(self, peer: Peer) -> None:
        change = self._upload = self._upload or await self._stock.prepare()
        assert change is not None
        own, claim = self._context.own, self._claim
        register = Register(
            self._account.number,
            own.identity.public,
            own.registration_id,
            change.upload,
            claim.code,
            claim.pin,
            replace=self._may_replace,
            shards=claim.shards,
        )
        await peer.call(register)
        self._may_replace = False
        unit = Unit()
        self._account.token = self._account.next_token = b""
        self._context.keys.save_tokens(unit, b"", b"")
        await self._save_phase(unit, PHASE_REGISTERED)
        self._upload = None
        log.info("registered at the relay")

    async def _attach(self, peer: Peer) -> Attached:
        """Move the token, the new one committed before the relay hears of it: a crash between is a retry."""
        context, account = self._context, self._account
        if not account.next_token:
            unit = Unit()
            next_token = context.random(_TOKEN_BYTES)
            context.keys.save_tokens(unit, account.token, next_token)
            await context.database.commit(unit)
            account.next_token = next_token
        commit_seq = context.lease.commit_seq if account.attach_seq is None else account.attach_seq
        attach = Attach([context.shard], account.token, account.next_token, commit_seq, force=self._adopt)
        attached: Attached = await peer.call(attach)
        unit = Unit()
        context.keys.save_attached(unit, account.next_token)
        await context.database.commit(unit)
        account.token, account.next_token, account.attach_seq = account.next_token, b"", None
        return attached

    async def _refused(self, error: RemoteRefused) -> None:
        self.refusal = f"the relay refuses this account ({error.code}): {_REMEDIES.get(error.code, error)}"
        if error.code in _LOSSES and self._account.phase != PHASE_NEW:
            # A task of its own: it ends the link, and with it the task that we are in.
            await asyncio.shield(self._spawn(self.supersede(error.code)))
            return
        log.error("the relay refuses this account", code=error.code)
        if error.code in _REMEDIES:
            self.on_refused()

    # ── what comes over the link ───────────────────────────────────────────────────────────────────────────────────

    def received(self, peer: Peer, message: Any, call: int) -> None:
        kind = type(message)
        if kind is PostResults:
            self.on_results(message)
        elif kind is Deliver:
            self.on_items(peer, message)
        elif kind is PreKeysLow:
            self._spawn(self._stock.fill(peer, message.one_time_left, message.one_time_kem_left))
        elif kind is Evicted:
            self._spawn(self._evicted(peer, message.code))
        elif kind is not Drained:
            raise NotAttached(f"{kind.__name__} is not for a core")

    def lost(self, peer: Peer, error: Exception | None) -> None:
        if peer is self._peer:
            self._peer = None
            for listener in self.on_lost:
                listener()

    async def _evicted(self, peer: Peer, code: str) -> None:
        """Another link took our place: a copy of this account, unless it is our own next try."""
        if peer is self._peer and code in _LOSSES:
            await self.supersede(code)

    # ── losing the place, and taking it back ───────────────────────────────────────────────────────────────────────

    async def supersede(self, code: str) -> None:
        """Drop all sessions and one-time prekeys, and send nothing more: a copy of this account goes on with them."""
        if self.is_superseded:
            return
        log.error("another copy of this account is at the relay; this one has stopped sending", code=code)
        self._account.phase = PHASE_SUPERSEDED
        for listener in self.on_superseded:
            listener()
        unit = Unit()
        self._drop_sessions(unit)
        self._context.events.put(unit, Fact.SUPERSEDED, self._context.clock())
        await self._save_phase(unit, PHASE_SUPERSEDED)
        self._context.bell.ring()
        if self._peer is not None:
            self._peer.close()

    async def adopt(self) -> None:
        """Let a restored copy go on, on the operator's word, with new sessions, prekeys and ids."""
        context = self._context
        unit = Unit()
        self._drop_sessions(unit)
        context.floors.rise(unit, context.next_message.last, context.events.last)
        phase = PHASE_NEW if self._account.phase == PHASE_NEW else PHASE_REGISTERED
        await self._save_phase(unit, phase)
        context.next_message.last = context.floors.message
        context.events.last = context.floors.event
        log.warning("this copy of the account takes over, as --adopt-restored asks")

    def _drop_sessions(self, unit: Unit) -> None:
        context = self._context
        context.peers.drop_sessions(unit)
        context.groups.drop_chains(unit)
        context.keys.drop_one_time(unit)
        context.messages.drop_posts(unit)
        context.own.one_time.clear()
        context.own.one_time_kem.clear()

    async def _save_phase(self, unit: Unit, phase: int) -> None:
        self._context.keys.save_phase(unit, phase)
        await self._context.database.commit(unit)
        self._account.phase = phase

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except CorefastError as error:
        log.warning("a duty at the relay failed", code=error.code)
    except Exception:
        log.exception("a duty at the relay failed")
