"""What we send: accepted, then encrypted once and kept as ciphertext until the relay has it, then its states."""

from enum import IntEnum
from typing import NamedTuple

import msgspec

from corefast.device.store.inbox import What
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Row, Statement, Unit
from corefast.wire.messages import Part

log = get_logger()

_ACCEPT = Statement(
    "INSERT OR IGNORE INTO outbox (id, recipient, what, state, at_ms, content, said, group_id)"
    " VALUES (?, ?, ?, 0, ?, ?, ?, ?) RETURNING seq"
)
_ENCRYPTED = Statement(
    "UPDATE outbox SET state = 1, devices_version = ?, parts = ?, identity = coalesce(identity, ?)"
    " WHERE id = ? AND state < 2"
)
_OPEN = Statement(
    "SELECT o.seq, o.id, o.recipient, o.what, o.state, o.at_ms, o.devices_version, o.content, o.parts, o.said,"
    " o.group_id, c.chain_id, c.iteration, c.body FROM outbox o LEFT JOIN group_cipher c ON c.said = o.said"
    " WHERE o.state < 2 AND o.seq > ? ORDER BY o.seq LIMIT ?"
)
_COLUMNS = "seq, id, recipient, what, state, at_ms, devices_version, content, NULL, said, group_id, NULL, NULL, NULL"
_FIND = Statement(
    f"SELECT {_COLUMNS} FROM outbox WHERE id = ? AND recipient = ? AND what = 1 AND content <> x''"  # noqa: S608
)
_FIND_SAID = Statement(
    f"SELECT {_COLUMNS} FROM outbox WHERE said = ? AND group_id = ? AND what = 1 AND content <> x'' LIMIT 1"  # noqa: S608
)
_STATUS = Statement("SELECT state, failure FROM outbox WHERE id = ?")
_STATUS_SAID = Statement("SELECT state, failure FROM outbox WHERE said = ? AND what = 1 ORDER BY state LIMIT 1")
_PUT_CIPHER = Statement("INSERT OR IGNORE INTO group_cipher (said, chain_id, iteration, body) VALUES (?, ?, ?, ?)")
_SWEEP_CIPHERS = Statement(
    "DELETE FROM group_cipher WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE said = group_cipher.said AND state < 2)"
)
_SWEEP = Statement("DELETE FROM outbox WHERE what IN (2, 5) AND state >= 2 AND at_ms < ?")
_PURGE = Statement("UPDATE outbox SET content = x'' WHERE content <> x'' AND state >= 2 AND at_ms < ?")
_DROP_PARTS = Statement("UPDATE outbox SET state = 0, parts = NULL WHERE state = 1")
_PUT_SENT = Statement(
    "INSERT OR IGNORE INTO outbox (id, recipient, what, state, at_ms, content, said, group_id)"
    " VALUES (?, ?, 1, 2, ?, ?, ?, ?)"
)

# A message in a group has one row for each member, each with an id of its own; `said` is the one that people know.
_SENT = Statement(
    "UPDATE outbox SET state = 2, sent_ms = ?, parts = NULL"
    " WHERE (id = ? OR said = ?) AND recipient = coalesce(?, recipient) AND state < 2"
    " RETURNING what, recipient, coalesce(said, id), group_id"
)
_DELIVERED = Statement(
    "UPDATE outbox SET state = 3, delivered_ms = ?, parts = NULL"
    " WHERE (id = ? OR said = ?) AND recipient = coalesce(?, recipient) AND state < 3"
    " RETURNING what, recipient, coalesce(said, id), group_id"
)
_READ = Statement(
    "UPDATE outbox SET state = 4, read_ms = ? WHERE (id = ? OR said = ?) AND recipient = ? AND state < 4"
    " RETURNING what, recipient, coalesce(said, id), group_id"
)
_FAILED = Statement(
    "UPDATE outbox SET state = 5, failure = ?, parts = NULL WHERE id = ? AND state < 3"
    " RETURNING what, recipient, coalesce(said, id), group_id"
)
_FAILED_ALL = Statement(
    "UPDATE outbox SET state = 5, failure = ?, parts = NULL WHERE recipient = ? AND state < 2"
    " RETURNING what, recipient, coalesce(said, id), group_id, id"
)
_EXPIRED = Statement(
    "UPDATE outbox SET state = 6, parts = NULL WHERE id = ? AND recipient = ? AND state < 3"
    " RETURNING what, recipient, coalesce(said, id), group_id"
)


class Cipher(NamedTuple):
    """A message under our sender key, and its place in that chain."""

    chain_id: int
    iteration: int
    body: bytes


class State(IntEnum):
    """A message's life; it never goes back."""

    ACCEPTED = 0
    ENCRYPTED = 1
    SENT = 2
    DELIVERED = 3
    READ = 4
    FAILED = 5
    EXPIRED = 6


class OutboxRow(NamedTuple):
    """One message that the relay does not have yet.

    `content` is in clear here and sealed in the table; empty where that was damaged. For a message in a group `said`
    is the id that all its members know it by, and `cipher` what may go to those who have our sender key.
    """

    seq: int
    id: bytes
    recipient: str
    what: What
    at_ms: int
    content: bytes
    devices_version: int = 0
    parts: list[Part] | None = None
    said: bytes | None = None
    group: bytes | None = None
    cipher: Cipher | None = None


