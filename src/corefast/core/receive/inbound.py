"""Takes items out of the relay's mailbox: known ones are acked, new ones stored and then acked."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from corefast import metrics
from corefast.core.context import Context
from corefast.core.receive.batch import Batch
from corefast.core.send.lane import Lane, Lanes
from corefast.core.send.resender import Resender
from corefast.core.send.status import Statuses
from corefast.errors import CorefastError, CreditExceeded
from corefast.limits import MAX_UNACKED_ITEMS
from corefast.logs import get_logger
from corefast.net.transport import Peer
from corefast.wire.messages import Ack, Item, Kind

log = get_logger()

_MESSAGES = (Kind.WHISPER, Kind.PREKEY, Kind.SENDER_KEY)

Key = tuple[str, bytes]
"""A sender's number and the id of a message."""


class Inbound:
    """Works through frames in order, each one unit of work.

    Whatever goes wrong with a commit, the link is dropped: the relay delivers again what was not acked.
    """

    def __init__(self, context: Context, lanes: Lanes, statuses: Statuses, resender: Resender) -> None:
        self._context = context
        self._lanes = lanes
        self._statuses = statuses
        self._resender = resender
        self.on_media: Callable[[list[str]], None] = lambda ids: None
        """Called with the ids of media that came with stored messages."""
        self.on_leaves: Callable[[], None] = lambda: None
        """Called when somebody has left a group of ours."""
        self._frames: deque[tuple[Peer, list[Item]]] = deque()
        self._queued = 0
        self._task: asyncio.Task[None] | None = None
        self._under_way: dict[Key, list[tuple[Peer, int]]] = {}
        """Messages of units that are not committed yet, with repeats that wait for the same commit."""

    def deliver(self, peer: Peer, items: list[Item]) -> None:
        """Queue a frame; raise `CreditExceeded` where the relay sends more than it may before our acks."""
        self._queued += len(items)
        if self._queued > 2 * MAX_UNACKED_ITEMS:
            self._queued -= len(items)
            raise CreditExceeded("the relay sends items faster than we ack them")
        self._frames.append((peer, items))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._frames:
                peer, items = self._frames.popleft()
                self._queued -= len(items)
                if not peer.is_open:
                    continue
                try:
                    await self._take(peer, self._sound(peer, items))
                except Exception as error:
                    log.warning("a frame could not be taken in", code=getattr(error, "code", type(error).__name__))
                    peer.close()
        finally:
            self._task = None

    def _sound(self, peer: Peer, items: list[Item]) -> list[Item]:
        """Return the items of senders that can be some; a relay that makes up others could as well withhold them."""
        made_up = [item.seq for item in items if not item.sender.is_sound]
        if not made_up:
            return items
        log.warning("the relay names senders that cannot be", count=len(made_up))
        peer.notify(Ack(made_up))
        return [item for item in items if item.sender.is_sound]

    async def _take(self, peer: Peer, items: list[Item]) -> None:
        with ExitStack() as stack:
            numbers = {item.sender.id for item in items}
            lanes = {number: stack.enter_context(self._lanes.hold(number)) for number in numbers}
            await self._context.groups.settle()
            known = await self._known(items)
            while cold := [lane for lane in lanes.values() if not lane.is_loaded]:
                await self._lanes.loaded(cold[0])
                known = await self._known(items)
            if peer.is_open:  # else a frame before this one may have failed; the relay brings both again, in order
                self._commit(peer, items, known, lanes)

    async def _known(self, items: list[Item]) -> set[Key]:
        """Return the messages among *items* that are stored; read again if one was committed while we read."""
        ids = [item.id for item in items if item.kind in _MESSAGES]
        if not ids:
            return set()
        while True:
            running = self._under_way.keys() & {(item.sender.id, item.id) for item in items}
            known = await self._context.inbound.known(ids)
            if running <= self._under_way.keys():
                return known

    def _commit(self, peer: Peer, items: list[Item], known: set[Key], lanes: dict[str, Lane]) -> None:
        batch = Batch(self._context, self._statuses)
        acks: list[int] = []
        keys: list[Key] = []
        try:
            for item in items:
                key = (item.sender.id, item.id)
                if item.kind in _MESSAGES and key in self._under_way:
                    self._under_way[key].append((peer, item.seq))
                    continue
                acks.append(item.seq)
                if item.kind in _MESSAGES and key in known:
                    metrics.core_received.labels("known").inc()
                    continue
                if item.kind in _MESSAGES:
                    self._under_way[key] = []
                    keys.append(key)
                batch.add(lanes[item.sender.id], item)
            batch.seal()
        except Exception:
            self._abandon(batch, keys, lanes)
            raise
        if not batch.unit.ops:
            peer.notify(Ack(acks))
            return
        for lane in batch.lanes:
            lane.units += 1
        done = partial(self._committed, batch, peer, acks, keys)
        try:
            self._context.database.commit_then(batch.unit, done)
        except CorefastError as error:
            done(error)

    def _abandon(self, batch: Batch, keys: list[Key], lanes: dict[str, Lane]) -> None:
        """Forget a unit that could not be made: its messages come again, its sessions from the database."""
        for key in keys:
            del self._under_way[key]
        batch.undo()
        for lane in lanes.values():
            self._lanes.spoil(lane)

    def _committed(self, batch: Batch, peer: Peer, acks: list[int], keys: list[Key], error: Exception | None) -> None:
        repeats = [repeat for key in keys for repeat in self._under_way.pop(key)]
        if error is not None:
            batch.undo()
        for lane in batch.lanes:
            self._lanes.ended(lane, error)
        if error is not None:
            log.warning("received messages could not be stored", code=getattr(error, "code", "internal"))
            peer.close()
            return
        peer.notify(Ack(acks))
        for other, seq in repeats:
            other.notify(Ack([seq]))
        batch.repair.done()
        batch.groups.done()
        if batch.media:
            self.on_media(batch.media)
        if batch.groups.has_leaves:
            self.on_leaves()
        for number in batch.repair.peers:
            self._resender.wake(number)
        self._context.bell.ring()
