"""Rows of encrypted files: who put them last, how large they are, and when they were asked for last by their owner."""

from corefast.store.database import Database, Row, Statement, Unit

_PUT = Statement("REPLACE INTO stored_blob (name, owner, size, at_ms) VALUES (?, ?, ?, ?)")
_LOAD = Statement("SELECT owner, size, at_ms FROM stored_blob WHERE name = ?")
_TOUCH = Statement("UPDATE stored_blob SET at_ms = ? WHERE name = ?")
_DELETE = Statement("DELETE FROM stored_blob WHERE name = ?")
_OLD = Statement("SELECT name FROM stored_blob WHERE at_ms < ? ORDER BY at_ms LIMIT ?")
_SUMS = Statement("SELECT owner, sum(size) FROM stored_blob GROUP BY owner")


class BlobStore:
    """One row a file; the row is there before the file has its name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: bytes, owner: str, size: int, at_ms: int) -> None:
        await self._commit(_PUT, name, owner, size, at_ms)

    async def load(self, name: bytes) -> Row | None:
        """Return owner, size, and since when its time runs."""
        rows = await self._database.fetch(_LOAD, name)
        return rows[0] if rows else None

    async def touch(self, name: bytes, at_ms: int) -> None:
        """Begin the file's time anew."""
        await self._commit(_TOUCH, at_ms, name)

    async def delete(self, name: bytes) -> None:
        await self._commit(_DELETE, name)

    async def old(self, before_ms: int, limit: int) -> list[bytes]:
        """Return the names of the oldest files from before *before_ms*."""
        return [bytes(name) for (name,) in await self._database.fetch(_OLD, before_ms, limit)]

    async def sums(self) -> dict[str, int]:
        """Return the bytes of each owner."""
        return {owner: int(size) for owner, size in await self._database.fetch(_SUMS)}

    async def _commit(self, statement: Statement, *params: object) -> None:
        unit = Unit()
        unit.add(statement, *params)
        await self._database.commit(unit)
