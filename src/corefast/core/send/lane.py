"""The way to one peer: messages leave it in the order in which they came.

A lane's sessions in memory run ahead of the database while units are under way. When one of these fails, the lane is
stale: its sessions are dropped, and loaded again once no unit is left, before anything is encrypted (promise 2).
"""

import asyncio
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from itertools import chain, islice

from corefast.core.context import Context
from corefast.core.store.groups import Ties
from corefast.core.store.peers import Standing
from corefast.endpoint.cipher import Correspondent
from corefast.limits import MAX_CACHED_SESSIONS
from corefast.logs import get_logger
from corefast.store.database import Unit
from corefast.wire.messages import Post

log = get_logger()


class Phase(Enum):
    """Where a lane stands; what a new message meets there."""

    COLD = "cold"
    """Nothing is loaded. It is held."""
    LOADING = "loading"
    """The database is being read. It is held."""
    STALE = "stale"
    """Units of sessions that are dropped are under way. It is held."""
    DRY = "dry"
    """There is no session, or older messages wait for one. It is stored without a ciphertext."""
    PREPARING = "preparing"
    """Sessions are being made and older messages encrypted. It is stored without a ciphertext."""
    TURNING = "turning"
    """The last of the older messages are being encrypted. It is held."""
    HOT = "hot"
    """Every device has a session and nothing waits. It is encrypted at once."""


_ROUND_S = 10.0
"""How long it takes to look at every lane once: one that was not used for this or twice as long rests."""

_TENDED_AT_ONCE = 500
"""Lanes looked at in one turn of the loop: 1 ms where all of them are laid to rest."""

_LOADED = (Phase.DRY, Phase.PREPARING, Phase.HOT)


class Entry:
    """A ciphertext on its way to the relay."""

    __slots__ = ("row", "lane", "post", "accepted_ms", "size")

    def __init__(self, row: int, lane: "Lane", post: Post, accepted_ms: int = 0) -> None:
        self.row = row
        self.lane = lane
        self.post = post
        self.accepted_ms = accepted_ms
        self.size = sum(len(part.body) for part in post.parts) + 64


class Lane:
    """One peer: its row, its sessions, and what waits for it."""

    __slots__ = (
        "number",
        "phase",
        "generation",
        "peer",
        "is_new",
        "devices_version",
        "identity",
        "standing",
        "devices",
        "registration_ids",
        "held",
        "waiting",
        "queued",
        "holders",
        "units",
        "storing",
        "settled",
        "backlog",
        "is_blocked",
        "failures",
        "changes",
        "is_used",
        "ties",
    )

    def __init__(self, number: str) -> None:
        self.number = number
        self.phase = Phase.COLD
        self.generation = 0
        """Counts how often the sessions were dropped, so that a task can see that its lane is not the same any more."""
        self.peer = 0
        self.is_new = False
        self.devices_version = 0
        """The list that `devices` answers to; 0 when a bundle has to be fetched first."""
        self.identity: bytes | None = None
        self.standing = Standing()
        self.devices: dict[int, Correspondent] = {}
        self.registration_ids: dict[int, int] = {}
        self.held: list[Callable[[Exception | None], None]] = []
        self.waiting: list[int] = []
        """Stored messages without a valid ciphertext, in order."""
        self.queued = 0
        """Accepted messages without a result."""
        self.holders = 0
        """Tasks that wait for something before they use this lane: it must stay the only one of its peer."""
        self.units = 0
        """Units under way that hold sessions or messages of this lane."""
        self.storing = 0
        """Those of them that store a message without a ciphertext."""
        self.settled: asyncio.Future[None] | None = None
        """Set by who waits for `storing` to become 0."""
        self.backlog: list[Entry] = []
        self.is_blocked = False
        """The relay refused a post of this lane: what follows waits with it."""
        self.failures = 0
        self.changes = 0
        """How often the relay said, since it took a post, that the device list is another one."""
        self.is_used = True
        """Somebody asked for this lane since it was last looked at."""
        self.ties: Ties | None = None
        """What the peer and we have of each other's chains in groups; None for nothing."""

    @property
    def is_loaded(self) -> bool:
        return self.phase in _LOADED

    @property
    def has_posts(self) -> bool:
        """Whether accepted messages are, or will be, on their way with the sessions of today."""
        return self.queued > len(self.waiting) + self.storing

    @property
    def is_idle(self) -> bool:
        return not (
            self.queued or self.holders or self.units or self.held or self.waiting or self.backlog or self.is_blocked
        )

    def rest(self) -> None:
        """Take less memory until the next use."""
        for correspondent in self.devices.values():
            correspondent.rest()

    def stored(self) -> None:
        """Note the end of a unit that stored a message without a ciphertext."""
        self.storing -= 1
        if not self.storing and self.settled is not None:
            self.settled.set_result(None)
            self.settled = None

    def outdate(self) -> None:
        """Note that the device list has changed: before the next ciphertext a bundle is needed."""
        self.devices_version = 0
        if self.phase is Phase.HOT:
            self.phase = Phase.DRY

    def put_back(self, row: int) -> None:
        """Let a stored message wait for a new ciphertext, at its place."""
        insort(self.waiting, row)
        if self.phase is Phase.HOT:
            self.phase = Phase.DRY

    def forget_sessions(self) -> None:
        self.generation += 1
        self.devices_version = 0
        self.identity = None
        self.standing = Standing()
        self.devices = {}
        self.registration_ids = {}
        self.ties = None


