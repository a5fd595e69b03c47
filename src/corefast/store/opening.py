"""Opens the database that a program's settings name: a file of its own, or one on a server."""

from pathlib import Path

from corefast.errors import SetupError
from corefast.store.database import Database
from corefast.store.migrate import load_migrations
from corefast.store.sqlite import open_sqlite

SCHEME = "mysql://"


async def open_database(url: str, password: str, file: Path, package: str, owner: str) -> Database:
    """Open the database at *url*, or in *file* where that is empty, with the migrations of *package*.

    On a server *owner* names who writes: a later process of the same name takes over.
    """
    migrations = load_migrations(package)
    if not url:
        return await open_sqlite(file, migrations)
    if not url.startswith(SCHEME):
        raise SetupError("--database has to begin with mysql://; without it the data folder holds an SQLite file")
    # The driver costs memory and time: only programs that use it load it.
    from corefast.store.mysql.address import parse_address
    from corefast.store.mysql.database import open_mysql

    return await open_mysql(parse_address(url, password), migrations, owner=owner)
