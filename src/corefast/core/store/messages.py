"""Outbound messages, their states, and the outbox of those that have no result from the relay."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from corefast.core.store.span import Span
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Statement, Unit

log = get_logger()

_encode = msgspec.msgpack.Encoder().encode


class MessageRow(msgspec.Struct, frozen=True):
    """An outbound message with the times of its states, None where one was not reached."""

    id: int
    number: str
    accepted_ms: int
    sent_ms: int | None
    delivered_ms: int | None
    read_ms: int | None
    ended_ms: int | None
    failure: int | None
    plaintext: bytes


class Encrypted(NamedTuple):
    """A ciphertext for the relay, and the mark of the identity key that it was encrypted to."""

    post: bytes
    identity: bytes | None


class Extra(msgspec.Struct, frozen=True, array_like=True):
    """What a message has that few have.

    *opaque*, given by the business, comes back with each status. Of a group's message to one member: which *group*, and
    the row of the message to all of them.
    """

    opaque: str = ""
    group: bytes = b""
    group_message: int = 0


_decode_extra = msgspec.msgpack.Decoder(Extra).decode


class More(NamedTuple):
    """*is_quiet*: of our own making, neither told nor looked up; *expires_ms*: 0 for the relay's own limit."""

    is_quiet: bool = False
    expires_ms: int = 0
    extra: Extra | None = None


class WaitingBody(NamedTuple):
    """The plaintext of a message without a ciphertext, None where it was damaged; *is_group*: to a member of one."""

    message: int
    plaintext: bytes | None
    expires_ms: int
    is_group: bool = False


class PostRow(NamedTuple):
    """A ciphertext without a result."""

    message: int
    peer: int
    number: str
    post: bytes


class OldMessage(NamedTuple):
    """A message's age and how far it has come: *done_ms* is 0 for one that was neither delivered nor has failed."""

    id: int
    at_ms: int
    done_ms: int = 0
    is_waiting: int = 0


class WaitingRow(NamedTuple):
    """A message without a result; *is_bare* where there is no ciphertext either."""

    message: int
    peer: int
    number: str
    is_bare: int


