"""What time and replacement do to waiting items: removed, and their authors told."""

from collections.abc import Callable, Iterable

from corefast.limits import MESSAGE_TTL_MS
from corefast.relay.mailbox import SHARD_BITS
from corefast.relay.router import Router
from corefast.relay.store.mailbox import MailboxStore
from corefast.wire.messages import Kind

PAGE_ROWS = 500
_COLUMNS = 6


class Sweep:
    """Walks the rows in pages; a pass that is cut short is made up for by the next one."""

    def __init__(self, store: MailboxStore, router: Router, clock: Callable[[], int]) -> None:
        self._store = store
        self._router = router
        self._clock = clock

    async def expire(self) -> int:
        """Report every message whose time is over as `EXPIRED`; return how many rows that were."""
        now_ms = self._clock()
        return await self._expire_own(now_ms) + await self._expire_old(now_ms - MESSAGE_TTL_MS)

    async def _expire_own(self, now_ms: int) -> int:
        """Those with a time of their own."""
        count, after = 0, (0, 0)
        while rows := await self._store.pending_expired(now_ms, after, PAGE_ROWS):
            self._router.discard(Kind.EXPIRED, [row[:_COLUMNS] for row in rows])
            count += len(rows)
            after = (rows[-1][_COLUMNS], rows[-1][0])
        return count

    async def _expire_old(self, bound_ms: int) -> int:
        """Those that the relay kept as long as it keeps anything: they stand at the beginning."""
        count, after = 0, 0
        while rows := await self._store.pending_oldest(after, PAGE_ROWS):
            old = [row[:_COLUMNS] for row in rows if row[_COLUMNS] <= bound_ms and row[_COLUMNS + 1] is None]
            self._router.discard(Kind.EXPIRED, old)
            count += len(old)
            after = rows[-1][0]
            if rows[-1][_COLUMNS] > bound_ms:
                break
        return count

    async def fail(self, mailboxes: Iterable[int]) -> None:
        """Report everything in the mailboxes of replaced devices as `FAILED`."""
        await self._clear(mailboxes, Kind.FAILED)

    async def drop(self, mailboxes: Iterable[int]) -> None:
        """Empty the mailboxes of unlinked devices; what becomes of a message is said by the devices that stay."""
        await self._clear(mailboxes, 0)

    async def _clear(self, mailboxes: Iterable[int], kind: int) -> None:
        for mailbox in mailboxes:
            after = 0
            while rows := await self._store.pending_of(mailbox, after, PAGE_ROWS):
                self._router.discard(kind, rows)
                after = rows[-1][0]


def mailboxes_of(device: int, shards: int) -> list[int]:
    """Return the keys of a device's mailboxes."""
    return [(device << SHARD_BITS) + shard for shard in range(shards)]
