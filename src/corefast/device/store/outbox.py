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
    "INSERT OR IGNORE INTO outbox (id, recipient, what, state, at_ms, content) VALUES (?, ?, ?, 0, ?, ?) RETURNING seq"
)
_ENCRYPTED = Statement(
    "UPDATE outbox SET state = 1, devices_version = ?, parts = ?, identity = coalesce(identity, ?)"
    " WHERE id = ? AND state < 2"
)
_OPEN = Statement(
    "SELECT seq, id, recipient, what, state, at_ms, devices_version, content, parts FROM outbox"
    " WHERE state < 2 AND seq > ? ORDER BY seq LIMIT ?"
)
_FIND = Statement(
    "SELECT seq, id, recipient, what, state, at_ms, devices_version, content, NULL FROM outbox"
    " WHERE id = ? AND recipient = ? AND what = 1 AND content <> x''"
)
_STATUS = Statement("SELECT state, failure FROM outbox WHERE id = ?")
_SWEEP = Statement("DELETE FROM outbox WHERE what IN (2, 5) AND state >= 2 AND at_ms < ?")
_PURGE = Statement("UPDATE outbox SET content = x'' WHERE content <> x'' AND state >= 2 AND at_ms < ?")
_DROP_PARTS = Statement("UPDATE outbox SET state = 0, parts = NULL WHERE state = 1")
_PUT_SENT = Statement(
    "INSERT OR IGNORE INTO outbox (id, recipient, what, state, at_ms, content) VALUES (?, ?, 1, 2, ?, ?)"
)

_SENT = Statement(
    "UPDATE outbox SET state = 2, sent_ms = ?, parts = NULL"
    " WHERE id = ? AND recipient = coalesce(?, recipient) AND state < 2 RETURNING what, recipient"
)
_DELIVERED = Statement(
    "UPDATE outbox SET state = 3, delivered_ms = ?, parts = NULL"
    " WHERE id = ? AND recipient = coalesce(?, recipient) AND state < 3 RETURNING what, recipient"
)
_READ = Statement(
    "UPDATE outbox SET state = 4, read_ms = ? WHERE id = ? AND recipient = ? AND state < 4 RETURNING what, recipient"
)
_FAILED = Statement(
    "UPDATE outbox SET state = 5, failure = ?, parts = NULL WHERE id = ? AND state < 3 RETURNING what, recipient"
)
_FAILED_ALL = Statement(
    "UPDATE outbox SET state = 5, failure = ?, parts = NULL WHERE recipient = ? AND state < 2"
    " RETURNING what, recipient, id"
)
_EXPIRED = Statement(
    "UPDATE outbox SET state = 6, parts = NULL WHERE id = ? AND recipient = ? AND state < 3 RETURNING what, recipient"
)


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

    `content` is in clear here and sealed in the table; empty where that was damaged.
    """

    seq: int
    id: bytes
    recipient: str
    what: What
    at_ms: int
    content: bytes
    devices_version: int = 0
    parts: list[Part] | None = None


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
        unit.add(_ACCEPT, row.id, row.recipient, int(row.what), row.at_ms, sealed)

    def put_sent(self, unit: Unit, row: OutboxRow) -> None:
        """Add a message that another device of ours sent, so that its states are known here too."""
        unit.add(_PUT_SENT, row.id, row.recipient, row.at_ms, self._vault.seal("outbox", row.id, row.content))

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

    async def status(self, message_id: bytes) -> tuple[State, str] | None:
        """Return a message's state and, for a failed one, the code of its error."""
        rows = await self._database.fetch(_STATUS, message_id)
        return (State(rows[0][0]), rows[0][1]) if rows else None

    def set_sent(self, unit: Unit, message_id: bytes, recipient: str | None, at_ms: int) -> None:
        """States are set where they are news: the commit returns (what, recipient) then, else no row.

        With *recipient* only a message to that number is meant.
        """
        unit.add(_SENT, at_ms, message_id, recipient)

    def set_delivered(self, unit: Unit, message_id: bytes, recipient: str | None, at_ms: int) -> None:
        unit.add(_DELIVERED, at_ms, message_id, recipient)

    def set_read(self, unit: Unit, message_id: bytes, recipient: str, at_ms: int) -> None:
        unit.add(_READ, at_ms, message_id, recipient)

    def set_failed(self, unit: Unit, message_id: bytes, code: str) -> None:
        unit.add(_FAILED, code, message_id)

    def set_failed_all(self, unit: Unit, recipient: str, code: str) -> None:
        """Fail all that the relay does not have; the commit returns (what, recipient, id) of each."""
        unit.add(_FAILED_ALL, code, recipient)

    def set_expired(self, unit: Unit, message_id: bytes, recipient: str) -> None:
        unit.add(_EXPIRED, message_id, recipient)

    def sweep(self, unit: Unit, before_ms: int) -> None:
        """Forget what the relay has and nobody may ask for any more: contents, whole receipts and copies."""
        unit.add(_SWEEP, before_ms)
        unit.add(_PURGE, before_ms)

    def _open(self, row: Row) -> OutboxRow:
        seq, message_id, recipient, what, state, at_ms, devices_version, sealed, parts = row
        content, encrypted = b"", None
        try:
            content = self._vault.open("outbox", message_id, sealed)
        except SealBroken as error:
            log.error("outbox.damaged", code=error.code)
        try:
            encrypted = _decode_parts(parts) if parts is not None and state == State.ENCRYPTED else None
        except msgspec.DecodeError:
            log.error("ciphertext.damaged", code=SealBroken.code)
        return OutboxRow(seq, message_id, recipient, What(what), at_ms, content, devices_version, encrypted)
