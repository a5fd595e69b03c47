"""Units of work, put together so that the server has few statements to run.

Statements of the same shape run as one, across units, where none between them touches what they touch: a table, or the
one row of it that a `Statement` names. So the rows end as if each unit had run after the one before it. Knows no
connection.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from corefast.errors import RowCountUnexpected
from corefast.store.database import Op, Rows
from corefast.store.mysql.text import Shape, Shapes

MAX_STATEMENT_CHARACTERS = 1_000_000
"""Of one statement with many rows; a row of its own may be longer."""

MAX_JOINED_SELECTS = 128
"""Of one statement: the server plans each by itself, before the first one runs."""


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

    __slots__ = ("calls", "position", "shape")

    def __init__(self, shape: Shape, position: int = 0) -> None:
        self.shape = shape
        self.position = position
        """Among the groups of its batch."""
        self.calls: list[Call] = []

    def whole(self) -> Run:
        """Return the run that takes all parameters at once."""
        return Run(self.shape, self.calls)

    def runs(self, *, joined: bool) -> Iterator[Run]:
        """Return the statements as text."""
        if joined and self.shape.insert is not None and len(self.calls) > 1:
            yield from self._joined(self.shape.insert[0], self.shape.insert[2])
        else:
            for call in self.calls:
                yield Run(self.shape, [call], self.shape.sql(call.params))

    def _joined(self, head: str, tail: str) -> Iterator[Run]:
        joint = self.shape.joint
        most = MAX_JOINED_SELECTS if joint != ", " else len(self.calls)
        calls: list[Call] = []
        rows: list[str] = []
        size = 0
        for call in self.calls:
            row = self.shape.values(call.params)
            if rows and (size + len(row) > MAX_STATEMENT_CHARACTERS or len(rows) >= most):
                yield Run(self.shape, calls, f"{head}{joint.join(rows)}{tail}")
                calls, rows, size = [], [], 0
            calls.append(call)
            rows.append(row)
            size += len(row)
        yield Run(self.shape, calls, f"{head}{joint.join(rows)}{tail}")


class Batch:
    """Units on their way into one transaction: filled, run until it is decided, read once."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._prelude: list[Group] = []
        self._groups: list[Group] = []
        self._units: list[list[Rows] | None] = []
        self._newest: dict[Shape, Group] = {}
        # The positions of the last groups that touch a table at all, the whole of it, and one row of it.
        self._last: dict[str, int] = {}
        self._whole: dict[str, int] = {}
        self._rows: dict[tuple[str, Any], int] = {}
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
            self._place(shape, call.params).calls.append(call)
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

    def _place(self, shape: Shape, params: tuple[Any, ...]) -> Group:
        rows = [(table, params[at]) for table, at in shape.keys]
        group = self._newest.get(shape)
        if group is None or self._last_touch(shape, rows) > group.position:
            group = Group(shape, len(self._groups))
            self._groups.append(group)
            if not shape.tables:  # nobody knows what it touches: nothing moves across it
                self._newest.clear()
                return group
            self._newest[shape] = group
            self._last.update(dict.fromkeys(shape.tables, group.position))
            if not rows:
                self._whole.update(dict.fromkeys(shape.tables, group.position))
        for row in rows:
            self._rows[row] = group.position
        return group

    def _last_touch(self, shape: Shape, rows: list[tuple[str, Any]]) -> int:
        """Return the position of the last group that touches what a statement would touch."""
        if not rows:
            return max(self._last[table] for table in shape.tables)
        latest = -1
        for row in rows:  # a loop: a generator costs as much again
            latest = max(latest, self._whole.get(row[0], -1), self._rows.get(row, -1))
        return latest

    def groups(self) -> list[Group]:
        """Return what to run, in order, the prelude first."""
        return self._prelude + self._groups

    def error(self) -> Exception | None:
        return None if self.failure is None else type(self.failure)(*self.failure.args)

    def results(self) -> list[list[Rows] | None]:
        return self._units
