"""Which message an idempotency key stands for."""

import msgspec

from corefast.store.database import Database, Statement, Unit


class IdempotencyRow(msgspec.Struct, frozen=True):
    """An accepted request: what was asked, and the message that came of it."""

    fingerprint: bytes
    message: int
    number: str
    """Of the recipient; empty where that is a group."""
    group: bytes = b""


class IdempotencyStore:
    """Rows by digest of scope and key; neither is stored in clear."""

    def __init__(self, database: Database, account: int) -> None:
        self._database = database
        self._account = account

    _PUT = Statement(
        "INSERT INTO idempotency (digest, account, fingerprint, message, peer, made_ms) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (digest) DO UPDATE SET fingerprint = excluded.fingerprint, message = excluded.message,"
        " peer = excluded.peer, made_ms = excluded.made_ms",
        "INSERT INTO idempotency (digest, account, fingerprint, message, peer, made_ms) VALUES (?, ?, ?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE fingerprint = VALUES(fingerprint), message = VALUES(message),"
        " peer = VALUES(peer), made_ms = VALUES(made_ms)",
    )

    def put(self, unit: Unit, digest: bytes, fingerprint: bytes, message: int, peer: int, made_ms: int) -> None:
        unit.add(self._PUT, digest, self._account, fingerprint, message, peer, made_ms)

    _LOAD = Statement(
        "SELECT i.fingerprint, i.message, coalesce(p.number, ''), coalesce(g.name, ?) FROM idempotency i"
        " LEFT JOIN peer p ON p.id = i.peer LEFT JOIN group_message g ON g.id = i.message"
        " WHERE i.digest = ? AND i.made_ms >= ?"
    )

    async def load(self, digest: bytes, since_ms: int) -> IdempotencyRow | None:
        rows = await self._database.fetch(self._LOAD, b"", digest, since_ms)
        return IdempotencyRow(*rows[0]) if rows else None

    _SWEEP = Statement("DELETE FROM idempotency WHERE made_ms < ?")

    def sweep(self, unit: Unit, before_ms: int) -> None:
        unit.add(self._SWEEP, before_ms)
