"""Messages from peers, and the ids that were seen."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from corefast.core.store.messages import OldMessage
from corefast.core.store.span import Span
from corefast.endpoint.vault import Vault
from corefast.store.database import Database, Statement, Unit

_ASKED = 32
"""Ids looked up by one statement; SQLite's own cost is the same for any number of them."""


class InboundKind(IntEnum):
    """What an inbound item turned out to be."""

    TEXT = 1
    READ = 2
    """A read receipt, another item with nothing to show, or a message that was too old; the row remembers its id."""
    UNREADABLE = 3
    UNDOWNLOADED = 4
    """A message whose medium is not fetched."""


class InboundRow(msgspec.Struct, frozen=True):
    """A message from a peer; *plaintext* is None where it could not be read."""

    remote_id: bytes
    number: str
    at_ms: int
    plaintext: bytes | None
    kind: InboundKind = InboundKind.TEXT
    group: bytes | None = None
    """Where it was said."""


class Unread(NamedTuple):
    """Messages of the peer *number* that the business has not read: their rows and remote ids."""

    number: str
    messages: list[tuple[int, bytes]]


class InboundStore:
    """What peers sent; bodies are sealed. A row without a body remembers that an id was seen."""

    def __init__(self, database: Database, vault: Vault, span: Span) -> None:
        self._database = database
        self._vault = vault
        self._span = span
        self._account = span.account

    _PUT = Statement(
        "INSERT INTO inbound (id, account, peer, kind, at_ms, remote_id, sealed, identity_hash, identity_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )

    def put(
        self,
        unit: Unit,
        row: int,
        peer: int,
        kind: InboundKind,
        item: tuple[bytes, int, bytes | None],
        flag: tuple[str, int] | None = None,
    ) -> None:
        """Add an *item*: its id, the relay's time, the plaintext.

        *flag*: hash and time of the identity key that it came under, where nobody had acknowledged that.
        """
        remote_id, at_ms, plaintext = item
        sealed = None if plaintext is None else self.seal(row, plaintext)
        unit.add(self._PUT, row, self._account, peer, int(kind), at_ms, remote_id, sealed, *(flag or (None, None)))

    _REPLACE = Statement(
        "UPDATE inbound SET kind = ?, sealed = ?, identity_hash = ?, identity_ms = ? WHERE id = ? AND kind = 3"
    )

    def replace(
        self, unit: Unit, row: int, kind: InboundKind, plaintext: bytes | None, flag: tuple[str, int] | None
    ) -> None:
        """Put what came once more into the row that recorded it as unreadable."""
        sealed = None if plaintext is None else self.seal(row, plaintext)
        unit.add(self._REPLACE, int(kind), sealed, *(flag or (None, None)), row)

    _FORGET = Statement("UPDATE inbound SET sealed = NULL WHERE id = (SELECT ref FROM event WHERE id = ?)")

    def forget(self, unit: Unit, position: int) -> None:
        """Drop the body of the message that the event at *position* told of."""
        unit.add(self._FORGET, position)

    _KNOWN = Statement(
        "SELECT i.remote_id, p.number FROM inbound i JOIN peer p ON p.id = i.peer"
        " WHERE i.account = ? AND i.remote_id IN (?" + ", ?" * (_ASKED - 1) + ")"
    )

    async def known(self, remote_ids: list[bytes]) -> set[tuple[str, bytes]]:
        """Return which of these ids were stored before, with the number of their sender."""
        found: set[tuple[str, bytes]] = set()
        for start in range(0, len(remote_ids), _ASKED):
            asked = remote_ids[start : start + _ASKED]
            asked += asked[:1] * (_ASKED - len(asked))
            rows = await self._database.fetch(self._KNOWN, self._account, *asked)
            found.update((number, remote_id) for remote_id, number in rows)
        return found

    _LOAD = Statement(
        "SELECT i.id, i.remote_id, p.number, i.at_ms, i.sealed, i.kind, NULL"
        " FROM inbound i JOIN peer p ON p.id = i.peer"
        " WHERE i.remote_id = ? AND i.account = ? AND i.kind <> 2 ORDER BY i.id LIMIT 1"
    )

    _LOAD_SAID = Statement(
        "SELECT i.id, g.said, p.number, i.at_ms, i.sealed, i.kind, g.name FROM group_inbound g"
        " JOIN inbound i ON i.id = g.inbound JOIN peer p ON p.id = i.peer"
        " WHERE g.said = ? AND g.account = ? AND i.kind <> 2 ORDER BY i.id LIMIT 1"
    )

    async def load(self, remote_id: bytes) -> InboundRow | None:
        """Return the first message with this id, its own or that of its group's members."""
        rows = [
            *await self._database.fetch(self._LOAD, remote_id, self._account),
            *await self._database.fetch(self._LOAD_SAID, remote_id, self._account),
        ]
        if not rows:
            return None
        row, remote_id, number, at_ms, sealed, kind, group = min(rows, key=_first)
        plaintext = None if sealed is None else self.open(row, sealed)
        return InboundRow(remote_id, number, at_ms, plaintext, InboundKind(kind), group)

    _UNREAD = Statement(
        "SELECT id, remote_id FROM inbound WHERE peer = ? AND id <= ? AND read_ms IS NULL AND kind = 1"
        " AND NOT EXISTS (SELECT 1 FROM group_inbound g WHERE g.inbound = inbound.id) ORDER BY id DESC LIMIT ?"
    )
    _UNREAD_SAID = Statement(
        "SELECT i.id, g.said FROM inbound i JOIN group_inbound g ON g.inbound = i.id"
        " WHERE i.peer = ? AND i.id <= ? AND g.name = ? AND i.read_ms IS NULL AND i.kind = 1 ORDER BY i.id DESC LIMIT ?"
    )
    _FIND_SAID = Statement(
        "SELECT i.id, i.peer, p.number, g.name FROM group_inbound g JOIN inbound i ON i.id = g.inbound"
        " JOIN peer p ON p.id = i.peer WHERE g.said = ? AND g.account = ? AND i.kind = 1 ORDER BY i.id LIMIT 1"
    )
    _FIND = Statement(
        "SELECT i.id, i.peer, p.number, NULL FROM inbound i JOIN peer p ON p.id = i.peer"
        " WHERE i.remote_id = ? AND i.account = ? AND i.kind = 1 ORDER BY i.id LIMIT 1"
    )

    async def unread(self, remote_id: bytes, limit: int) -> Unread | None:
        """Return the messages of the same peer up to this one that the business has not read; None for no message.

        Of a group's message: those of the same author in that group, with the ids that all members know.
        """
        found = [
            *await self._database.fetch(self._FIND, remote_id, self._account),
            *await self._database.fetch(self._FIND_SAID, remote_id, self._account),
        ]
        if not found:
            return None
        row, peer, number, name = min(found, key=_first)
        if name is None:
            rows = await self._database.fetch(self._UNREAD, peer, row, limit)
        else:
            rows = await self._database.fetch(self._UNREAD_SAID, peer, row, name, limit)
        return Unread(number, [tuple(each) for each in rows])

    _SET_READ = Statement("UPDATE inbound SET read_ms = ? WHERE id = ? AND read_ms IS NULL")

    def set_read(self, unit: Unit, rows: list[int], at_ms: int) -> None:
        for row in rows:
            unit.add(self._SET_READ, at_ms, row)

    _PAGE = Statement(
        "SELECT i.id, i.at_ms FROM inbound i LEFT JOIN ask a ON a.id = i.id"
        " WHERE i.account = ? AND i.id > ? AND i.id < ? AND i.kind <> 2 AND a.id IS NULL ORDER BY i.id LIMIT ?"
    )

    async def load_page(self, after: int, end: int, limit: int) -> list[OldMessage]:
        """Return the next messages between two ids, in order; without those that we have asked for once more."""
        return [OldMessage(*row) for row in await self._database.fetch(self._PAGE, self._account, after, end, limit)]

    _EMPTY = Statement(
        "UPDATE inbound SET kind = 2, sealed = NULL, identity_hash = NULL, identity_ms = NULL, read_ms = NULL"
        " WHERE id = ?"
    )

    def empty(self, unit: Unit, row: int) -> None:
        """Forget a message except for its id, which `sweep` forgets later."""
        unit.add(self._EMPTY, row)

    # id + 0: so that no engine walks the messages in between, by their ids.
    _OLD = Statement(
        "SELECT id FROM inbound WHERE account = ? AND kind = 2 AND at_ms < ? AND id + 0 > ? AND id + 0 <= ? LIMIT 1000"
    )
    _DELETE = Statement("DELETE FROM inbound WHERE id = ?")
    _DELETE_SAID = Statement("DELETE FROM group_inbound WHERE inbound = ?")

    async def sweep(self, unit: Unit, before_ms: int) -> int:
        """Forget read marks that the relay cannot repeat any more; return how many of at most 1,000."""
        rows = await self._database.fetch(self._OLD, self._account, before_ms, self._span.floor, self._span.last)
        for (row,) in rows:
            unit.add(self._DELETE, row)
            unit.add(self._DELETE_SAID, row)
        return len(rows)

    _LAST = Statement("SELECT max(id) FROM inbound WHERE id > ? AND id <= ?")

    async def last_id(self) -> int:
        return (await self._database.fetch(self._LAST, self._span.floor, self._span.last))[0][0] or 0

    def seal(self, row: int, plaintext: bytes) -> bytes:
        return self._vault.seal("inbound", row.to_bytes(8, "big"), plaintext)

    def open(self, row: int, sealed: bytes) -> bytes:
        return self._vault.open("inbound", row.to_bytes(8, "big"), sealed)


def _first(row: Sequence[Any]) -> int:
    """Return what rows are ordered by: an author could take another message's id, and the earlier one has it."""
    return int(row[0])
