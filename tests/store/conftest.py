import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from corefast.store.database import Database
from corefast.store.migrate import Migration
from corefast.store.sqlite import open_sqlite

NOTES = Migration(1, "notes", "CREATE TABLE note (id INTEGER PRIMARY KEY, author TEXT, body BLOB, weight REAL);")

Opening = Callable[..., contextlib.AbstractAsyncContextManager[Database]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.sqlite"


@pytest.fixture
def opened(path: Path) -> Opening:
    """Return a context manager that opens a database with a table of notes."""

    @contextlib.asynccontextmanager
    async def opening(*more: Migration) -> AsyncIterator[Database]:
        database = await open_sqlite(path, [NOTES, *more], busy_timeout_ms=50)
        try:
            yield database
        finally:
            await database.close()

    return opening
