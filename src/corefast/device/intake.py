"""What the relay says, taken in order: items of the mailbox, results of posts, and news of our number."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from corefast.device.event import Offline
from corefast.device.feed import Feed
from corefast.device.groups import Groups
from corefast.device.profile import Profile
from corefast.device.receiving import Delivery
from corefast.device.registration import Registration
from corefast.device.resending import Resending
from corefast.device.sending import Sending
from corefast.device.siblings import Siblings
from corefast.errors import BusyError, CorefastError, CreditExceeded, RemoteRefused, StoreError
from corefast.limits import MAX_UNACKED_ITEMS
from corefast.logs import get_logger, log_crash
from corefast.net.transport import Peer
from corefast.wire.messages import (
    Ack,
    Deliver,
    DevicesChanged,
    Drained,
    Evicted,
    Item,
    PostResult,
    PostResults,
    PreKeysLow,
    SlotJoined,
)

log = get_logger()


class Intake:
    """Queues what comes and does what it means; *on_evicted* hears why the relay cut us off."""

    def __init__(
        self,
        profile: Profile,
        feed: Feed,
        *,
        registration: Registration,
        siblings: Siblings,
        groups: Groups,
        sending: Sending,
        resending: Resending,
        on_evicted: Callable[[str], None],
    ) -> None:
        self._profile = profile
        self._feed = feed
        self._registration = registration
        self._siblings = siblings
        self._groups = groups
        self._sending = sending
        self._resending = resending
        self._on_evicted = on_evicted
        self._queue: deque[tuple[Peer, Any]] = deque()
        self._queued = asyncio.Event()
        self._items = 0

    def put(self, peer: Peer, message: Any) -> None:
        """Queue what the relay says; raise `CreditExceeded` where it sends more items than it may before our acks."""
        if isinstance(message, Deliver):
            if self._items + len(message.items) > 2 * MAX_UNACKED_ITEMS:
                raise CreditExceeded("the relay sends items faster than we ack them")
            self._items += len(message.items)
        self._queue.append((peer, message))
        self._queued.set()

    async def work(self) -> None:
        """Take what the relay said, in order."""
        failed: Peer | None = None
        while True:
            await self._queued.wait()
            self._queued.clear()
            queue, self._queue, self._items = self._queue, deque(), 0
            for peer, messages in _by_peer(queue):
                if peer is failed:  # its items come again, behind those that could not be stored
                    messages = [message for message in messages if not isinstance(message, Deliver)]
                try:
                    await self._take(peer, messages)
                except Exception as error:
                    # The store failed: nothing was acked, so it all comes again on a new link.
                    log_crash(log, "receiving.failed")
                    code = error.code if isinstance(error, CorefastError) else CorefastError.code
                    self._feed.tell(Offline(code, "what the relay sent could not be stored; trying again"))
                    peer.close()
                    failed = peer

    async def _take(self, peer: Peer, messages: list[Any]) -> None:
        items: list[Item] = []
        results: list[PostResult] = []
        for message in messages:
            match message:
                case Deliver(new):
                    items += new
                case PostResults(new_results):
                    results += new_results
                case PreKeysLow(one_time_left, one_time_kem_left):
                    await self._fill_up(peer, one_time_left, one_time_kem_left)
                case SlotJoined():
                    await self._siblings.joined(peer, message)
                case DevicesChanged():
                    await self._siblings.changed(message)
                    await self._groups.introduce(message.devices)
                case Evicted(code):
                    self._on_evicted(code)
                    peer.close()
                case Drained():
                    pass
                case _:
                    log.warning("message.unexpected", type=type(message).__name__)
        if results:
            self._resending.take_results(results)
            await self._sending.take_results(results)
        if items:
            await self._take_items(peer, items)

    async def _take_items(self, peer: Peer, items: list[Item]) -> None:
        delivery = Delivery(self._profile)
        told = await delivery.take(items)
        self._sending.drop(delivery.dropped)  # before another task runs: they were meant for another identity
        self._feed.tell_all(told)
        peer.notify(Ack([item.seq for item in items]))
        self._resending.wake_all(delivery.peers_to_serve)
        with contextlib.suppress(BusyError, StoreError):  # what is not told now is told later
            await self._groups.settle(delivery.groups_to_settle)
        self._feed.look()

    async def _fill_up(self, peer: Peer, one_time_left: int, one_time_kem_left: int) -> None:
        """Upload prekeys; what fails here is tried again when the relay says so again, or at the next link."""
        try:
            await self._registration.fill_up(peer, one_time_left, one_time_kem_left)
        except (BusyError, RemoteRefused) as error:
            log.warning("prekeys.upload_failed", code=error.code)


def _by_peer(queue: Iterable[tuple[Peer, Any]]) -> list[tuple[Peer, list[Any]]]:
    """Group messages of one link, in order."""
    groups: list[tuple[Peer, list[Any]]] = []
    for peer, message in queue:
        if not groups or groups[-1][0] is not peer:
            groups.append((peer, []))
        groups[-1][1].append(message)
    return groups