class MessageStore:
    """Outbound messages; bodies are sealed."""

    def __init__(self, database: Database, vault: Vault, span: Span) -> None:
        self._database = database
        self._vault = vault
        self._span = span
        self._account = span.account

    _PUT = Statement(
        "INSERT INTO message (id, account, peer, accepted_ms, identity, sealed) VALUES (?, ?, ?, ?, ?, ?)",
        rows=(("message", 1),),
    )
    _PUT_MORE = Statement(
        "UPDATE message SET quiet = ?, expires_ms = ?, extra = ? WHERE id = ?", rows=(("message", 4),)
    )
    _PUT_OUTBOX = Statement("INSERT INTO outbox (id, account, peer, post) VALUES (?, ?, ?, ?)", rows=(("outbox", 1),))

    def put(
        self, unit: Unit, message: int, peer: int, at_ms: int, plaintext: bytes, encrypted: Encrypted | None = None
    ) -> None:
        """Add an accepted message, with its ciphertext for the relay where there is one already."""
        sealed = self._vault.seal("message", message.to_bytes(8, "big"), plaintext)
        post, identity = encrypted or (None, None)
        unit.add(self._PUT, message, self._account, peer, at_ms, identity, sealed)
        unit.add(self._PUT_OUTBOX, message, self._account, peer, post)

    def put_part(self, unit: Unit, message: int, peer: int, at_ms: int, encrypted: Encrypted | None) -> None:
        """Add a group's message to one member: its body is stored once for all of them."""
        post, identity = encrypted or (None, None)
        unit.add(self._PUT, message, self._account, peer, at_ms, identity, b"")
        unit.add(self._PUT_OUTBOX, message, self._account, peer, post)

    def put_more(self, unit: Unit, message: int, more: More) -> None:
        """Add what few messages have."""
        extra = (
            self._vault.seal("message_extra", message.to_bytes(8, "big"), _encode(more.extra)) if more.extra else None
        )
        unit.add(self._PUT_MORE, int(more.is_quiet), more.expires_ms, extra, message)

    _PUT_POST = Statement("UPDATE outbox SET post = ? WHERE id = ?", rows=(("outbox", 2),))
    _PUT_IDENTITY = Statement(
        "UPDATE message SET identity = ? WHERE id = ? AND identity IS NULL", rows=(("message", 2),)
    )

    def put_post(self, unit: Unit, message: int, encrypted: Encrypted) -> None:
        """Store the ciphertext of a message that waited for a session; the first identity is the one that stays."""
        unit.add(self._PUT_POST, encrypted.post, message, rows=1)
        unit.add(self._PUT_IDENTITY, encrypted.identity, message)

    _TAKE = Statement("DELETE FROM outbox WHERE id = ?", rows=(("outbox", 1),))

    def take(self, unit: Unit, message: int) -> None:
        """Drop the ciphertext: the relay has answered for it."""
        unit.add(self._TAKE, message)

    _DROP_POSTS = Statement("UPDATE outbox SET post = NULL WHERE account = ?")

    def drop_posts(self, unit: Unit) -> None:
        """Drop every ciphertext; the messages stay and wait for new sessions."""
        unit.add(self._DROP_POSTS, self._account)

    _ADVANCE = (
        Statement(
            "UPDATE message SET sent_ms = coalesce(sent_ms, ?) WHERE id = ? AND peer = ? AND ended_ms IS NULL",
            rows=(("message", 2),),
        ),
        Statement(
            "UPDATE message SET sent_ms = coalesce(sent_ms, ?), delivered_ms = coalesce(delivered_ms, ?)"
            " WHERE id = ? AND peer = ? AND ended_ms IS NULL",
            rows=(("message", 3),),
        ),
        Statement(
            "UPDATE message SET sent_ms = coalesce(sent_ms, ?), delivered_ms = coalesce(delivered_ms, ?),"
            " read_ms = coalesce(read_ms, ?) WHERE id = ? AND peer = ? AND ended_ms IS NULL",
            rows=(("message", 4),),
        ),
    )

    def advance(self, unit: Unit, message: int, peer: int, *times: int) -> None:
        """Store the *times* of sent, delivered and read that are not stored yet, unless the message has failed.

        Those at the end may be left out.
        """
        unit.add(self._ADVANCE[len(times) - 1], *times, message, peer)

    _ADVANCE_PART = Statement(
        "UPDATE message SET sent_ms = coalesce(sent_ms, ?), delivered_ms = coalesce(delivered_ms, ?),"
        " read_ms = coalesce(read_ms, ?) WHERE ended_ms IS NULL AND id ="
        " (SELECT message FROM group_part WHERE group_message = ? AND peer = ?)"
    )

    def read_part(self, unit: Unit, group_message: int, peer: int, at_ms: int) -> None:
        """Store that a member has read a group's message."""
        unit.add(self._ADVANCE_PART, at_ms, at_ms, at_ms, group_message, peer)

    _FORGET = Statement(
        "UPDATE message SET sealed = ? WHERE id = ? AND peer = ? AND delivered_ms IS NOT NULL", rows=(("message", 2),)
    )

    def forget(self, unit: Unit, message: int, peer: int) -> None:
        """Drop the body of a message that has arrived."""
        unit.add(self._FORGET, b"", message, peer)

    _END = Statement(
        "UPDATE message SET ended_ms = ?, failure = ?"
        " WHERE id = ? AND peer = ? AND ended_ms IS NULL AND delivered_ms IS NULL",
        rows=(("message", 3),),
    )

    def end(self, unit: Unit, message: int, peer: int, at_ms: int, failure: int) -> None:
        """Store that an undelivered message has failed."""
        unit.add(self._END, at_ms, failure, message, peer)

    _LOAD = Statement(
        "SELECT m.id, p.number, m.accepted_ms, m.sent_ms, m.delivered_ms, m.read_ms, m.ended_ms, m.failure, m.sealed"
        " FROM message m JOIN peer p ON p.id = m.peer WHERE m.id = ? AND m.quiet = 0"
    )

    async def load(self, message: int) -> MessageRow | None:
        rows = await self._database.fetch(self._LOAD, message)
        return None if not rows else _message(rows[0], self._open(message, rows[0][-1]))

    _BODY = (
        "SELECT m.id, m.sealed, m.expires_ms, g.id, g.sealed FROM message m"
        " LEFT JOIN group_part p ON p.message = m.id LEFT JOIN group_message g ON g.id = p.group_message WHERE m.id IN"
    )
    _BODIES = Statement(
        _BODY + " (SELECT value FROM json_each(?)) ORDER BY m.id",  # noqa: S608
        _BODY  # noqa: S608
        + " (SELECT value FROM JSON_TABLE(?, '$[*]' COLUMNS (value BIGINT PATH '$')) AS listed) ORDER BY m.id",
    )

    async def load_bodies(self, messages: list[int]) -> list[WaitingBody]:
        """Return the plaintexts of these messages, in order; None for one that was damaged or forgotten."""
        rows = await self._database.fetch(self._BODIES, msgspec.json.encode(messages).decode())
        return [
            WaitingBody(message, self._try_open(message, sealed, shared), expires_ms, shared[0] is not None)
            for message, sealed, expires_ms, *shared in rows
        ]

    def _try_open(self, message: int, sealed: bytes, shared: list[Any]) -> bytes | None:
        try:
            return open_body(self._vault, message, sealed, shared) or None
        except SealBroken as error:
            log.error("a stored message is damaged", code=error.code)
            return None

    _OVERDUE = Statement(
        "SELECT id FROM message WHERE accepted_ms < ? AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
        "SELECT id FROM message WHERE accepted_ms < ? AND id IN"
        " (SELECT value FROM JSON_TABLE(?, '$[*]' COLUMNS (value BIGINT PATH '$')) AS listed) ORDER BY id",
    )

    async def overdue(self, messages: list[int], before_ms: int) -> list[int]:
        """Return those of these messages that were accepted before *before_ms*."""
        listed = msgspec.json.encode(messages).decode()
        return [row for (row,) in await self._database.fetch(self._OVERDUE, before_ms, listed)]

    _POSTS = Statement(
        "SELECT o.id, o.peer, p.number, o.post FROM outbox o JOIN peer p ON p.id = o.peer"
        " WHERE o.id > ? AND o.id <= ? AND o.post IS NOT NULL ORDER BY o.id LIMIT ?"
    )

    async def load_posts(self, after: int, limit: int) -> list[PostRow]:
        """Return the next ciphertexts without a result."""
        return [
            PostRow(*row)
            for row in await self._database.fetch(self._POSTS, max(after, self._span.floor), self._span.last, limit)
        ]

    _WAITING = Statement(
        "SELECT o.id, o.peer, p.number, o.post IS NULL FROM outbox o JOIN peer p ON p.id = o.peer"
        " WHERE o.account = ? ORDER BY o.id"
    )

    async def load_waiting(self) -> list[WaitingRow]:
        """Return every message without a result."""
        return [WaitingRow(*row) for row in await self._database.fetch(self._WAITING, self._account)]

    _PAGE = Statement(
        "SELECT m.id, m.accepted_ms, coalesce(m.read_ms, m.ended_ms, m.delivered_ms, 0), o.id IS NOT NULL"
        " FROM message m LEFT JOIN outbox o ON o.id = m.id"
        " WHERE m.account = ? AND m.id > ? AND m.id < ? ORDER BY m.id LIMIT ?"
    )

    async def load_page(self, after: int, end: int, limit: int) -> list[OldMessage]:
        """Return the next messages between two ids, in order."""
        return [OldMessage(*row) for row in await self._database.fetch(self._PAGE, self._account, after, end, limit)]

    _DELETE = Statement("DELETE FROM message WHERE id = ? AND coalesce(read_ms, ended_ms, delivered_ms, 0) = ?")

    def delete(self, unit: Unit, message: OldMessage) -> None:
        """Drop a message, unless it has come further since it was loaded."""
        unit.add(self._DELETE, message.id, message.done_ms)

    _LAST = Statement("SELECT max(id) FROM message WHERE id > ? AND id <= ?")

    async def last_id(self) -> int:
        return (await self._database.fetch(self._LAST, self._span.floor, self._span.last))[0][0] or 0

    def _open(self, message: int, sealed: bytes) -> bytes:
        return self._vault.open("message", message.to_bytes(8, "big"), sealed) if sealed else b""


def _message(row: tuple[Any, ...], plaintext: bytes) -> MessageRow:
    return MessageRow(*row[:-1], plaintext)  # type: ignore[call-arg]


def open_body(vault: Vault, message: int, sealed: bytes, shared: Sequence[Any]) -> bytes:
    """Return a plaintext, empty where it was forgotten; raise `SealBroken`.

    *shared*: row and body of the group's message that it is a part of, None where it is none.
    """
    row, shared_body = shared
    if row is not None:
        return vault.open("group_message", row.to_bytes(8, "big"), shared_body) if shared_body else b""
    return vault.open("message", message.to_bytes(8, "big"), sealed) if sealed else b""


def open_extra(vault: Vault, message: int, sealed: bytes | None) -> Extra:
    """Return what `put_more` sealed; raise `SealBroken`."""
    if sealed is None:
        return Extra()
    return _decode_extra(vault.open("message_extra", message.to_bytes(8, "big"), sealed))
