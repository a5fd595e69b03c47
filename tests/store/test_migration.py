"""Migrations on a server that commits each DDL statement by itself: resumed, under a lock, once."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from corefast.errors import SetupError
from corefast.process import EXIT_SETUP
from corefast.store.database import Database, Rows, Statement
from corefast.store.migrate import Migration, load_migrations
from corefast.store.mysql.address import Address
from corefast.store.mysql.database import open_mysql
from tests.store.conftest import NOTES
from tests.support.mariadb import MariaDB

STATE = Statement("SELECT number, steps, applied_s IS NOT NULL FROM schema_version ORDER BY number")
TREES = Statement("SELECT name FROM tree ORDER BY name")

SLOW = Migration(
    2,
    "trees",
    """
    -- Three steps; the second takes its time.
    CREATE TABLE tree (name VARCHAR(20) PRIMARY KEY);
    INSERT INTO tree VALUES ('birch');
    DO SLEEP({seconds});
    INSERT INTO tree VALUES ('oak');
    """,
)


def taking(seconds: float) -> Migration:
    return SLOW._replace(sql=SLOW.sql.replace("{seconds}", str(seconds)))


async def state(database: Database) -> Rows:
    return await database.fetch(STATE)


def test_a_package_may_carry_two_forms_of_a_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "two_forms"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "001_first.sql").write_text("SELECT 1;")
    (folder / "001_first.mysql.sql").write_text("SELECT 'mysql';")
    (folder / "002_second.sql").write_text("SELECT 2;")
    monkeypatch.syspath_prepend(tmp_path)
    expected = [Migration(1, "first", "SELECT 1;", "SELECT 'mysql';"), Migration(2, "second", "SELECT 2;")]
    assert load_migrations("two_forms") == expected


@pytest.mark.parametrize("odd", ["002_other", "004_fourth"])
def test_a_number_that_is_there_twice_or_missing_ends_a_start_with_a_sentence(odd: str, tmp_path: Path) -> None:
    folder = tmp_path / "doubled"
    folder.mkdir()
    for name in ("__init__.py", "001_first.sql", "002_second.sql", f"{odd}.sql"):
        (folder / name).touch()
    start = (
        "from pathlib import Path; from corefast.process import run;"
        "from corefast.store.opening import Location, open_database;"
        "raise SystemExit(run(lambda stop: open_database(Location('', '', Path('x'), 'doubled'), 'x')))"
    )
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", start]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=tmp_path, env=environ)
    assert done.returncode == EXIT_SETUP
    assert odd in done.stderr and "install corefast again" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("package", ["corefast.relay.store", "corefast.core.store"])
def test_the_programs_schemas_can_be_made_on_the_server(address: Address, package: str) -> None:
    async def main() -> None:
        migrations = load_migrations(package)
        for _ in range(2):
            database = await open_mysql(address, migrations)
            assert [row[2] for row in await state(database)] == [1] * len(migrations)
            await database.close()

    uvloop.run(main())


CHILD = """
import sys, uvloop
from corefast.store.migrate import Migration
from corefast.store.mysql.address import Address
from corefast.store.mysql.database import open_mysql
from tests.store.conftest import NOTES
from tests.store.test_migration import taking
print("migrating", flush=True)
uvloop.run(open_mysql(Address(*eval(sys.argv[1])), [NOTES, taking(1.5)]))
"""


def test_a_migration_that_was_killed_half_way_goes_on_where_it_was(server: MariaDB, address: Address) -> None:
    process = subprocess.Popen([sys.executable, "-c", CHILD, repr(tuple(address))], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"migrating\n"
    query = "SELECT steps FROM schema_version WHERE number = 2"
    while "schema_version" not in str(server.sql("SHOW TABLES", address.name)):
        assert process.poll() is None
    while server.sql(query, address.name) != [["2"]]:
        assert process.poll() is None
    process.kill()
    process.communicate()

    async def main() -> None:
        database = await open_mysql(address, [NOTES, taking(0)])
        assert await database.fetch(TREES) == [("birch",), ("oak",)]
        assert await state(database) == [(1, 1, 1), (2, 4, 1)]
        await database.close()

    uvloop.run(main())


def test_a_step_that_was_done_but_not_counted_is_believed(server: MariaDB, address: Address) -> None:
    async def main() -> None:
        await (await open_mysql(address, [NOTES])).close()
        server.sql(
            "CREATE TABLE tree (name VARCHAR(20) PRIMARY KEY);INSERT INTO schema_version VALUES (2, 'trees', 0, NULL)",
            address.name,
        )
        database = await open_mysql(address, [NOTES, taking(0)])
        assert await database.fetch(TREES) == [("birch",), ("oak",)]
        await database.close()

    uvloop.run(main())


def test_a_table_that_nobody_made_for_us_is_not_believed(server: MariaDB, address: Address) -> None:
    async def main() -> None:
        await (await open_mysql(address, [NOTES])).close()
        server.sql("CREATE TABLE tree (name INT)", address.name)
        with pytest.raises(SetupError, match=r"migration 002 \(trees\) failed: .*tree.* already exists"):
            await open_mysql(address, [NOTES, taking(0)])

    uvloop.run(main())


def test_a_migration_that_fails_is_named_and_goes_on_once_it_is_mended(address: Address) -> None:
    broken = Migration(2, "trees", "CREATE TABLE tree (name VARCHAR(20)); INSERT INTO forest VALUES (1);")
    mended = broken._replace(sql="CREATE TABLE tree (name VARCHAR(20)); INSERT INTO tree VALUES ('elm');")

    async def main() -> None:
        with pytest.raises(SetupError, match=r"migration 002 \(trees\) failed: .*forest.* doesn't exist"):
            await open_mysql(address, [NOTES, broken])
        database = await open_mysql(address, [NOTES, mended])
        assert await database.fetch(TREES) == [("elm",)]
        await database.close()

    uvloop.run(main())


def test_processes_that_start_together_migrate_once(address: Address) -> None:
    async def main() -> None:
        opening = [open_mysql(address, [NOTES, taking(0.3)], owner=f"core {shard}") for shard in range(3)]
        databases = await asyncio.gather(*opening)
        assert await databases[0].fetch(TREES) == [("birch",), ("oak",)]
        for database in databases:
            await database.close()

    uvloop.run(main())
