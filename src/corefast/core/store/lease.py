"""Who owns a shard: the fence that every transaction of a core begins with."""

from corefast.core.store.span import FIRST_ACCOUNT, Span
from corefast.store.database import Database, Op, Statement, Unit

ADOPTED_IDS = 1 << 32
"""How far ids jump when a restored copy goes on: beyond whatever the original may have used since the backup."""


class Lease:
    """One shard, owned by this process until a later one takes it; one row for all accounts, as they commit together.

    `commit_seq` is the number of the last commit: what posts name, so that the relay knows an older copy.
    """

    def __init__(self, database: Database, shard: int) -> None:
        self._database = database
        self.shard = shard
        self.epoch = 0
        self.commit_seq = 0

    _TAKE = Statement(
        "INSERT INTO lease (account, shard, epoch, commit_seq, message_floor, event_floor) VALUES (?, ?, 1, 0, ?, ?)"
        " ON CONFLICT (account, shard) DO UPDATE SET epoch = epoch + 1"
        " RETURNING epoch, commit_seq",
        "INSERT INTO lease (account, shard, epoch, commit_seq, message_floor, event_floor) VALUES (?, ?, 1, 0, ?, ?)"
        " ON DUPLICATE KEY UPDATE epoch = epoch + 1;"
        "SELECT epoch, commit_seq FROM lease WHERE account = ?1 AND shard = ?2",
    )

    _KEEP_ATTACH_SEQ = Statement(
        "UPDATE account SET attach_seq = (SELECT commit_seq FROM lease WHERE account = ?1 AND shard = ?2)"
        " WHERE attach_seq IS NULL"
    )

    async def take(self) -> None:
        """Move the epoch up; from here on every commit is fenced, and none moves the number to attach with."""
        floor = Span(FIRST_ACCOUNT, self.shard).floor
        unit = Unit()
        unit.add(self._TAKE, FIRST_ACCOUNT, self.shard, floor, floor)
        unit.add(self._KEEP_ATTACH_SEQ, FIRST_ACCOUNT, self.shard)
        [[row]] = await self._database.commit(unit)
        self.epoch, self.commit_seq = row
        self._database.set_prelude(self._prelude)
        self._database.on_batch(self._count)

    _FENCE = Statement("UPDATE lease SET commit_seq = commit_seq + 1 WHERE account = ? AND shard = ? AND epoch = ?")

    def _prelude(self) -> list[Op]:
        return [(self._FENCE, (FIRST_ACCOUNT, self.shard, self.epoch), 1)]

    def _count(self, units: int, seconds: float) -> None:
        self.commit_seq += 1

    _HELD = Statement("SELECT 1 FROM lease WHERE account = ? AND shard = ? AND epoch = ?")

    async def is_held(self) -> bool:
        """Tell whether no later process has taken the shard."""
        return bool(await self._database.fetch(self._HELD, FIRST_ACCOUNT, self.shard, self.epoch))


class Floors:
    """Below which ids an account gives out none; they rise when a restored copy goes on."""

    def __init__(self, database: Database, span: Span) -> None:
        self._database = database
        self._span = span
        self.message = span.floor
        self.event = span.floor

    _LOAD = Statement("SELECT message_floor, event_floor FROM lease WHERE account = ? AND shard = ?")

    async def load(self) -> None:
        for row in await self._database.fetch(self._LOAD, self._span.account, self._span.shard):
            self.message, self.event = row

    _CREATE = Statement(
        "INSERT INTO lease (account, shard, epoch, commit_seq, message_floor, event_floor) VALUES (?, ?, 0, 0, ?, ?)"
        " ON CONFLICT (account, shard) DO NOTHING",
        "INSERT IGNORE INTO lease (account, shard, epoch, commit_seq, message_floor, event_floor)"
        " VALUES (?, ?, 0, 0, ?, ?)",
    )

    def create(self, unit: Unit) -> None:
        """Add the row of a new account; that of the first one is the lease."""
        unit.add(self._CREATE, self._span.account, self._span.shard, self.message, self.event)

    _KEEP = Statement(
        "UPDATE lease SET message_floor = CASE WHEN message_floor < ?1 THEN ?1 ELSE message_floor END,"
        " event_floor = CASE WHEN event_floor < ?2 THEN ?2 ELSE event_floor END WHERE account = ?3 AND shard = ?4"
    )

    def keep(self, unit: Unit, message_id: int, position: int) -> None:
        """Let ids go on behind the last ones used, also when their rows are gone."""
        unit.add(self._KEEP, message_id, position, self._span.account, self._span.shard)

    _RAISE = Statement("UPDATE lease SET message_floor = ?, event_floor = ? WHERE account = ? AND shard = ?")

    def rise(self, unit: Unit, message_id: int, position: int) -> None:
        """Let ids go on far above the last ones used."""
        self.message = message_id + ADOPTED_IDS
        self.event = position + ADOPTED_IDS
        unit.add(self._RAISE, self.message, self.event, self._span.account, self._span.shard, rows=1)
