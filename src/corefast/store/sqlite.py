"""A database in one SQLite file: one writer, one reader, WAL, every commit fsynced."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from corefast.errors import SetupError, StoreBusy, StoreError
from corefast.store.commit import Batch, Connection
from corefast.store.database import Rows, Statement
from corefast.store.lane import CommitLane, Committing, Lane, Waiter
from corefast.store.migrate import Migration, pending

BUSY_TIMEOUT_MS = 5_000

_SYNCHRONOUS_FULL = 2

# secure_delete=fast zeroes what is deleted where that costs no further page; temporary tables never reach the disk.
_SETTINGS = """
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = OFF;
PRAGMA cache_size = -16384;
PRAGMA mmap_size = 0;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = FAST;
PRAGMA trusted_schema = OFF;
PRAGMA journal_size_limit = 67108864;
"""

_VERSION_TABLE = """
CREATE TABLE IF NOT EXISTS schema_version (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_s INTEGER NOT NULL)
"""


class _Worker:
    """A connection's thread: it owns the connection while a batch runs, and the loop does in between."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._done: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=connection.serve, name=name, daemon=True)
        self._thread.start()
        self._loop.add_reader(connection.done_fd, self._finish)

    def new_batch(self) -> Batch:
        return Batch(self._connection)

    def start(self, batch: Batch, done: Callable[[], None]) -> None:
        self._done = done
        self._connection.start(batch)

    def _finish(self) -> None:
        self._connection.take()
        self._done()

    def stop(self) -> None:
        """End the thread; nothing may be running. Harmless when repeated."""
        if not self._thread.is_alive():
            return
        self._loop.remove_reader(self._connection.done_fd)
        self._connection.stop()
        self._thread.join()


class _Queries(Lane[Batch]):
    """Queries; each stands for itself."""

    def _settle(self, batch: Batch, waiters: list[Waiter]) -> None:
        results = batch.results()
        for waiter, error, rows in zip(waiters, batch.errors(), results, strict=True):
            self._answer(waiter, error, rows[0] if rows else [])


class SqliteDatabase(Committing):
    """`Database` on one SQLite file."""

    def __init__(self, writer: Connection, reader: Connection) -> None:
        self._workers = [_Worker(writer, "store-commit"), _Worker(reader, "store-read")]
        super().__init__(CommitLane(self._workers[0]))
        self._writer = writer
        self._reader = reader
        self._reads = _Queries(self._workers[1])

    async def fetch(self, statement: Statement, *params: Any) -> Rows:
        waiter: asyncio.Future[Rows] = self._loop.create_future()
        self._reads.put([(statement, params, None)], waiter)
        return await waiter

    async def close(self) -> None:
        await self._commits.close()
        await self._reads.close()
        for worker in self._workers:
            worker.stop()
        await asyncio.to_thread(self._let_go)

    def _let_go(self) -> None:
        self._reader.close()
        with contextlib.suppress(StoreError):  # the log then stays beside the file, and the next start reads it
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writer.close()


async def open_sqlite(
    path: str | Path, migrations: Sequence[Migration], *, busy_timeout_ms: int = BUSY_TIMEOUT_MS
) -> SqliteDatabase:
    """Open or make the database at *path*, of mode 0600, and bring it to the newest of *migrations*.

    Raises `SetupError` where durable commits cannot be had, another process keeps the file locked, or a migration fails
    (nothing of it is applied then), and `SchemaTooNew`.
    """
    writer, reader = await asyncio.to_thread(_open, Path(path), migrations, busy_timeout_ms)
    return SqliteDatabase(writer, reader)


async def sqlite_version(path: Path) -> int:
    """Return the schema of the file at *path*, 0 where there is none; raise `SetupError`."""
    return await asyncio.to_thread(_read_version, path)


def _read_version(path: Path) -> int:
    if not path.exists():
        return 0
    connection = Connection(str(path), BUSY_TIMEOUT_MS)
    try:
        return _version(connection)
    except StoreError as error:
        raise SetupError(f"the database {path} cannot be used: {error}") from None
    finally:
        connection.close()


def _open(path: Path, migrations: Sequence[Migration], busy_timeout_ms: int) -> tuple[Connection, Connection]:
    _make_private(path)
    writer = Connection(str(path), busy_timeout_ms)
    try:
        _configure(writer)
        _migrate(writer, migrations)
        reader = Connection(str(path), busy_timeout_ms, is_reader=True)
        reader.execute(_SETTINGS + "PRAGMA query_only = ON;")
        return writer, reader
    except StoreBusy:
        raise SetupError(f"another process keeps {path} locked: stop it, then start again") from None
    except StoreError as error:
        raise SetupError(f"the database {path} cannot be used: {error}") from None


def _make_private(path: Path) -> None:
    """Create the file, durably, or take rights of others away; before SQLite opens it, as a close drops its locks."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for suffix in ("", "-wal", "-shm"):
            part = Path(f"{path}{suffix}")
            if part.exists():
                part.chmod(0o600)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SetupError(f"the database {path} cannot be opened: {error.strerror}") from None
    os.fsync(folder)
    os.close(folder)


def _configure(connection: Connection) -> None:
    connection.execute(_SETTINGS)
    if connection.fetch("PRAGMA journal_mode = WAL") != [("wal",)]:
        raise SetupError("SQLite cannot keep a write-ahead log here: put the data on a local file system")
    if connection.fetch("PRAGMA synchronous") != [(_SYNCHRONOUS_FULL,)]:
        raise SetupError("this SQLite refuses synchronous=FULL, without which no commit is durable")
    connection.execute("BEGIN IMMEDIATE; ROLLBACK;")  # one writer: better to learn now that it is not us


def _migrate(connection: Connection, migrations: Sequence[Migration]) -> None:
    if pending(migrations, _version(connection)):
        connection.execute(_VERSION_TABLE)
    for migration in pending(migrations, _version(connection)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _version(connection) < migration.number:  # else another process was quicker
                connection.execute(migration.sql)
                connection.fetch(
                    "INSERT INTO schema_version VALUES (?, ?, strftime('%s', 'now')) RETURNING number",
                    migration.number,
                    migration.name,
                )
            connection.execute("COMMIT")
        except StoreError as error:
            with contextlib.suppress(StoreError):  # SQLite has rolled back by itself after some errors
                connection.execute("ROLLBACK")
            raise SetupError(f"migration {migration.number:03} ({migration.name}) failed: {error}") from None


def _version(connection: Connection) -> int:
    """Return the schema of the database; 0 for a new one."""
    if not connection.fetch("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'"):
        return 0
    [(version,)] = connection.fetch("SELECT coalesce(max(number), 0) FROM schema_version")
    return int(version)
