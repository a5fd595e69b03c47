"""Opening a database: its settings, its file modes, its schema."""

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop

from corefast.errors import SchemaTooNew, SetupError
from corefast.store.commit import Connection
from corefast.store.database import Statement, Unit
from corefast.store.migrate import Migration, load_migrations
from corefast.store.sqlite import open_sqlite
from tests.store.conftest import NOTES, Opening

VERSION = Statement("SELECT number, name FROM schema_version ORDER BY number")


def test_the_settings_that_durability_needs_are_on(on_sqlite: Opening) -> None:
    async def main() -> None:
        async with on_sqlite() as database:
            assert await database.fetch(Statement("PRAGMA journal_mode")) == [("wal",)]
            assert await database.commit(unit_of("PRAGMA synchronous")) == [[(2,)]]

    def unit_of(sql: str) -> Unit:
        unit = Unit()
        unit.add(Statement(sql))
        return unit

    uvloop.run(main())


def test_only_the_owner_may_read_the_files(on_sqlite: Opening, path: Path) -> None:
    def modes() -> dict[str, int]:
        return {part.name: part.stat().st_mode & 0o777 for part in path.parent.iterdir()}

    async def main() -> None:
        async with on_sqlite():
            assert modes() == {"notes.sqlite": 0o600, "notes.sqlite-wal": 0o600, "notes.sqlite-shm": 0o600}

    path.touch(0o644)
    uvloop.run(main())


def test_closing_leaves_one_file(on_sqlite: Opening, path: Path) -> None:
    async def main() -> None:
        async with on_sqlite():
            pass
        assert [part.name for part in path.parent.iterdir()] == ["notes.sqlite"]

    uvloop.run(main())


def test_the_standard_librarys_copy_of_sqlite_is_not_loaded() -> None:
    """Two copies in one process would break each other's POSIX locks."""
    code = "import corefast.store.sqlite, corefast.core.app, corefast.device.app, sys; print('_sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_migrations_run_once_and_in_order(opened: Opening) -> None:
    second = Migration(2, "colour", "ALTER TABLE note ADD COLUMN colour TEXT; UPDATE note SET colour = 'red';")

    async def main() -> None:
        for more in [(), (second,), (second,)]:
            async with opened(*more) as database:
                assert await database.fetch(VERSION) == [(1, "notes"), (2, "colour")][: len(more) + 1]

    uvloop.run(main())


def test_a_migration_that_fails_half_way_leaves_nothing_behind(on_sqlite: Opening) -> None:
    broken = Migration(2, "broken", "CREATE TABLE half (id); INSERT INTO half VALUES (1); SELECT * FROM nowhere;")

    async def main() -> None:
        with pytest.raises(SetupError, match=r"migration 002 \(broken\) failed: .*nowhere"):
            async with on_sqlite(broken):
                pass
        async with on_sqlite() as database:
            assert await database.fetch(Statement("SELECT name FROM sqlite_schema WHERE name = 'half'")) == []
            assert await database.fetch(VERSION) == [(1, "notes")]

    uvloop.run(main())


def test_a_newer_schema_is_refused_with_the_remedy(on_sqlite: Opening, path: Path) -> None:
    async def main() -> None:
        async with on_sqlite(Migration(2, "more", "SELECT 1;")):
            pass
        with pytest.raises(SchemaTooNew, match="schema 2, this corefast knows 1: start the newer"):
            await open_sqlite(path, [NOTES])

    uvloop.run(main())


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database at all, just a text of more than a hundred bytes" * 20)
    with pytest.raises(SetupError, match="file is not a database"):
        uvloop.run(open_sqlite(path, [NOTES]))


def test_a_connection_that_dies_in_a_cycle_closes_without_a_complaint(path: Path) -> None:
    complaints: list[object] = []

    class Holder:
        pass

    path.touch()
    connection = Connection(str(path), 0)  # before the holder, so that the collector comes to it first
    connection.fetch("SELECT 1")
    holder: Any = Holder()
    holder.me, holder.connection = holder, connection
    before, sys.unraisablehook = sys.unraisablehook, complaints.append
    try:
        del holder, connection
        gc.collect()
    finally:
        sys.unraisablehook = before
    assert not complaints


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="nowhere/x.sqlite cannot be opened: No such file"):
        uvloop.run(open_sqlite(tmp_path / "nowhere" / "x.sqlite", [NOTES]))


def test_migrations_are_found_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "migrated_owner"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "002_more.sql").write_text("SELECT 2;")
    (folder / "001_first_tables.sql").write_text("SELECT 1;")
    (folder / "notes.txt").write_text("not a migration")
    monkeypatch.syspath_prepend(tmp_path)
    expected = [Migration(1, "first_tables", "SELECT 1;"), Migration(2, "more", "SELECT 2;")]
    assert load_migrations("migrated_owner") == expected

    (folder / "002_more.sql").rename(folder / "003_more.sql")
    with pytest.raises(SetupError, match="without a gap"):
        load_migrations("migrated_owner")
