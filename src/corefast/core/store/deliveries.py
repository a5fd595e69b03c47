"""The webhook, how far it has come, and the deliveries that failed."""

from enum import IntEnum

import msgspec

from corefast.core.store.span import Span, row_key
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Statement, Unit
from corefast.wire.event import State
from corefast.wire.webhook import Webhook

log = get_logger()


class DeliveryPhase(IntEnum):
    """Where a failed delivery stands."""

    HELD = 0
    """Tried every few seconds; later events of its conversation wait."""
    PARKED = 1
    """On the long schedule; its conversation goes on."""
    DEAD = 2
    """Used up; kept for a replay."""


class DeliveryRow(msgspec.Struct):
    """A delivery that failed at least once; `id` is the position of its event."""

    id: int
    peer: int
    phase: DeliveryPhase = DeliveryPhase.HELD
    attempts: int = 0
    parked: int = 0
    first_ms: int = 0
    last_ms: int = 0
    next_ms: int = 0
    status: int = 0
    error: str = ""


class DeliveryStore:
    """Loads and saves the webhook's state; URL and secret are sealed."""

    def __init__(self, database: Database, vault: Vault, span: Span) -> None:
        self._database = database
        self._vault = vault
        self._span = span
        self._account = span.account

    _PUT_WEBHOOK = Statement(
        "INSERT INTO webhook (account, url, secret, statuses) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account) DO UPDATE SET url = excluded.url, secret = excluded.secret,"
        " statuses = excluded.statuses",
        "INSERT INTO webhook (account, url, secret, statuses) VALUES (?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE url = VALUES(url), secret = VALUES(secret), statuses = VALUES(statuses)",
    )

    def put_webhook(self, unit: Unit, webhook: Webhook) -> None:
        url = self._vault.seal("webhook", row_key(self._account, b"url"), webhook.url.encode())
        secret = self._vault.seal("webhook", row_key(self._account, b"secret"), webhook.secret.encode())
        unit.add(self._PUT_WEBHOOK, self._account, url, secret, " ".join(webhook.statuses))

    _WEBHOOK = Statement("SELECT url, secret, statuses FROM webhook WHERE account = ?")

    async def load_webhook(self) -> Webhook | None:
        """Return the webhook; None where there is none, or none that can be used."""
        rows = await self._database.fetch(self._WEBHOOK, self._account)
        if not rows:
            return None
        url, secret, statuses = rows[0]
        try:
            return Webhook(
                self._vault.open("webhook", row_key(self._account, b"url"), url).decode(),
                self._vault.open("webhook", row_key(self._account, b"secret"), secret).decode(),
                tuple(State(status) for status in statuses.split()),
            )
        except (SealBroken, ValueError):
            log.error("the stored webhook is damaged; webhooks are off until one is set again", code=SealBroken.code)
            return None

    _PUT_CURSOR = Statement(
        "INSERT INTO webhook_cursor (account, shard, position) VALUES (?, ?, ?)"
        " ON CONFLICT (account, shard) DO UPDATE SET position = excluded.position",
        "INSERT INTO webhook_cursor (account, shard, position) VALUES (?, ?, ?)"
        " ON DUPLICATE KEY UPDATE position = VALUES(position)",
    )

    def put_cursor(self, unit: Unit, position: int) -> None:
        """Store that every event up to *position* is delivered or has a row of its own."""
        unit.add(self._PUT_CURSOR, self._account, self._span.shard, position)

    _CURSOR = Statement("SELECT position FROM webhook_cursor WHERE account = ? AND shard = ?")

    async def load_cursor(self) -> int:
        rows = await self._database.fetch(self._CURSOR, self._account, self._span.shard)
        return int(rows[0][0]) if rows else 0

    _PUT = Statement(
        "INSERT INTO delivery (id, account, peer, phase, attempts, parked, first_ms, last_ms, next_ms, status, error)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, attempts = excluded.attempts,"
        " parked = excluded.parked, first_ms = excluded.first_ms, last_ms = excluded.last_ms,"
        " next_ms = excluded.next_ms, status = excluded.status, error = excluded.error",
        "INSERT INTO delivery (id, account, peer, phase, attempts, parked, first_ms, last_ms, next_ms, status, error)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE phase = VALUES(phase), attempts = VALUES(attempts), parked = VALUES(parked),"
        " first_ms = VALUES(first_ms), last_ms = VALUES(last_ms), next_ms = VALUES(next_ms),"
        " status = VALUES(status), error = VALUES(error)",
    )

    def put(self, unit: Unit, row: DeliveryRow) -> None:
        state = (row.attempts, row.parked, row.first_ms, row.last_ms, row.next_ms, row.status, row.error)
        unit.add(self._PUT, row.id, self._account, row.peer, int(row.phase), *state)

    _DELETE = Statement("DELETE FROM delivery WHERE id = ?")

    def delete(self, unit: Unit, row: int) -> None:
        unit.add(self._DELETE, row)

    _SWEEP = Statement("DELETE FROM delivery WHERE account = ? AND phase = 2 AND last_ms < ?")

    def sweep(self, unit: Unit, before_ms: int) -> None:
        """Drop dead deliveries that nobody replayed."""
        unit.add(self._SWEEP, self._account, before_ms)

    _COLUMNS = "id, peer, phase, attempts, parked, first_ms, last_ms, next_ms, status, error"
    _ALIVE = Statement(f"SELECT {_COLUMNS} FROM delivery WHERE account = ? AND phase <> 2 ORDER BY id")  # noqa: S608
    _DEAD = Statement(f"SELECT {_COLUMNS} FROM delivery WHERE account = ? AND phase = 2 ORDER BY id LIMIT ?")  # noqa: S608

    async def load_alive(self) -> list[DeliveryRow]:
        """Return held and parked deliveries, oldest first."""
        return [_row(row) for row in await self._database.fetch(self._ALIVE, self._account)]

    _DEAD_IDS = Statement("SELECT id FROM delivery WHERE account = ? AND phase = 2 AND id > ?")

    async def load_dead_ids(self, after: int) -> set[int]:
        """Return the positions behind *after* whose delivery is dead."""
        return {row[0] for row in await self._database.fetch(self._DEAD_IDS, self._account, after)}

    _DEAD_OF = Statement(
        f"SELECT {_COLUMNS} FROM delivery WHERE account = ? AND phase = 2 AND id IN (SELECT value FROM json_each(?))",  # noqa: S608
        f"SELECT {_COLUMNS} FROM delivery WHERE account = ? AND phase = 2 AND id IN"  # noqa: S608
        " (SELECT value FROM JSON_TABLE(?, '$[*]' COLUMNS (value BIGINT PATH '$')) AS listed)",
    )

    async def load_dead_of(self, positions: list[int]) -> list[DeliveryRow]:
        """Return those of these deliveries that are dead."""
        rows = await self._database.fetch(self._DEAD_OF, self._account, msgspec.json.encode(positions).decode())
        return [_row(row) for row in rows]

    async def load_dead(self, limit: int) -> list[DeliveryRow]:
        """Return deliveries that used up their schedule, oldest first."""
        return [_row(row) for row in await self._database.fetch(self._DEAD, self._account, limit)]


def _row(row: tuple[int, int, int, int, int, int, int, int, int, str]) -> DeliveryRow:
    return DeliveryRow(row[0], row[1], DeliveryPhase(row[2]), *row[3:])
