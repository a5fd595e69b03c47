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
    f"SELECT sender, coalesce(said, id) FROM inbox WHERE (id IN ({_MARKS}) AND said IS NULL OR said IN ({_MARKS}))"  # noqa: S608
    " AND what = 1 AND is_read = 0 ORDER BY seq"
)
_PUT = Statement(
    "INSERT INTO inbox (sender, device, id, what, at_ms, received_ms, is_shown, is_read, content)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)"
)
_PUT_SAID = Statement(
    "INSERT INTO inbox (sender, device, id, what, at_ms, received_ms, is_shown, is_read, content, said, group_id)"
    " SELECT ?, ?, ?, CASE WHEN d THEN 2 ELSE ? END, ?, ?, d, 0, ?, CASE WHEN d THEN NULL ELSE ? END, ?"
    " FROM (SELECT EXISTS (SELECT 1 FROM inbox WHERE said = ? AND sender = ?) AS d)"
)
_DELETE = Statement("DELETE FROM inbox WHERE id = ? AND sender = ? AND what = 3")
_WAITING = Statement(
    "SELECT seq, sender, device, id, what, at_ms, received_ms, content, said, group_id FROM inbox"
    " WHERE is_shown = 0 AND seq > ? ORDER BY seq LIMIT ?"
)
_FIND = Statement(
    "SELECT seq, sender, device, id, what, at_ms, received_ms, content, said, group_id FROM inbox"
    " WHERE id = ? AND sender = ? AND what = 1 AND said IS NULL"
)
_FIND_SAID = Statement(
    "SELECT seq, sender, device, id, what, at_ms, received_ms, content, said, group_id FROM inbox"
    " WHERE said = ? AND group_id = ? AND what = 1 ORDER BY seq LIMIT 1"
)
_SET_SHOWN = Statement("UPDATE inbox SET is_shown = 1 WHERE seq = ?")
_SET_READ = Statement(
    "UPDATE inbox SET is_read = 1 WHERE (id = ? AND said IS NULL OR said = ?) AND sender = ? AND is_read = 0"
)
_SWEEP = Statement("DELETE FROM inbox WHERE what = 2 AND received_ms < ?")


class What(IntEnum):
    """What a row of the inbox (all) or the outbox (the first two, and copies for our other devices) is."""

    MESSAGE = 1
    READ = 2
    UNREADABLE = 3
    IDENTITY_CHANGED = 4
    SENT = 5
    GROUP = 6


class InboxRow(NamedTuple):
    """One row; `content` is in clear here and sealed in the table.

    `said` is the id that a message in a `group` has for all its members, where `id` names its way to us.
    """

    seq: int
    sender: str
    device: int
    id: bytes
    what: What
    at_ms: int
    received_ms: int
    content: bytes
    said: bytes | None = None
    group: bytes | None = None


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

    def put_said(self, unit: Unit, row: InboxRow) -> None:
        """Add a row of a group, to be shown unless its author has said the same already, by another way."""
        sealed = self._vault.seal("inbox", row.id + row.sender.encode(), row.content)
        facts = (row.sender, row.device, row.id, int(row.what), row.at_ms, row.received_ms)
        unit.add(_PUT_SAID, *facts, sealed, row.said, row.group, row.said, row.sender, rows=1)

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

    async def find_said(self, group_id: bytes, said: bytes) -> InboxRow | None:
        """Return a message in a group, as `find` does."""
        rows = [self._open(row) for row in await self._database.fetch(_FIND_SAID, said, group_id)]
        return rows[0] if rows and rows[0].what == What.MESSAGE else None

    def set_shown(self, unit: Unit, seqs: Iterable[int]) -> None:
        for seq in seqs:
            unit.add(_SET_SHOWN, seq)

    async def unread(self, ids: Sequence[bytes]) -> list[tuple[str, bytes]]:
        """Return (sender, id) of the messages among *ids* whose authors do not know yet that they were read."""
        return [(sender, message_id) for sender, message_id in await self._fetch_by_id(_UNREAD, ids, times=2)]

    def set_read(self, unit: Unit, sender: str, ids: Iterable[bytes]) -> None:
        for message_id in ids:
            unit.add(_SET_READ, message_id, message_id, sender)

    def sweep(self, unit: Unit, now_ms: int) -> None:
        """Forget read receipts that are too old to be delivered once more."""
        unit.add(_SWEEP, now_ms - 2 * MESSAGE_TTL_MS)

    async def _fetch_by_id(self, statement: Statement, ids: Sequence[bytes], times: int = 1) -> list[Row]:
        chunks = [ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK)]
        answers = await asyncio.gather(
            *(self._database.fetch(statement, *[*chunk, *[None] * (_CHUNK - len(chunk))] * times) for chunk in chunks)
        )
        return [row for answer in answers for row in answer]

    def _open(self, row: Row) -> InboxRow:
        seq, sender, device, message_id, what, at_ms, received_ms, sealed, said, group_id = row
        try:
            content = self._vault.open("inbox", message_id + sender.encode(), sealed)
        except SealBroken as error:
            log.error("inbox.damaged", code=error.code)
            what, content = What.UNREADABLE, error.code.encode()
        return InboxRow(seq, sender, device, message_id, What(what), at_ms, received_ms, content, said, group_id)
