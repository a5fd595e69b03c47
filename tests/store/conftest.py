import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from corefast.store.database import Database
from corefast.store.migrate import Migration
from corefast.store.mysql.address import Address
from corefast.store.mysql.database import open_mysql
from corefast.store.sqlite import open_sqlite
from tests.support.mariadb import MariaDB

NOTES = Migration(
    1,
    "notes",
    "CREATE TABLE note (id INTEGER PRIMARY KEY, author TEXT, body BLOB, weight REAL);",
    "CREATE TABLE note (id BIGINT PRIMARY KEY AUTO_INCREMENT, author TEXT, body LONGBLOB, weight DOUBLE)"
    " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
)

Opening = Callable[..., contextlib.AbstractAsyncContextManager[Database]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.sqlite"


@pytest.fixture
def address(server: MariaDB) -> Iterator[Address]:
    """An empty database on the server."""
    address = server.address()
    yield address
    server.drop(address)


@pytest.fixture
def on_sqlite(path: Path) -> Opening:
    """Return a context manager that opens a database with a table of notes."""

    @contextlib.asynccontextmanager
    async def opening(*more: Migration) -> AsyncIterator[Database]:
        database = await open_sqlite(path, [NOTES, *more], busy_timeout_ms=50)
        try:
            yield database
        finally:
            await database.close()

    return opening


@pytest.fixture
def on_mysql(address: Address) -> Opening:
    @contextlib.asynccontextmanager
    async def opening(*more: Migration) -> AsyncIterator[Database]:
        database = await open_mysql(address, [NOTES, *more])
        try:
            yield database
        finally:
            await database.close()

    return opening


@pytest.fixture(params=["sqlite", "mysql"])
def opened(request: pytest.FixtureRequest) -> Opening:
    """The same on each engine."""
    opening: Opening = request.getfixturevalue(f"on_{request.param}")
    return opening
