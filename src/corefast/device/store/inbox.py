"""What others sent us: each (sender, id) once, kept until and after it was shown."""

import asyncio
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.limits import MESSAGE_TTL_MS
from corefast.logs import get_logger
from corefast.store.database import Database, Row, Statement, Unit

log = get_logger()

_CHUNK = 64
_MARKS = ", ".join("?" * _CHUNK)

_KNOWN = Statement(f"SELECT sender, id FROM inbox WHERE id IN ({_MARKS})")  # noqa: S608 - only question marks
_UNREAD = Statement(
    f"SELECT sender, id FROM inbox WHERE id IN ({_MARKS}) AND what = 1 AND is_read = 0 ORDER BY seq"  # noqa: S608
)
_PUT = Statement(
    "INSERT INTO inbox (sender, device, id, what, at_ms, received_ms, is_shown, is_read, content)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)"
)
_DELETE = Statement("DELETE FROM inbox WHERE id = ? AND sender = ? AND what = 3")
_WAITING = Statement(
    "SELECT seq, sender, device, id, what, at_ms, received_ms, content FROM inbox"
    " WHERE is_shown = 0 AND seq > ? ORDER BY seq LIMIT ?"
)
_FIND = Statement(
    "SELECT seq, sender, device, id, what, at_ms, received_ms, content FROM inbox"
    " WHERE id = ? AND sender = ? AND what = 1"
)
_SET_SHOWN = Statement("UPDATE inbox SET is_shown = 1 WHERE seq = ?")
_SET_READ = Statement("UPDATE inbox SET is_read = 1 WHERE id = ? AND sender = ? AND is_read = 0")
_SWEEP = Statement("DELETE FROM inbox WHERE what = 2 AND received_ms < ?")


class What(IntEnum):
    """What a row of the inbox (all) or the outbox (the first two, and copies for our other devices) is."""

    MESSAGE = 1
    READ = 2
    UNREADABLE = 3
    IDENTITY_CHANGED = 4
    SENT = 5


class InboxRow(NamedTuple):
    """One row; `content` is in clear here and sealed in the table."""

    seq: int
    sender: str
    device: int
    id: bytes
    what: What
    at_ms: int
    received_ms: int
    content: bytes


class InboxStore:
    """Keeps received messages."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def known(self, ids: Sequence[bytes]) -> set[tuple[str, bytes]]:
        """Return which (sender, id) pairs with one of *ids* are stored."""
        return {(sender, message_id) for sender, message_id in await self._fetch_by_id(_KNOWN, ids)}

    def put(self, unit: Unit, row: InboxRow, *, is_shown: bool) -> None:
        """Add a row; its `seq` is given by the table."""
        sealed = self._vault.seal("inbox", row.id + row.sender.encode(), row.content)
        facts = (row.sender, row.device, row.id, int(row.what), row.at_ms, row.received_ms, int(is_shown))
        unit.add(_PUT, *facts, sealed, rows=1)

    def delete_unreadable(self, unit: Unit, sender: str, message_id: bytes) -> None:
        """Drop the record of an unreadable message, which has come after all."""
        unit.add(_DELETE, message_id, sender)

    async def waiting(self, after_seq: int, limit: int) -> list[InboxRow]:
        """Return the first *limit* rows behind *after_seq* that were not shown, in order of arrival.

        A damaged one is unreadable, with the code of that error.
        """
        rows = await self._database.fetch(_WAITING, after_seq, limit)
        return [self._open(row) for row in rows]

    async def find(self, sender: str, message_id: bytes) -> InboxRow | None:
        """Return a message; None where there is none, or a damaged one."""
        rows = [self._open(row) for row in await self._database.fetch(_FIND, message_id, sender)]
        return rows[0] if rows and rows[0].what == What.MESSAGE else None

    def set_shown(self, unit: Unit, seqs: Iterable[int]) -> None:
        for seq in seqs:
            unit.add(_SET_SHOWN, seq)

    async def unread(self, ids: Sequence[bytes]) -> list[tuple[str, bytes]]:
        """Return (sender, id) of the messages among *ids* whose authors do not know yet that they were read."""
        return [(sender, message_id) for sender, message_id in await self._fetch_by_id(_UNREAD, ids)]

    def set_read(self, unit: Unit, sender: str, ids: Iterable[bytes]) -> None:
        for message_id in ids:
            unit.add(_SET_READ, message_id, sender)

    def sweep(self, unit: Unit, now_ms: int) -> None:
        """Forget read receipts that are too old to be delivered once more."""
        unit.add(_SWEEP, now_ms - 2 * MESSAGE_TTL_MS)

    async def _fetch_by_id(self, statement: Statement, ids: Sequence[bytes]) -> list[Row]:
        chunks = [ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK)]
        answers = await asyncio.gather(
            *(self._database.fetch(statement, *chunk, *[None] * (_CHUNK - len(chunk))) for chunk in chunks)
        )
        return [row for answer in answers for row in answer]

    def _open(self, row: Row) -> InboxRow:
        seq, sender, device, message_id, what, at_ms, received_ms, sealed = row
        try:
            content = self._vault.open("inbox", message_id + sender.encode(), sealed)
        except SealBroken as error:
            log.error("inbox.damaged", code=error.code)
            what, content = What.UNREADABLE, error.code.encode()
        return InboxRow(seq, sender, device, message_id, What(what), at_ms, received_ms, content)
