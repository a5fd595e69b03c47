"""`Database` on a MariaDB or MySQL server."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from corefast.errors import SetupError, StoreError
from corefast.store.database import Rows, Statement
from corefast.store.lane import CommitLane, Committing
from corefast.store.migrate import Migration
from corefast.store.mysql.address import Address
from corefast.store.mysql.error import Refused, Retry, Untrusted
from corefast.store.mysql.migration import migrate, version
from corefast.store.mysql.pool import Pool
from corefast.store.mysql.session import Timing, connect
from corefast.store.mysql.text import Shapes
from corefast.store.mysql.writer import Writer


class MysqlDatabase(Committing):
    """`Database` on one server: one connection that writes, a few that read."""

    def __init__(self, writer: Writer, pool: Pool) -> None:
        super().__init__(CommitLane(writer))
        self._writer = writer
        self._pool = pool
        self._shapes = Shapes()

    async def fetch(self, statement: Statement, *params: Any) -> Rows:
        return await self._pool.fetch(self._shapes.sql(statement, params))

    async def close(self) -> None:
        self._writer.is_closing = True
        await self._commits.close()
        await self._writer.close()
        await self._pool.close()


async def open_mysql(
    address: Address, migrations: Sequence[Migration], *, owner: str = "main", timing: Timing | None = None
) -> MysqlDatabase:
    """Open the database at *address* and bring it to the newest of *migrations*.

    From here on an earlier process with the same *owner* can commit nothing more. Raises `SetupError` where the server
    does not let us in, its commits are not durable, or a migration fails, and `SchemaTooNew`.
    """
    timing = timing or Timing()
    writer = Writer(address, owner, timing)
    try:
        with _explained(address):
            await writer.check()
            await migrate(address, migrations, timing)
            await writer.open()
    except BaseException:
        await writer.close()
        raise
    return MysqlDatabase(writer, Pool(address, timing))


async def migrate_mysql(address: Address, migrations: Sequence[Migration]) -> None:
    """Bring the database to the newest of *migrations*; raise as `open_mysql`."""
    with _explained(address):
        await migrate(address, migrations, Timing())


async def mysql_version(address: Address, migrations: Sequence[Migration]) -> int:
    """Return the schema of the database, 0 for a new one; raise as `open_mysql`."""
    with _explained(address):
        session = await connect(address, Timing())
        try:
            return await version(session, migrations)
        finally:
            await session.close()


@contextlib.contextmanager
def _explained(address: Address) -> Iterator[None]:
    """Turn what a server may answer into a sentence for the operator."""
    try:
        yield
    except Untrusted as untrusted:
        raise SetupError(f"the database {address} cannot be used: {untrusted}") from None
    except Refused as refused:
        raise SetupError(f"the database {address} refuses us: {refused}") from None
    except Retry as retry:
        raise SetupError(f"the database {address} cannot be used: {retry.error}; is the server running?") from None
    except StoreError as error:
        raise SetupError(f"the database {address} cannot be used: {error}") from None
