"""Rows of registration codes; written by `issue-code` in a process of its own, while the relay runs."""

from typing import NamedTuple

from corefast.store.database import Database, Statement, Unit

_PUT = Statement("REPLACE INTO code (number, digest, expires_ms, tries) VALUES (?, ?, ?, 0)")
_LOAD = Statement("SELECT digest, expires_ms, tries FROM code WHERE number = ?")
_TRIED = Statement("UPDATE code SET tries = tries + 1 WHERE number = ?")
_DELETE = Statement("DELETE FROM code WHERE number = ? AND digest = ?")
_EXPIRE = Statement("DELETE FROM code WHERE expires_ms <= ?")


class IssuedCode(NamedTuple):
    digest: bytes
    expires_ms: int
    tries: int


class CodeStore:
    """At most one code a number."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, number: str, digest: bytes, expires_ms: int) -> None:
        """Replace the number's code."""
        await self._commit(_PUT, number, digest, expires_ms)

    async def load(self, number: str) -> IssuedCode | None:
        rows = await self._database.fetch(_LOAD, number)
        return IssuedCode(*rows[0]) if rows else None

    async def count_try(self, number: str) -> None:
        """Durably note that somebody tried."""
        await self._commit(_TRIED, number)

    async def expire(self, now_ms: int) -> None:
        await self._commit(_EXPIRE, now_ms)

    async def _commit(self, statement: Statement, *params: object) -> None:
        unit = Unit()
        unit.add(statement, *params)
        await self._database.commit(unit)


def add_delete(unit: Unit, number: str, digest: bytes) -> None:
    """Let *unit* use the code up."""
    unit.add(_DELETE, number, digest)
