"""Says something to all members of a group at once: one commit for the chain, every member's message and ciphertext.

Beside the way of single messages, which pays nothing for it: a task for each message, one at a time for each group.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from corefast.core.context import Context
from corefast.core.group.book import Chain
from corefast.core.group.cast import Announcement, Cast
from corefast.core.ids import group_id, outbound_id
from corefast.core.send.lane import Lane, Lanes
from corefast.core.send.outbox import Outbox
from corefast.core.send.preparer import Preparer
from corefast.core.send.status import Statuses
from corefast.endpoint.group import Group
from corefast.errors import GroupInvalid, GroupMissing, GroupNotJoined, Overloaded
from corefast.limits import MAX_WAITING_BROADCASTS, MAX_WAITING_MESSAGES
from corefast.store.database import Unit
from corefast.wire.content import Content, GroupNews, GroupTag
from corefast.wire.gateway import Accepted

_LOADS_AT_ONCE = 32
"""Lanes of one group that are read from the database side by side."""


class Broadcast:
    """Speaks to groups."""

    def __init__(self, context: Context, lanes: Lanes, outbox: Outbox, preparer: Preparer, statuses: Statuses) -> None:
        self._context = context
        self._lanes = lanes
        self._outbox = outbox
        self._preparer = preparer
        self._statuses = statuses
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._waiting = 0
        self.check_room: Callable[[], None] = lambda: None
        """Raises where nothing is accepted."""

    @asynccontextmanager
    async def turn(self, name: bytes) -> AsyncIterator[None]:
        """Wait until nobody else speaks to this group or changes it.

        Raises `Overloaded` where too many wait, and what `check_room` does.
        """
        self.check_room()
        if self._waiting >= MAX_WAITING_BROADCASTS:
            raise Overloaded("too many messages wait for their groups", retry_after_ms=1_000)
        lock = self._turns.get(name)
        if lock is None:
            lock = self._turns[name] = asyncio.Lock()
        self._waiting += 1
        try:
            async with lock:
                await self._context.groups.settle()
                yield
        finally:
            self._waiting -= 1

    def joined(self, name: bytes | None) -> Group:
        """Return a group that we are in; raise `GroupMissing` or `GroupNotJoined`."""
        group = None if name is None else self._context.groups.get(name)
        if group is None:
            raise GroupMissing("no group has this id")
        if not group.has(self._context.number):
            raise GroupNotJoined("this account is not in the group any more")
        return group

    async def say(self, name: bytes | None, announcement: Announcement) -> Accepted:
        """Say it to everybody who is in the group when it is encrypted; return once it is durable."""
        known = self.joined(name)
        async with self.turn(known.id):
            with ExitStack() as stack:
                lanes, chain = await self._gather(stack, lambda: self._audience(known.id), known.id)
                head_id = await self._commit(self.joined(known.id), chain, lanes, announcement)
        return Accepted(outbound_id(head_id), group_id(known.id))

    async def tell(
        self, group: Group, numbers: list[str], also: Callable[[Unit, int], None], done: Callable[[], None]
    ) -> None:
        """Tell *numbers* of the group as it is to be from now on, in one commit with what *also* adds.

        *done* is called at its end, before anything else happens. The caller has the turn.
        """
        context = self._context

        def write(head_id: bytes, at_ms: int) -> Content:
            return Content(head_id, at_ms, GroupNews(), group=GroupTag(group.id), author=context.number)

        with ExitStack() as stack:
            lanes, chain = await self._gather(stack, lambda: numbers, group.id)
            await self._commit(group, chain, lanes, Announcement(write, also, done, is_quiet=True))

    def _audience(self, name: bytes) -> list[str]:
        numbers = self.joined(name).others(self._context.number)
        if not numbers:
            raise GroupInvalid("nobody else is in the group")
        return numbers

    async def _gather(
        self, stack: ExitStack, numbers: Callable[[], list[str]], name: bytes
    ) -> tuple[list[Lane], Chain]:
        """Return the lanes of *numbers*, loaded, and our chain; what holds of them holds until the next await."""
        held: dict[str, Lane] = {}
        chain = await self._context.groups.load_chain(name, self._context.random)
        while True:
            wanted = numbers()
            for number in wanted:
                if number not in held:
                    held[number] = stack.enter_context(self._lanes.hold(number))
            lanes = [held[number] for number in wanted]
            cold = [lane for lane in lanes if not lane.is_loaded]
            if not cold:
                return lanes, chain
            await asyncio.gather(*(self._lanes.loaded(lane) for lane in cold[:_LOADS_AT_ONCE]))

    async def _commit(self, group: Group, chain: Chain, lanes: list[Lane], announcement: Announcement) -> bytes:
        if self._lanes.queued + len(lanes) > MAX_WAITING_MESSAGES:
            raise Overloaded("too many messages wait for the relay", retry_after_ms=5_000)
        cast = Cast(self._context, group, announcement, self._statuses)
        try:
            cast.encrypt(chain, lanes)
        except Exception:
            for lane in cast.lanes:
                self._lanes.spoil(lane)  # nothing was queued, but the sessions may have moved
            raise
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(error: Exception | None) -> None:
            self._committed(cast, error)
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(error)

        self._begin(cast)
        try:
            self._context.database.commit_then(cast.unit, settle)
        except Exception as error:
            settle(error)
        await done
        return cast.head_id

    def _begin(self, cast: Cast) -> None:
        for lane in cast.lanes:
            lane.units += 1
        for entry in cast.entries:
            self._lanes.count(entry.lane, 1)
        for lane, _ in cast.bare:
            lane.storing += 1
            self._lanes.count(lane, 1)

    def _committed(self, cast: Cast, error: Exception | None) -> None:
        """Take the end of the unit, lane by lane, as the way of single messages does."""
        if error is None:
            cast.done()
            for lane, row in cast.bare:
                lane.put_back(row)
        else:
            for entry in cast.entries:
                self._lanes.count(entry.lane, -1)
            for lane, _ in cast.bare:
                self._lanes.count(lane, -1)
        for lane, _ in cast.bare:
            lane.stored()
        for lane in cast.lanes:
            self._lanes.ended(lane, error)
        for lane, _ in cast.bare:
            self._preparer.wake(lane)
        if error is None:
            for entry in cast.entries:
                self._outbox.add(entry)
            self._context.bell.ring()
