"""What a program may ask of a database: reads, and units of work under group commit.

Knows no engine, no table and no thread. All methods belong to the event loop's thread, and so do all callbacks.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

Row = tuple[Any, ...]
Rows = list[Row]


class Statement(NamedTuple):
    """One SQL statement in each dialect, with `?` placeholders.

    *rows* names, for statements of which there are many, the one row that each touches in each of its tables: the
    table, and which parameter (from 1) is that row's primary key. Statements on other rows may then run in another
    order, so a table that has a second unique key must not be in it.

    *mysql* is empty where the dialects agree. There `?2` names the second parameter, a trailing `RETURNING 1` asks for
    one row for each row changed, and statements joined by `;` stand for the one that SQLite says them in.
    """

    sqlite: str
    mysql: str = ""
    rows: tuple[tuple[str, int], ...] = ()


Op = tuple[Statement, tuple[Any, ...], int | None]
"""A statement, its parameters (int, float, str, bytes, None), and how many rows it must change, if it promises any."""


class Unit:
    """Statements that become durable together or not at all."""

    __slots__ = ("ops",)

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def add(self, statement: Statement, *params: Any, rows: int | None = None) -> None:
        """Append a statement; with *rows* the whole batch is rolled back unless exactly so many rows change."""
        self.ops.append((statement, params, rows))


class Database(Protocol):
    """One database, of one owner.

    Units commit in the order given, many to a transaction; what arrives while a transaction is in flight goes into the
    next. Expected conflicts are said in SQL (`INSERT OR IGNORE`, `RETURNING`): an error fails every unit of its batch,
    and what is queued behind it, with `StoreConflict`, `RowCountUnexpected`, `StoreFull`, `StoreBusy` or `StoreError`.
    So no unit is durable that was made while an earlier one, now lost, was taken for done. `Overloaded` is raised at
    once where too much waits; a value of a wrong type raises `TypeError` at once; either way nothing is queued.
    """

    async def fetch(self, statement: Statement, *params: Any) -> Rows:
        """Return all rows of a query; it sees every unit whose commit is known to be done."""
        ...

    def commit(self, unit: Unit) -> "asyncio.Future[list[Rows]]":
        """Queue *unit*; the result means durable, and holds the rows of each RETURNING statement in order."""
        ...

    def commit_then(self, unit: Unit, callback: Callable[[Exception | None], None]) -> None:
        """Queue *unit* and call back with None once it is durable, or with the error: `commit` without a Future."""
        ...

    def set_prelude(self, prelude: Callable[[], list[Op]]) -> None:
        """Begin each transaction with what *prelude* returns, asked for when the transaction is put together.

        An exception of *prelude* fails the batch. Its rows are not kept.
        """
        ...

    @property
    def is_failing(self) -> bool:
        """Whether the last transaction failed; committing an empty unit asks anew."""
        ...

    def on_batch(self, hook: Callable[[int, float], None]) -> None:
        """Call *hook* with units and seconds after each commit: before the next prelude and the units' callbacks."""
        ...

    async def close(self) -> None:
        """Commit what is queued, then let go of the files."""
        ...