_encode_parts = msgspec.msgpack.Encoder().encode
_decode_parts = msgspec.msgpack.Decoder(list[Part]).decode


class OutboxStore:
    """Keeps sent messages."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def accept(self, unit: Unit, row: OutboxRow) -> None:
        """Add a message; the commit returns its seq, or no row when its id is known already."""
        sealed = self._vault.seal("outbox", row.id, row.content)
        unit.add(_ACCEPT, row.id, row.recipient, int(row.what), row.at_ms, sealed, row.said, row.group)

    def put_cipher(self, unit: Unit, said: bytes, cipher: Cipher) -> None:
        """Add what a message in a group is under our sender key."""
        unit.add(_PUT_CIPHER, said, cipher.chain_id, cipher.iteration, cipher.body)

    def put_sent(self, unit: Unit, row: OutboxRow) -> None:
        """Add a message that another device of ours sent, so that its states are known here too."""
        sealed = self._vault.seal("outbox", row.id, row.content)
        unit.add(_PUT_SENT, row.id, row.recipient, row.at_ms, sealed, row.said, row.group)

    def save_parts(
        self, unit: Unit, message_id: bytes, devices_version: int, parts: list[Part], identity: bytes | None
    ) -> None:
        """Store ciphertexts; of *identity*, the mark of the key that they are for, the first one stays."""
        unit.add(_ENCRYPTED, devices_version, _encode_parts(parts), identity, message_id)

    def drop_parts(self, unit: Unit) -> None:
        """Forget the ciphertexts that the relay does not have: their messages are encrypted anew."""
        unit.add(_DROP_PARTS)

    async def open_rows(self, after_seq: int, limit: int) -> list[OutboxRow]:
        """Return the first *limit* messages behind *after_seq* that the relay does not have, in order of acceptance."""
        return [self._open(row) for row in await self._database.fetch(_OPEN, after_seq, limit)]

    async def find(self, recipient: str, message_id: bytes) -> OutboxRow | None:
        """Return a message; None where there is none, or its content is not kept any more."""
        rows = [self._open(row) for row in await self._database.fetch(_FIND, message_id, recipient)]
        return rows[0] if rows and rows[0].content else None

    async def find_said(self, group_id: bytes, said: bytes) -> OutboxRow | None:
        """Return a message in a group, as `find` does."""
        rows = [self._open(row) for row in await self._database.fetch(_FIND_SAID, said, group_id)]
        return rows[0] if rows and rows[0].content else None

    async def status(self, message_id: bytes) -> tuple[State, str] | None:
        """Return a message's state and, for a failed one, the code of its error.

        In a group it is that of the member who has got least of it.
        """
        rows = await self._database.fetch(_STATUS, message_id)
        rows = rows or await self._database.fetch(_STATUS_SAID, message_id)
        return (State(rows[0][0]), rows[0][1]) if rows else None

    def set_sent(self, unit: Unit, message_id: bytes, recipient: str | None, at_ms: int) -> None:
        """States are set where they are news: the commit returns (what, recipient, id, group) then, else no row.

        With *recipient* only a message to that number is meant; *message_id* may be the one of a message in a group.
        """
        unit.add(_SENT, at_ms, message_id, message_id, recipient)

    def set_delivered(self, unit: Unit, message_id: bytes, recipient: str | None, at_ms: int) -> None:
        unit.add(_DELIVERED, at_ms, message_id, message_id, recipient)

    def set_read(self, unit: Unit, message_id: bytes, recipient: str, at_ms: int) -> None:
        unit.add(_READ, at_ms, message_id, message_id, recipient)

    def set_failed(self, unit: Unit, message_id: bytes, code: str) -> None:
        unit.add(_FAILED, code, message_id)

    def set_failed_all(self, unit: Unit, recipient: str, code: str) -> None:
        """Fail all that the relay does not have; the commit returns the id of its post besides."""
        unit.add(_FAILED_ALL, code, recipient)

    def set_expired(self, unit: Unit, message_id: bytes, recipient: str) -> None:
        unit.add(_EXPIRED, message_id, recipient)

    def sweep(self, unit: Unit, before_ms: int) -> None:
        """Forget what the relay has and nobody may ask for any more: contents, whole receipts and copies."""
        unit.add(_SWEEP, before_ms)
        unit.add(_PURGE, before_ms)
        unit.add(_SWEEP_CIPHERS)

    def _open(self, row: Row) -> OutboxRow:
        seq, message_id, recipient, what, state, at_ms, devices_version, sealed, parts, said, group_id, *cipher = row
        content, encrypted = b"", None
        try:
            content = self._vault.open("outbox", message_id, sealed)
        except SealBroken as error:
            log.error("outbox.damaged", code=error.code)
        try:
            encrypted = _decode_parts(parts) if parts is not None and state == State.ENCRYPTED else None
        except msgspec.DecodeError:
            log.error("ciphertext.damaged", code=SealBroken.code)
        said_in = (said, group_id, Cipher(*cipher) if cipher[2] is not None else None)
        return OutboxRow(seq, message_id, recipient, What(what), at_ms, content, devices_version, encrypted, *said_in)
