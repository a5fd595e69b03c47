"""The store among real processes: killed, and beside another writer."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from corefast.errors import SetupError
from corefast.store.database import Statement, Unit
from corefast.store.sqlite import open_sqlite
from tests.store.conftest import NOTES, Opening

CHILD = """
import asyncio, sys, uvloop
from corefast.store.commit import Connection
from corefast.store.database import Statement, Unit
from corefast.store.migrate import Migration
from corefast.store.sqlite import open_sqlite
PATH = sys.argv[1]
NOTES = Migration(1, "notes", "CREATE TABLE note (id INTEGER PRIMARY KEY, author TEXT, body BLOB, weight REAL);")
APPEND = Statement("INSERT INTO note (author) VALUES (?) RETURNING id")
def append(author):
    unit = Unit()
    unit.add(APPEND, author)
    return unit
"""

COMMITS = """
async def main():
    database = await open_sqlite(PATH, [NOTES])
    while True:
        for [[(id,)]] in await asyncio.gather(*[database.commit(append("child")) for _ in range(20)]):
            print(id, flush=True)
uvloop.run(main())
"""

HOLDS_THE_LOCK = """
connection = Connection(PATH, 0)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""

MIGRATES_FOR_EVER = """
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO half SELECT i FROM n;"
print("migrating", flush=True)
uvloop.run(open_sqlite(PATH, [NOTES, Migration(2, "endless", "CREATE TABLE half (i); " + ENDLESS)]))
"""

WRITES_FIFTY = """
async def main():
    database = await open_sqlite(PATH, [NOTES])
    for _ in range(50):
        await database.commit(append("child"))
    await database.close()
uvloop.run(main())
"""


Child = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def child(path: Path) -> Iterator[Child]:
    """Return a function that starts a script in a process of its own, which does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", CHILD + script, str(path)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        kill(process)


def kill(process: "subprocess.Popen[str]") -> str:
    """Kill -9 and return what else it had said."""
    process.kill()
    assert process.stdin is not None and process.stdout is not None
    rest = "" if process.stdout.closed else process.communicate()[0]
    process.wait()
    return rest


def log_size(path: Path) -> int:
    log = Path(f"{path}-wal")
    return log.stat().st_size if log.exists() else 0


def test_every_unit_that_was_acknowledged_survives_kill_9(on_sqlite: Opening, child: Child) -> None:
    committing = child(COMMITS)
    assert committing.stdout is not None
    acknowledged = [committing.stdout.readline() for _ in range(1_000)]
    acknowledged += kill(committing).splitlines(keepends=True)
    told = {int(line) for line in acknowledged if line.endswith("\n")}

    async def main() -> None:
        async with on_sqlite() as database:
            stored = {id for (id,) in await database.fetch(Statement("SELECT id FROM note"))}
        assert len(told) >= 1_000
        assert told <= stored
        assert len(stored) % 20 == 0

    uvloop.run(main())


def test_a_migration_that_was_killed_half_way_runs_again(on_sqlite: Opening, path: Path, child: Child) -> None:
    async def main() -> None:
        async with on_sqlite():
            pass
        migrating = child(MIGRATES_FOR_EVER)
        assert migrating.stdout is not None and migrating.stdout.readline() == "migrating\n"
        while migrating.poll() is None and not log_size(path):
            pass
        kill(migrating)
        async with on_sqlite() as database:
            assert await database.fetch(Statement("SELECT name FROM sqlite_schema WHERE name = 'half'")) == []

    uvloop.run(main())


def test_a_file_locked_by_a_second_process_is_refused_at_start(on_sqlite: Opening, path: Path, child: Child) -> None:
    async def main() -> None:
        async with on_sqlite():
            pass
        holder = child(HOLDS_THE_LOCK)
        assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
        with pytest.raises(SetupError, match="another process keeps .*notes.sqlite locked"):
            await open_sqlite(path, [NOTES], busy_timeout_ms=50)
        kill(holder)

    uvloop.run(main())


def test_two_processes_that_write_lose_nothing(path: Path, child: Child) -> None:
    async def main() -> None:
        database = await open_sqlite(path, [NOTES])
        writer = child(WRITES_FIFTY)
        ours = 0
        while writer.poll() is None:
            unit = Unit()
            unit.add(Statement("INSERT INTO note (author) VALUES ('parent')"), rows=1)
            await database.commit(unit)
            ours += 1
        writer.communicate()
        found = await database.fetch(Statement("SELECT author, count(*) FROM note GROUP BY author ORDER BY author"))
        assert found == [("child", 50), ("parent", ours)]
        assert writer.returncode == 0
        await database.close()

    uvloop.run(main())
