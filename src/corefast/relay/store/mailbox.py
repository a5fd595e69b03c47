"""Rows of mailboxes: appended in the order of `seq`, read in it, removed on the device's word."""

import asyncio
from collections.abc import Callable
from typing import Any

from corefast.limits import MESSAGE_TTL_MS
from corefast.store.database import Database, Row, Statement, Unit

Written = Callable[[Exception | None, list[bool]], None]
Read = Callable[[Exception | None, list[Row]], None]

_PUT = Statement(
    "INSERT OR IGNORE INTO item (seq, mailbox, kind, sender, at_ms, expires_ms, size, is_receipt, id, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING 1",
    "INSERT IGNORE INTO item (seq, mailbox, kind, sender, at_ms, expires_ms, size, is_receipt, id, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING 1",
)
_DELETE = Statement("DELETE FROM item WHERE seq = ? RETURNING 1")
_LOAD = Statement(
    "SELECT seq, kind, sender, at_ms, id, body FROM item"
    " WHERE mailbox = ? AND seq > ? AND at_ms > ? AND (expires_ms IS NULL OR expires_ms > ?) ORDER BY seq LIMIT ?"
)
_COUNT = Statement("SELECT mailbox, count(*), sum(size) FROM item GROUP BY mailbox")
_LAST = Statement("SELECT max(seq) FROM item")
_OLDEST = Statement(
    "SELECT seq, mailbox, kind, sender, size, id, at_ms, expires_ms FROM item WHERE seq > ? ORDER BY seq LIMIT ?"
)
_EXPIRED = Statement(
    "SELECT seq, mailbox, kind, sender, size, id, expires_ms FROM item"
    " WHERE expires_ms IS NOT NULL AND expires_ms <= ? AND (expires_ms, seq) > (?, ?) ORDER BY expires_ms, seq LIMIT ?"
)
_OF_MAILBOX = Statement(
    "SELECT seq, mailbox, kind, sender, size, id FROM item WHERE mailbox = ? AND seq > ? ORDER BY seq LIMIT ?"
)


class MailboxStore:
    """What the router and the sweep ask of the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading: set[asyncio.Task[None]] = set()

    def write(self, rows: list[tuple[Any, ...]], removals: list[int], done: Written) -> None:
        """Put *rows* and take *removals* in one unit; *done* hears of each whether it was new, or there."""
        unit = Unit()
        unit.ops = [(_PUT, row, None) for row in rows]
        unit.ops += [(_DELETE, (seq,), None) for seq in removals]

        def finish(future: "asyncio.Future[list[list[Row]]]") -> None:
            try:
                changed = [bool(rows) for rows in future.result()]
            except Exception as error:
                done(error, [])
            else:
                done(None, changed)

        self._database.commit(unit).add_done_callback(finish)

    def read(self, mailbox: int, after: int, now_ms: int, limit: int, done: Read) -> None:
        """Give *done* the rows (seq, kind, sender, at_ms, id, body) after *after* that are still alive at *now_ms*."""
        task = asyncio.create_task(self._read((mailbox, after, now_ms - MESSAGE_TTL_MS, now_ms, limit), done))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self, params: tuple[int, ...], done: Read) -> None:
        try:
            rows = await self._database.fetch(_LOAD, *params)
        except Exception as error:
            done(error, [])
        else:
            done(None, rows)

    async def counts(self) -> list[Row]:
        """Return (mailbox, rows, bytes) of each mailbox that is not empty."""
        return await self._database.fetch(_COUNT)

    async def last_seq(self) -> int:
        """Return the highest `seq` in use, 0 for none."""
        return (await self._database.fetch(_LAST))[0][0] or 0

    async def pending_oldest(self, after: int, limit: int) -> list[Row]:
        """Return rows (seq, mailbox, kind, sender, size, id, at_ms, expires_ms) in the order of their arrival."""
        return await self._database.fetch(_OLDEST, after, limit)

    async def pending_expired(self, now_ms: int, after: tuple[int, int], limit: int) -> list[Row]:
        """Return rows (…, expires_ms) whose own time is over, in order of (expires_ms, seq)."""
        return await self._database.fetch(_EXPIRED, now_ms, *after, limit)

    async def pending_of(self, mailbox: int, after: int, limit: int) -> list[Row]:
        """Return the rows of one mailbox in order."""
        return await self._database.fetch(_OF_MAILBOX, mailbox, after, limit)
