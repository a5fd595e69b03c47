"""Units of work, put together so that the server has few statements to run.

Statements of the same shape run as one, across units, where none between them touches a table that they touch. So
the rows end as if each unit had run after the one before it. Knows no connection.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from corefast.errors import RowCountUnexpected
from corefast.store.database import Op, Rows
from corefast.store.mysql.text import Shape, Shapes

MAX_STATEMENT_CHARACTERS = 1_000_000
"""Of one statement with many rows; a row of its own may be longer."""


class CountUnproven(Exception):
    """A statement stood for many, and its row count does not tell which of them changed a row."""


class Call:
    """One statement's parameters, what it must change, and where its rows go."""

    __slots__ = ("expected", "index", "params", "rows")

    def __init__(self, params: tuple[Any, ...], expected: int | None) -> None:
        self.params = params
        self.expected = expected
        self.rows: list[Rows] | None = None
        self.index = 0

    def finish(self, shape: Shape, changes: int, rows: Rows) -> None:
        """Take what the server answered; raise `RowCountUnexpected`."""
        if self.expected is not None and changes != self.expected:
            raise RowCountUnexpected(f"a statement changed {changes} rows instead of {self.expected}")
        if self.rows is not None:
            self.rows[self.index] = [(1,)] * changes if shape.counts else rows


class Run(NamedTuple):
    """One statement for the server, and the calls that it stands for."""

    shape: Shape
    calls: list[Call]
    sql: str = ""

    def finish(self, changes: int, rows: Rows) -> None:
        """Take what the server answered; raise `RowCountUnexpected`, or `CountUnproven`."""
        if len(self.calls) == 1:
            # What replaces a row counts twice here, and once in SQLite.
            self.calls[0].finish(self.shape, min(changes, 1) if self.shape.is_upsert else changes, rows)
        elif self.shape.counts or any(call.expected is not None for call in self.calls):
            if not self.shape.is_upsert and changes != len(self.calls):
                raise CountUnproven
            for call in self.calls:
                call.finish(self.shape, 1, [])


class Group:
    """Calls of one shape that may run together; where rows are counted, each call names a row by a unique key."""

    __slots__ = ("calls", "shape")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.calls: list[Call] = []

    def whole(self) -> Run:
        """Return the run that takes all parameters at once."""
        return Run(self.shape, self.calls)

    def runs(self, *, joined: bool) -> Iterator[Run]:
        """Return the statements as text."""
        if joined and self.shape.insert is not None and len(self.calls) > 1:
            yield from self._joined(*self.shape.insert)
        else:
            for call in self.calls:
                yield Run(self.shape, [call], self.shape.sql(call.params))

    def _joined(self, head: str, values: object, tail: str) -> Iterator[Run]:
        calls: list[Call] = []
        rows: list[str] = []
        size = 0
        for call in self.calls:
            row = self.shape.values(call.params)
            if rows and size + len(row) > MAX_STATEMENT_CHARACTERS:
                yield Run(self.shape, calls, f"{head}{', '.join(rows)}{tail}")
                calls, rows, size = [], [], 0
            calls.append(call)
            rows.append(row)
            size += len(row)
        yield Run(self.shape, calls, f"{head}{', '.join(rows)}{tail}")


class Batch:
    """Units on their way into one transaction: filled, run until it is decided, read once."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._prelude: list[Group] = []
        self._groups: list[Group] = []
        self._units: list[list[Rows] | None] = []
        self._newest: dict[Shape, Group] = {}
        # The last group that touches a table.
        self._touched: dict[str, Group] = {}
        self.failure: Exception | None = None
        self.seconds = 0.0

    def __len__(self) -> int:
        return len(self._units)

    def add(self, ops: list[Op]) -> None:
        calls = [self._call(op) for op in ops]
        results: list[Rows] = []
        for shape, call in calls:
            if shape.has_rows:
                call.rows, call.index = results, len(results)
                results.append([])
            self._place(shape).calls.append(call)
        self._units.append(results or None)

    def set_prelude(self, ops: list[Op]) -> None:
        self._prelude = []
        for op in ops:
            shape, call = self._call(op)
            group = Group(shape)
            group.calls.append(call)
            self._prelude.append(group)

    def _call(self, op: Op) -> tuple[Shape, Call]:
        statement, params, expected = op
        return self._shapes.of(statement, params), Call(params, expected)

    def _place(self, shape: Shape) -> Group:
        group = self._newest.get(shape)
        if group is not None and all(self._touched[table] is group for table in shape.tables):
            return group
        group = Group(shape)
        self._groups.append(group)
        if not shape.tables:  # nobody knows what it touches: nothing moves across it
            self._newest.clear()
            return group
        self._newest[shape] = group
        for table in shape.tables:
            self._touched[table] = group
        return group

    def groups(self) -> list[Group]:
        """Return what to run, in order, the prelude first."""
        return self._prelude + self._groups

    def error(self) -> Exception | None:
        return None if self.failure is None else type(self.failure)(*self.failure.args)

    def results(self) -> list[list[Rows] | None]:
        return self._units
