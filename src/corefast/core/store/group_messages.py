"""Messages of groups: what is said once and stored once, whoever of the members has it."""

from typing import NamedTuple

from corefast.core.store.span import Span
from corefast.endpoint.vault import Vault
from corefast.store.database import Database, Statement, Unit


class Progress(NamedTuple):
    """How far a message has come to one member; None where it was not."""

    sent_ms: int | None
    delivered_ms: int | None
    read_ms: int | None
    ended_ms: int | None
    failure: int | None


class GroupMessageRow(NamedTuple):
    """A message of ours to a group."""

    name: bytes
    accepted_ms: int
    plaintext: bytes
    members: list[Progress]


class GroupMessageStore:
    """Bodies are sealed. The rows of single members are `MessageStore`'s and `InboundStore`'s."""

    def __init__(self, database: Database, vault: Vault, span: Span) -> None:
        self._database = database
        self._vault = vault
        self._account = span.account

    # ── ours ───────────────────────────────────────────────────────────────────────────────────────────────────────

    _PUT = Statement(
        "INSERT INTO group_message (id, account, name, accepted_ms, quiet, sealed) VALUES (?, ?, ?, ?, ?, ?)"
    )
    _PUT_PART = Statement("INSERT INTO group_part (group_message, peer, message) VALUES (?, ?, ?)")

    def put(self, unit: Unit, row: int, name: bytes, at_ms: int, plaintext: bytes, *, is_quiet: bool) -> None:
        """Add a message; `put_part` adds what each member has of it."""
        sealed = self._vault.seal("group_message", _key(row), plaintext)
        unit.add(self._PUT, row, self._account, name, at_ms, int(is_quiet), sealed)

    def put_part(self, unit: Unit, row: int, peer: int, message: int) -> None:
        unit.add(self._PUT_PART, row, peer, message)

    _LOAD = Statement("SELECT name, accepted_ms, sealed FROM group_message WHERE id = ? AND account = ? AND quiet = 0")
    _PARTS = Statement(
        "SELECT m.sent_ms, m.delivered_ms, m.read_ms, m.ended_ms, m.failure"
        " FROM group_part p JOIN message m ON m.id = p.message WHERE p.group_message = ?"
    )

    async def load(self, row: int) -> GroupMessageRow | None:
        """Return a message and how far it has come; raise `SealBroken`."""
        rows = await self._database.fetch(self._LOAD, row, self._account)
        if not rows:
            return None
        name, accepted_ms, sealed = rows[0]
        members = [Progress(*each) for each in await self._database.fetch(self._PARTS, row)]
        plaintext = self._vault.open("group_message", _key(row), sealed) if sealed else b""
        return GroupMessageRow(name, accepted_ms, plaintext, members)

    _FORGET = Statement(
        "UPDATE group_message SET sealed = ? WHERE id = (SELECT group_message FROM group_part WHERE message = ?)"
        " AND NOT EXISTS (SELECT 1 FROM group_part p JOIN message m ON m.id = p.message"
        " WHERE p.group_message = group_message.id AND m.delivered_ms IS NULL AND m.ended_ms IS NULL)"
    )

    def forget(self, unit: Unit, message: int) -> None:
        """Drop the body of a message whose last member has it, or never will."""
        unit.add(self._FORGET, b"", message)

    _DELETE_PART = Statement(
        "DELETE FROM group_part WHERE message = ? AND NOT EXISTS (SELECT 1 FROM message WHERE id = ?)"
    )

    def delete_part(self, unit: Unit, message: int) -> None:
        """Forget a member's part of which the message is gone."""
        unit.add(self._DELETE_PART, message, message)

    _OLD = Statement(
        "SELECT id FROM group_message WHERE account = ? AND accepted_ms < ?"
        " AND NOT EXISTS (SELECT 1 FROM group_part WHERE group_message = group_message.id) LIMIT ?"
    )
    _DELETE = Statement("DELETE FROM group_message WHERE id = ?")

    async def sweep(self, unit: Unit, before_ms: int, limit: int) -> int:
        """Drop messages of which no member has a part any more; return how many of at most *limit*."""
        rows = await self._database.fetch(self._OLD, self._account, before_ms, limit)
        for (row,) in rows:
            unit.add(self._DELETE, row)
        return len(rows)

    # ── theirs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    _PUT_SAID = "INTO group_inbound (peer, said, account, name, inbound) VALUES (?, ?, ?, ?, ?)"
    _TAKE_SAID = Statement("INSERT OR IGNORE " + _PUT_SAID, "INSERT IGNORE " + _PUT_SAID)
    _HIDE = Statement(
        "UPDATE inbound SET kind = 2, sealed = NULL WHERE id = ?"
        " AND NOT EXISTS (SELECT 1 FROM group_inbound WHERE inbound = ?)"
    )

    def take_said(self, unit: Unit, peer: int, name: bytes, said: bytes, inbound: int) -> None:
        """Let the row *inbound* show what *peer* said under the id *said*; where another one does, it shows nothing."""
        unit.add(self._TAKE_SAID, peer, said, self._account, name, inbound)
        unit.add(self._HIDE, inbound, inbound)


def _key(row: int) -> bytes:
    return row.to_bytes(8, "big")
