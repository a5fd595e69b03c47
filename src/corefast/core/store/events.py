"""The feed's rows: one fact each, numbered within the shard."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import msgspec

from corefast.core.store.inbound import InboundKind
from corefast.core.store.messages import Extra, open_extra
from corefast.core.store.span import Span
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Statement, Unit

log = get_logger()


class Fact(IntEnum):
    """The kinds of events as stored."""

    MESSAGE = 1
    SENT = 2
    DELIVERED = 3
    READ = 4
    FAILED = 5
    EXPIRED = 6
    UNREADABLE = 7
    IDENTITY_CHANGED = 8
    SUPERSEDED = 9
    BUNDLE_DOWNGRADED = 10
    MEDIA_FAILED = 11
    MESSAGES_COLLECTED = 12
    MEDIA_COLLECTED = 13
    """Of both `ref` is how many were dropped, -1 where that failed."""


RECEIVED = (Fact.MESSAGE, Fact.UNREADABLE)
STATES = (Fact.SENT, Fact.DELIVERED, Fact.READ, Fact.FAILED, Fact.EXPIRED)


class EventRow(msgspec.Struct, frozen=True):
    """An event with what it refers to; *plaintext* only for `MESSAGE`, *failure* only for `FAILED` and `EXPIRED`."""

    position: int
    kind: Fact
    at_ms: int
    peer: int
    ref: int
    number: str
    remote_id: bytes | None
    plaintext: bytes | None
    failure: int | None
    identity_hash: str | None = None
    """Of a message that came under an identity key which nobody had acknowledged; with the time of that key."""
    identity_ms: int | None = None
    extra: Extra = Extra()
    is_undownloaded: bool = False
    """The medium of this message is not fetched."""
    said: bytes | None = None
    """The id by which all members of a group know the message, and the group."""
    group: bytes | None = None


class EventStore:
    """Appends, reads and sweeps events. Positions are given here and commit in their order; gaps are harmless."""

    def __init__(self, database: Database, vault: Vault, span: Span, clock: Callable[[], int]) -> None:
        self._database = database
        self._vault = vault
        self._span = span
        self._clock = clock
        self.last = 0
        """The last position given, committed or not."""

    _PUT = Statement(
        "INSERT INTO event (id, account, kind, at_ms, made_ms, peer, ref) VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows=(("event", 1),),
    )

    def put(self, unit: Unit, kind: Fact, at_ms: int, peer: int = 0, ref: int = 0) -> None:
        self.last = position = self.last + 1
        unit.add(self._PUT, position, self._span.account, int(kind), at_ms, self._clock(), peer, ref)

    _SELECT = (
        "INSERT INTO event (id, account, kind, at_ms, made_ms, peer, ref)"
        " SELECT ?, account, ?, ?, ?, peer, id FROM message"
    )
    _OPEN = " WHERE id = ? AND peer = ? AND ended_ms IS NULL AND quiet = 0 AND "
    _ROWS = (("event", 1), ("message", 5))
    _PUT_STATE = {
        Fact.SENT: Statement(_SELECT + _OPEN + "sent_ms IS NULL", rows=_ROWS),
        Fact.DELIVERED: Statement(_SELECT + _OPEN + "delivered_ms IS NULL", rows=_ROWS),
        Fact.READ: Statement(_SELECT + _OPEN + "read_ms IS NULL", rows=_ROWS),
        Fact.FAILED: Statement(_SELECT + _OPEN + "delivered_ms IS NULL", rows=_ROWS),
        Fact.EXPIRED: Statement(_SELECT + _OPEN + "delivered_ms IS NULL", rows=_ROWS),
    }

    def put_state(self, unit: Unit, kind: Fact, at_ms: int, peer: int, message: int) -> None:
        """Add the event of a state, unless the message has reached it before or its end; so each comes once."""
        self.last = position = self.last + 1
        unit.add(self._PUT_STATE[kind], position, int(kind), at_ms, self._clock(), message, peer)

    _PUT_PART = {
        fact: Statement(
            "INSERT INTO event (id, account, kind, at_ms, made_ms, peer, ref)"  # noqa: S608
            " SELECT ?, account, ?, ?, ?, peer, id FROM message WHERE ended_ms IS NULL AND quiet = 0"
            f" AND {column} IS NULL AND id = (SELECT message FROM group_part WHERE group_message = ? AND peer = ?)"
        )
        for fact, column in ((Fact.SENT, "sent_ms"), (Fact.DELIVERED, "delivered_ms"), (Fact.READ, "read_ms"))
    }

    def put_read_part(self, unit: Unit, at_ms: int, peer: int, group_message: int) -> None:
        """Add what a group's message has reached at a member that has read it, like `put_state`."""
        for kind, statement in self._PUT_PART.items():
            self.last = position = self.last + 1
            unit.add(statement, position, int(kind), at_ms, self._clock(), group_message, peer)

    _PUT_SAID = Statement(
        "INSERT INTO event (id, account, kind, at_ms, made_ms, peer, ref)"
        " SELECT ?, account, ?, ?, ?, peer, inbound FROM group_inbound WHERE inbound = ?"
    )

    def put_said(self, unit: Unit, at_ms: int, inbound: int) -> None:
        """Add the event of a group's message, unless another row shows it."""
        self.last = position = self.last + 1
        unit.add(self._PUT_SAID, position, int(Fact.MESSAGE), at_ms, self._clock(), inbound)

    def _range(self, after: int = 0) -> tuple[int, int]:
        """Return the bounds of our events behind *after*: above the first, up to the second."""
        return max(after, self._span.floor), self._span.last

    _LOAD = Statement(
        "SELECT e.id, e.kind, e.at_ms, e.peer, e.ref, coalesce(p.number, ''), i.remote_id, i.sealed, m.failure,"
        " i.identity_hash, i.identity_ms, m.extra, i.kind, g.said, g.name"
        " FROM event e LEFT JOIN peer p ON p.id = e.peer"
        " LEFT JOIN inbound i ON e.kind IN (1, 7, 11) AND i.id = e.ref"
        " LEFT JOIN group_inbound g ON e.kind IN (1, 11) AND g.inbound = i.id"
        " LEFT JOIN message m ON e.kind BETWEEN 2 AND 6 AND m.id = e.ref"
        " WHERE e.id > ? AND e.id <= ? ORDER BY e.id LIMIT ?"
    )

    async def load(self, after: int, limit: int) -> list[EventRow]:
        """Return the committed events behind *after*, in order."""
        return [self._row(row) for row in await self._database.fetch(self._LOAD, *self._range(after), limit)]

    def _row(self, row: tuple[Any, ...]) -> EventRow:
        position, kind, at_ms, peer, ref, number, remote_id, sealed, failure, hashed, hashed_ms, extra, told, *said = (
            row
        )
        plaintext = None
        if sealed is not None and kind == Fact.MESSAGE:
            try:
                plaintext = self._vault.open("inbound", ref.to_bytes(8, "big"), sealed)
            except SealBroken as error:
                # An event without its text, rather than a feed that ends here.
                log.error("a stored message is damaged", code=error.code)
        facts = (position, Fact(kind), at_ms, peer, ref, number, remote_id, plaintext, failure, hashed, hashed_ms)
        return EventRow(*facts, self._extra(ref, extra), told == InboundKind.UNDOWNLOADED, *said)

    def _extra(self, message: int, sealed: bytes | None) -> Extra:
        try:
            return open_extra(self._vault, message, sealed)
        except SealBroken as error:
            log.error("what was given with a message is damaged", code=error.code)
            return Extra()

    _TOLD = Statement("SELECT kind, ref FROM event WHERE account = ? AND ref BETWEEN ? AND ?")

    async def told_of(self, kinds: tuple[Fact, ...], first: int, last: int) -> set[int]:
        """Return which of the rows *first* to *last* an event of these kinds refers to."""
        rows = await self._database.fetch(self._TOLD, self._span.account, first, last)
        return {ref for kind, ref in rows if kind in kinds}

    _FIRST = Statement("SELECT min(id) FROM event WHERE id > ? AND id <= ?")
    _LAST = Statement("SELECT max(id) FROM event WHERE id > ? AND id <= ?")

    async def first_id(self) -> int:
        """Return the oldest position kept, 0 when there is none."""
        return (await self._database.fetch(self._FIRST, *self._range()))[0][0] or 0

    async def last_id(self) -> int:
        return (await self._database.fetch(self._LAST, *self._range()))[0][0] or 0

    # Without a time of its own is what a program of schema 5 wrote.
    _FRESH = Statement(
        "SELECT id FROM event WHERE id > ? AND id <= ? AND CASE made_ms WHEN 0 THEN at_ms ELSE made_ms END >= ?"
        " ORDER BY id LIMIT 1"
    )
    _BEYOND = Statement("SELECT id FROM event WHERE id > ? AND id <= ? ORDER BY id DESC LIMIT 1 OFFSET ?")

    async def expired(self, before_ms: int, keep: int) -> int:
        """Return the position before the first event that is not older than *before_ms*, and among the newest *keep*.

        Age counts from when we stored it: the relay's time may be much older, and its clock wrong. Nor need ours rise:
        an event of a clock that was wrong takes no later one with it.
        """
        last = await self.last_id()
        fresh = await self._database.fetch(self._FRESH, *self._range(), before_ms)
        beyond = await self._database.fetch(self._BEYOND, *self._range(), keep)
        return max(fresh[0][0] - 1 if fresh else last, beyond[0][0] if beyond else 0)

    _COUNT = Statement("SELECT count(*) FROM event WHERE id > ? AND id <= ?")

    async def count(self, after: int = 0) -> int:
        return int((await self._database.fetch(self._COUNT, *self._range(after)))[0][0])

    _NTH = Statement("SELECT id FROM event WHERE id > ? AND id <= ? ORDER BY id LIMIT 1 OFFSET ?")

    async def nth(self, after: int, offset: int) -> int:
        """Return the position of the event behind *after* and *offset* more, 0 when there are fewer."""
        rows = await self._database.fetch(self._NTH, *self._range(after), offset)
        return int(rows[0][0]) if rows else 0

    _DELETE = Statement("DELETE FROM event WHERE id > ? AND id <= ? AND id NOT IN (SELECT id FROM delivery)")

    def delete(self, unit: Unit, up_to: int) -> None:
        """Drop events up to that position; those with a failed delivery stay until that ends."""
        unit.add(self._DELETE, self._span.floor, up_to)
