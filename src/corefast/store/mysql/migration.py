"""Brings a schema up to date on a server that commits each DDL statement by itself.

A row of `schema_version` counts the statements of a migration that are done. A process killed between a statement and
its count leaves one in doubt: when that one is run again, the server's word that it is done already is believed.
"""

import re
from collections.abc import Sequence

from corefast.errors import SetupError
from corefast.store.database import Rows
from corefast.store.migrate import Migration, pending
from corefast.store.mysql.address import Address
from corefast.store.mysql.error import Done, Refused, Retry
from corefast.store.mysql.session import Session, Timing, connect
from corefast.store.mysql.text import literal
from corefast.store.mysql.writer import WRITER_TABLE

LOCK_S = 60
"""How long we wait for another process that migrates."""

_VERSION_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_version (number INT NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL,"
    " steps INT NOT NULL, applied_s BIGINT) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
)
_COMMENT = re.compile(r"--[^\n]*")
_LOCK = "SELECT GET_LOCK(CONCAT('corefast.', SHA1(DATABASE())), {seconds})"
_DML = ("INSERT", "UPDATE", "DELETE", "REPLACE")


def steps_of(migration: Migration) -> list[str]:
    """Return the statements of a migration's MySQL form, without comments."""
    text = _COMMENT.sub("", migration.mysql or migration.sql)
    return [step.strip() for step in text.split(";") if step.strip()]


async def migrate(address: Address, migrations: Sequence[Migration], timing: Timing) -> None:
    """Apply what is missing, one process at a time; raise `SetupError`, `SchemaTooNew`."""
    session = await connect(address, timing._replace(answer_s=float(LOCK_S) * 60))
    try:
        # A cluster has no such lock: there the rows of `schema_version` tell the second one that it is too late.
        if not session.is_clustered:
            [answer] = await session.run(_LOCK.format(seconds=LOCK_S))
            if answer.rows != [(1,)]:
                raise SetupError(f"another process migrates the database {address}: try again when it is done")
        await _migrate(session, migrations)
    finally:
        await session.close()  # and with it the lock


async def version(session: Session, migrations: Sequence[Migration]) -> int:
    """Return the number of the last migration that is complete; raise `SetupError` where the tables are not ours."""
    rows = await _applied(session)
    for number, name, _, _ in rows:
        if number <= len(migrations) and migrations[number - 1].name != name:
            raise SetupError(f"the database belongs to another program: its schema {number:03} is {name!r}")
    return max((number for number, _, _, applied_s in rows if applied_s is not None), default=0)


async def _applied(session: Session) -> Rows:
    [found] = await session.run(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'schema_version'"
    )
    if not found.rows:
        return []
    [answer] = await session.run("SELECT number, name, steps, applied_s FROM schema_version")
    return answer.rows or []


async def _migrate(session: Session, migrations: Sequence[Migration]) -> None:
    missing = pending(migrations, await version(session, migrations))
    await session.run(f"{_VERSION_TABLE};{WRITER_TABLE}")
    for migration in missing:
        try:
            await _apply(session, migration)
        except Retry as retry:
            failure: Exception = retry.error
        except (Refused, Exception) as error:
            failure = error
        else:
            continue
        raise SetupError(f"migration {migration.number:03} ({migration.name}) failed: {failure}") from None


async def _apply(session: Session, migration: Migration) -> None:
    number, name = migration.number, literal(migration.name)
    [taken] = await session.run(f"INSERT IGNORE INTO schema_version VALUES ({number}, {name}, 0, NULL)")  # noqa: S608
    [found] = await session.run(f"SELECT steps FROM schema_version WHERE number = {number}")  # noqa: S608
    assert found.rows
    done = found.rows[0][0]
    is_doubtful = not taken.changes
    for position, step in enumerate(steps_of(migration)):
        if position < done:
            continue
        await _run_step(session, step, (number, position), is_doubtful=is_doubtful)
        is_doubtful = False
    await session.run(f"UPDATE schema_version SET applied_s = UNIX_TIMESTAMP() WHERE number = {number}")  # noqa: S608


async def _run_step(session: Session, step: str, place: tuple[int, int], *, is_doubtful: bool) -> None:
    number, position = place
    count = f"UPDATE schema_version SET steps = {position + 1} WHERE number = {number} AND steps <= {position}"  # noqa: S608
    if step.upper().startswith(_DML):
        await session.run(f"BEGIN;{step};{count};COMMIT")
        return
    try:
        await session.run(step)
    except Done:
        if not is_doubtful:
            raise
    await session.run(count)