class Lanes:
    """All lanes in memory."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lanes: dict[str, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._limit = MAX_CACHED_SESSIONS
        self._unseen: list[Lane] = []
        """What is left of a round of `tend`."""
        self._timer: asyncio.TimerHandle | None = None
        self.queued = 0
        """Accepted messages without a result, of all lanes."""
        self.listeners: list[Callable[[Lane], None]] = []
        """Told of each lane that was loaded or is not blocked any more."""

    def get(self, number: str) -> Lane:
        lane = self._lanes.get(number)
        if lane is None:
            if len(self._lanes) >= self._limit:
                self._evict()
            lane = self._lanes[number] = Lane(number)
            if self._timer is None:
                self._tend_later()
        lane.is_used = True
        return lane

    @contextmanager
    def hold(self, number: str) -> Iterator[Lane]:
        """Give the lane to a task that has to wait before it uses it: a second one would encrypt with the same keys."""
        lane = self.get(number)
        lane.holders += 1
        try:
            yield lane
        finally:
            lane.holders -= 1

    def all(self) -> list[Lane]:
        return list(self._lanes.values())

    def close(self) -> None:
        """Look after the lanes no more."""
        if self._timer is not None:
            self._timer.cancel()

    def tend(self) -> None:
        """Look at the next lanes: the used ones go behind all others, and idle ones that were not used take rest.

        So the lanes stand in the order of their last use, as far as rounds tell, and the way of a message pays no more
        for that than one bit.
        """
        if not self._unseen:
            self._unseen = list(reversed(self._lanes.values()))
        for lane in [self._unseen.pop() for _ in range(min(len(self._unseen), _TENDED_AT_ONCE))]:
            if self._lanes.get(lane.number) is not lane:
                continue
            if lane.is_used:
                lane.is_used = False
                self._lanes[lane.number] = self._lanes.pop(lane.number)
            elif lane.is_idle:
                lane.rest()

    def _tend_later(self) -> None:
        turns = max(len(self._lanes) / _TENDED_AT_ONCE, 1)
        self._timer = asyncio.get_running_loop().call_later(_ROUND_S / turns, self._tend_now)

    def _tend_now(self) -> None:
        self.tend()
        self._tend_later()

    def __len__(self) -> int:
        return len(self._lanes)

    def count(self, lane: Lane, messages: int) -> None:
        """Note that so many messages more (or fewer) of *lane* are without a result."""
        lane.queued += messages
        self.queued += messages

    def when_loaded(self, lane: Lane, callback: Callable[[Exception | None], None]) -> None:
        """Call back once the lane is loaded, or with the error that kept it from that; in order, never at once."""
        lane.held.append(callback)
        if lane.phase is Phase.COLD:
            self._start_load(lane)

    async def loaded(self, lane: Lane) -> None:
        """Return once the lane is loaded."""
        if not lane.is_loaded:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def settle(error: Exception | None) -> None:
                if not future.done():
                    future.set_result(None) if error is None else future.set_exception(error)

            self.when_loaded(lane, settle)
            await future

    async def commit(self, unit: Unit, lane: Lane) -> None:
        """Commit a unit that holds sessions of *lane*; raise where that failed.

        The lane learns of the end at once and not when the task runs: nothing is encrypted with lost sessions between.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(error: Exception | None) -> None:
            self.ended(lane, error)
            if not future.done():
                future.set_result(None) if error is None else future.set_exception(error)

        lane.units += 1
        try:
            self._context.database.commit_then(unit, settle)
        except Exception as error:
            settle(error)
        await future

    def ended(self, lane: Lane, error: Exception | None) -> None:
        """Note the end of a unit that held sessions of *lane*."""
        lane.units -= 1
        if error is not None:
            self.spoil(lane)
        elif lane.phase is Phase.STALE and not lane.units:
            self._start_load(lane)

    def spoil(self, lane: Lane) -> None:
        """Drop the lane's sessions: they may be ahead of the database. They are loaded again before the next use."""
        lane.forget_sessions()
        lane.phase = Phase.STALE
        if not lane.units:
            self._start_load(lane)

    def _start_load(self, lane: Lane) -> None:
        lane.phase = Phase.LOADING
        task = asyncio.get_running_loop().create_task(self._load(lane, lane.generation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load(self, lane: Lane, generation: int) -> None:
        error: Exception | None = None
        row = ties = None
        try:
            row = await self._context.peers.load(lane.number)
            if row is not None and len(self._context.groups):
                ties = await self._context.groups.store.load_ties(row.id)
        except Exception as raised:
            log.warning("a peer could not be loaded", code=getattr(raised, "code", type(raised).__name__))
            error = raised
        if lane.generation != generation:
            return  # spoiled meanwhile: a later load counts, and what this one read may be older
        if error is not None:
            lane.phase = Phase.COLD
        else:
            lane.is_new = row is None
            lane.peer = self._context.next_peer.take() if row is None else row.id
            if row is not None:
                lane.identity, lane.standing = row.identity, row.standing
                lane.devices, lane.registration_ids = row.devices, row.registration_ids
                lane.devices_version = row.devices_version if row.devices else 0
                lane.ties = ties
            lane.phase = Phase.HOT if lane.devices_version and lane.devices and not lane.waiting else Phase.DRY
        self.release(lane, error)
        self.tell(lane)

    def block(self, lane: Lane, delay_ms: int) -> None:
        """Leave the lane alone for a while: neither posts nor new sessions."""
        if not lane.is_blocked:
            lane.is_blocked = True
            asyncio.get_running_loop().call_later(delay_ms / 1_000, self._unblock, lane)

    def _unblock(self, lane: Lane) -> None:
        lane.is_blocked = False
        self.tell(lane)

    def tell(self, lane: Lane) -> None:
        """Have everybody look at the lane again."""
        for listener in self.listeners:
            listener(lane)

    def release(self, lane: Lane, error: Exception | None = None) -> None:
        """Let what was held go on."""
        held, lane.held = lane.held, []
        for callback in held:
            callback(error)

    def _evict(self) -> None:
        """Let go of the idle lanes whose last use is longest ago; they are loaded again when needed."""
        share = max(MAX_CACHED_SESSIONS // 16, 1)
        oldest = chain(self._idle(is_used=False), self._idle(is_used=True))
        for number in list(islice(oldest, len(self._lanes) - MAX_CACHED_SESSIONS + share)):
            del self._lanes[number]
        # Where most are busy, the next search comes later and not with each new lane.
        self._limit = max(MAX_CACHED_SESSIONS, len(self._lanes) + share)

    def _idle(self, *, is_used: bool) -> Iterator[str]:
        for number, lane in self._lanes.items():
            if lane.is_used is is_used and lane.is_idle and lane.phase is not Phase.LOADING:
                yield number
