"""SQL as text: statements taken apart once, and values as literals.

Bytes travel as hexadecimal literals: nothing in them can be mistaken for SQL, whatever the server's settings are.
"""

import re
from collections.abc import Sequence
from typing import Any

from corefast.errors import StoreError
from corefast.limits import MAX_STATEMENTS
from corefast.store.database import Statement

_INT64 = 1 << 63

_PLACEHOLDER = re.compile(r"\?(\d*)")
_TABLE = re.compile(r"\b(?:INTO|FROM|JOIN|(?<!KEY )UPDATE)\s+([a-z_][a-z0-9_]*)")
_LIST_OF_TABLES = re.compile(r"\bFROM\s+[a-z_]\w*(\s+[a-z_]\w*)?\s*,")
_COUNTS = re.compile(r"\s+RETURNING\s+1\s*$")
_HAS_ROWS = re.compile(r"^\s*(SELECT|SHOW)\b|\bRETURNING\b")
_INSERT = re.compile(r"^\s*(?:INSERT|REPLACE)\b[^?]*?\bVALUES\s*(?=\()")
_INSERT_SELECT = re.compile(r"^\s*INSERT\s+INTO\s+(\w+)\s*\([^?()]*\)\s*(SELECT\b.*)$", re.DOTALL)
_NOT_ALONE = re.compile(r"\b(UNION|GROUP|ORDER|LIMIT|DUPLICATE)\b")
_UPSERT = re.compile(r"^\s*REPLACE\b|\bON DUPLICATE KEY UPDATE\b")


def check(params: Sequence[Any]) -> None:
    """Raise `TypeError`, `OverflowError` or `UnicodeError` for a value that the database does not take."""
    for value in params:
        if value is None or isinstance(value, bytes):
            continue
        if isinstance(value, int):
            if not -_INT64 <= value < _INT64:
                raise OverflowError("a database value cannot have more than 64 bits")
        elif isinstance(value, str):
            if not value.isascii():
                value.encode()  # a lone surrogate is no text
        elif not isinstance(value, float):
            raise TypeError(f"a database value cannot be {type(value).__name__}")
        elif value - value != 0:
            raise OverflowError("MySQL knows neither infinity nor NaN")


def literal(value: Any) -> str:
    """Return a value that passed `check` as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return f"{value!r}" if "e" in repr(value) else f"{value!r}e0"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{escaped}'"


class Shape:
    """A statement's text, taken apart.

    `?` stands for the next parameter and `?2` for the second one. A trailing `RETURNING 1`, which MySQL does not know,
    asks for one row for each row changed. Texts joined by `;` are one statement with the rows of the one that has any.
    """

    def __init__(self, text: str, rows: Sequence[tuple[str, int]] = ()) -> None:
        self.text, found = _COUNTS.subn("", text)
        self.counts = bool(found)
        """One row (1,) stands for each row that it changed."""
        steps = self.text.split(";")
        self.steps = len(steps)
        self.has_rows = self.counts or any(_HAS_ROWS.search(step) for step in steps)
        if _LIST_OF_TABLES.search(self.text):
            raise StoreError(f"write JOIN between tables: {self.text}")
        self.tables = frozenset(_TABLE.findall(self.text))
        self.keys = tuple((table, number - 1) for table, number in rows)
        """The one row of each table that it touches: the table, and the place of the row's key among the parameters."""
        if rows and (self.steps != 1 or {table for table, _ in rows} != self.tables):
            raise StoreError(f"name one row of each table or none: {self.text}")
        self.is_upsert = self.steps == 1 and bool(_UPSERT.search(self.text))
        self._take_apart()
        self.insert = self._find_values() if self.steps == 1 and (self.counts or not self.has_rows) else None
        """Before, within and after the tuple of values or the SELECT, where there is one with all parameters in it."""
        self.joint = " UNION ALL " if _INSERT_SELECT.search(self.text) else ", "
        in_order = self.order == tuple(range(len(self.order)))
        joinable = self.steps == 1 and in_order and bool(self.order) and (self.counts or not self.has_rows)
        joinable = joinable and not _INSERT_SELECT.search(self.text)  # MariaDB refuses to run these in bulk
        self.prepared = self.text if joinable and not re.search(r"\?\d", self.text) else ""
        """The text as the server can prepare it, where many rows of parameters can be run at once."""

    def _take_apart(self) -> None:
        parts: list[str] = []
        order: list[int] = []
        at = 0
        for match in _PLACEHOLDER.finditer(self.text):
            parts.append(self.text[at : match.start()])
            order.append(int(match[1]) - 1 if match[1] else len(order))
            at = match.end()
        self.parts = (*parts, self.text[at:])
        self.order = tuple(order)
        self.parameters = max(order, default=-1) + 1

    def _find_values(self) -> tuple[str, tuple[str, ...], str] | None:
        if (found := _INSERT_SELECT.search(self.text)) is not None:
            target, select = found.groups()
            # Many are one UNION where none reads what another one writes.
            if not self.keys or target in _TABLE.findall(select) or _NOT_ALONE.search(select):
                return None
            return self.text[: found.start(2)], tuple(_PLACEHOLDER.split(select)[::2]), ""
        head = _INSERT.search(self.text)
        if head is None:
            return None
        depth, end = 0, head.end()
        while end < len(self.text):
            depth += {"(": 1, ")": -1}.get(self.text[end], 0)
            end += 1
            if depth == 0:
                break
        tail = self.text[end:]
        if "?" in tail or "SELECT" in tail:
            return None
        return self.text[: head.end()], tuple(_PLACEHOLDER.split(self.text[head.end() : end])[::2]), tail

    def sql(self, params: Sequence[Any]) -> str:
        """Return the statement with these parameters."""
        return _weave(self.parts, self.order, params)

    def values(self, params: Sequence[Any]) -> str:
        """Return the tuple of values of an INSERT, or its SELECT."""
        assert self.insert is not None
        return _weave(self.insert[1], self.order, params)


def _weave(parts: Sequence[str], order: Sequence[int], params: Sequence[Any]) -> str:
    pieces = [parts[0]]
    for index, part in zip(order, parts[1:], strict=True):
        pieces.append(literal(params[index]))
        pieces.append(part)
    return "".join(pieces)


class Shapes:
    """Statements that were seen; their texts are constants."""

    def __init__(self) -> None:
        self._known: dict[Statement, Shape] = {}

    def of(self, statement: Statement, params: Sequence[Any]) -> Shape:
        """Return the statement's shape; raise as `check` does, and `StoreError` for a wrong number of *params*."""
        check(params)
        shape = self._known.get(statement)
        if shape is None:
            if len(self._known) >= MAX_STATEMENTS:
                raise StoreError("too many different statements: their texts must be constants")
            shape = self._known[statement] = Shape(statement.mysql or statement.sqlite, statement.rows)
        if shape.parameters != len(params):
            raise StoreError("a statement was given a wrong number of parameters")
        return shape

    def sql(self, statement: Statement, params: Sequence[Any]) -> str:
        """Return the text of one statement with its parameters."""
        return self.of(statement, params).sql(params)
