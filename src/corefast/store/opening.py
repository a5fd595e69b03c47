"""Opens the database that a program's settings name: a file of its own, or one on a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from corefast.errors import SetupError
from corefast.store.database import Database
from corefast.store.migrate import Migration, load_migrations, pending
from corefast.store.sqlite import open_sqlite, sqlite_version

SCHEME = "mysql://"


class Location(NamedTuple):
    """Where a program's database is: at *url*, or in *file* where that is empty. *package* holds its migrations."""

    url: str
    password: str
    file: Path
    package: str


async def open_database(location: Location, owner: str) -> Database:
    """Open the database and bring it to our schema.

    On a server *owner* names who writes: a later process of the same name takes over.
    """
    migrations = load_migrations(location.package)
    if not location.url:
        return await open_sqlite(location.file, migrations)
    # The driver costs memory and time: only programs that use it load it.
    from corefast.store.mysql.address import parse_address
    from corefast.store.mysql.database import open_mysql

    return await open_mysql(parse_address(_server(location.url), location.password), migrations, owner=owner)


async def migrate(location: Location, *, check: bool) -> str:
    """Bring the database to our schema and say what was done.

    With *check* nothing is done, and what is missing is a `SetupError`; so is, always, a schema newer than ours.
    """
    migrations = load_migrations(location.package)
    version = await _version(location, migrations)
    if not pending(migrations, version):
        return f"schema {version}"
    if check:
        raise SetupError(f"the schema is {version} and has to be {len(migrations)}: run corefast migrate")
    await _migrate(location, migrations)
    return f"schema {len(migrations)}, was {version}"


async def _version(location: Location, migrations: Sequence[Migration]) -> int:
    if not location.url:
        return await sqlite_version(location.file)
    from corefast.store.mysql.address import parse_address
    from corefast.store.mysql.database import mysql_version

    return await mysql_version(parse_address(_server(location.url), location.password), migrations)


async def _migrate(location: Location, migrations: Sequence[Migration]) -> None:
    if not location.url:
        location.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        await (await open_sqlite(location.file, migrations)).close()
        return
    from corefast.store.mysql.address import parse_address
    from corefast.store.mysql.database import migrate_mysql

    await migrate_mysql(parse_address(_server(location.url), location.password), migrations)


def _server(url: str) -> str:
    if not url.startswith(SCHEME):
        raise SetupError("--database has to begin with mysql://; without it the data folder holds an SQLite file")
    return url
