"""One connection to a server, as we need it: its settings, its time limits, its errors typed."""

import asyncio
import ssl
from collections.abc import Awaitable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import asyncmy
from asyncmy.constants import CLIENT, FIELD_TYPE
from asyncmy.converters import conversions
from asyncmy.cursors import Cursor
from asyncmy.errors import MySQLError, NotSupportedError

from corefast.errors import SetupError, StoreBusy
from corefast.store.database import Rows
from corefast.store.mysql.address import Address
from corefast.store.mysql.error import Retry, code_of, translate

T = TypeVar("T")


class Timing(NamedTuple):
    """How long the database may take, in seconds."""

    connect_s: float = 5.0
    answer_s: float = 10.0
    """For one round trip: above what a lock may take and a slow disk."""
    lock_s: int = 5
    give_up_s: float = 10.0
    """How long a transaction is tried again before its units are told."""
    frozen_s: int = 2
    """After so long without a word the server ends the writer's connection, and with it a frozen process's locks."""
    heartbeat_s: float = 0.5


class Answer(NamedTuple):
    """What one statement did."""

    changes: int
    rows: Rows | None


_SETTINGS = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;"
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO',"
    " collation_connection = 'utf8mb4_bin', innodb_lock_wait_timeout = {lock_s}, net_read_timeout = 10"
)
WRITER = ", wait_timeout = {frozen_s}"
READER = ";SET SESSION TRANSACTION READ ONLY"

_NOT_PREPARABLE = 1295


def _number(text: str) -> int | Decimal:
    """The sum of whole numbers is a DECIMAL here."""
    return Decimal(text) if "." in text else int(text)


_CONVERSIONS = conversions | {FIELD_TYPE.DECIMAL: _number, FIELD_TYPE.NEWDECIMAL: _number}


class _Quiet(Cursor):
    """A cursor that logs no warnings: they show values."""

    async def _show_warnings(self, connection: Any) -> None:
        return None


class Session:
    """A connection; made by `connect`. Raises what `translate` makes of an error, and is closed by a lost one."""

    def __init__(self, connection: Any, timing: Timing) -> None:
        self._connection = connection
        self._timing = timing
        self._prepared: dict[str, Any] = {}
        self.can_bulk = True
        """The server takes many rows of parameters at once; MySQL does not."""
        self.is_clustered = False
        """The server is a node of a Galera cluster."""

    @property
    def is_open(self) -> bool:
        return bool(self._connection.connected) and not self._connection._stream_broken

    async def run(self, sql: str) -> list[Answer]:
        """Run statements in one round trip; return what each did."""
        return await self._within(self._run(sql))

    async def _run(self, sql: str) -> list[Answer]:
        cursor: Any = _Quiet(self._connection)
        await cursor.execute(sql)
        answers = []
        while True:
            rows = list(await cursor.fetchall()) if cursor.description is not None else None
            answers.append(Answer(cursor.rowcount, rows))
            if not await cursor.nextset():
                return answers

    async def bulk(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int | None:
        """Run *sql* for all *rows*, in one round trip; None, and nothing done, where they cannot travel so."""
        return await self._within(self._bulk(sql, rows))

    async def _bulk(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int | None:
        statement = self._prepared.get(sql)
        if statement is None:
            statement = self._prepared[sql] = await self._connection.prepare(sql)
        try:
            return int((await statement.execute_bulk(rows)).affected_rows)
        except MySQLError as error:
            # MariaDB answers so where TLS is on: asyncmy asks for this ability after TLS began, which is too late.
            by_us = isinstance(error, NotSupportedError) and not code_of(error)
            if not by_us and code_of(error) != _NOT_PREPARABLE:
                raise
            self.can_bulk = False
        except ValueError:  # a column of mixed types, or of NULL only
            pass
        return None

    async def ping(self) -> None:
        await self._within(self._connection.ping(reconnect=False))

    async def _within(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timing.answer_s):
                return await work
        except (MySQLError, OSError, TimeoutError, RuntimeError) as error:
            translated = translate(error)
            if getattr(translated, "is_lost", False):
                self.drop()
            raise translated from None

    def drop(self) -> None:
        """Cut the connection; the server rolls back what was open."""
        self._connection.close()

    async def close(self) -> None:
        """Say goodbye."""
        try:
            async with asyncio.timeout(1):
                await self._connection.ensure_closed()
        except (MySQLError, OSError, TimeoutError, RuntimeError):
            self.drop()


async def connect(address: Address, timing: Timing, role: str = "") -> Session:
    """Open a connection with our settings, to the first node that serves; raise what `translate` makes of an error."""
    failure: Exception | None = None
    for node in address.nodes():
        try:
            return await _connect(node, timing, role)
        except Retry as retry:
            failure = failure or retry
    assert failure is not None, "an address has a node"
    raise failure


async def _connect(address: Address, timing: Timing, role: str) -> Session:
    try:
        async with asyncio.timeout(timing.connect_s):
            connection = await asyncmy.connect(**_arguments(address, timing))
    except (MySQLError, OSError, TimeoutError, RuntimeError) as error:
        raise translate(error) from None
    session = Session(connection, timing)
    try:
        await session.run((_SETTINGS + role).format(lock_s=timing.lock_s, frozen_s=timing.frozen_s))
        await _join_cluster(session)
    except BaseException:
        session.drop()
        raise
    return session


async def _join_cluster(session: Session) -> None:
    """On a node of a cluster: see what other nodes have committed; raise `Retry` where it is cut off from them."""
    [found] = await session.run("SHOW GLOBAL STATUS LIKE 'wsrep_ready'")
    [enabled] = await session.run("SHOW SESSION VARIABLES LIKE 'wsrep_on'")
    if not enabled.rows or enabled.rows[0][1] != "ON":
        return
    if not found.rows or found.rows[0][1] != "ON":
        raise Retry(StoreBusy("the database node is not ready"), is_lost=True)
    await session.run("SET SESSION wsrep_sync_wait = 1")
    session.is_clustered = True


def _arguments(address: Address, timing: Timing) -> dict[str, Any]:
    return {
        "host": address.host,
        "port": address.port,
        "unix_socket": address.socket or None,
        "user": address.user,
        "password": address.password.encode(),
        "database": address.name,
        "charset": "utf8mb4",
        "autocommit": True,
        "client_flag": CLIENT.FOUND_ROWS,
        "connect_timeout": timing.connect_s,
        "conv": _CONVERSIONS,
        "ssl": _tls(address),
        "program_name": "corefast",
    }


def _tls(address: Address) -> ssl.SSLContext | None:
    """Return the context in which the server must show a certificate for its name; None without `ssl_ca`."""
    if not address.ssl_ca:
        return None
    try:
        context = ssl.create_default_context(cafile=address.ssl_ca)
        if address.ssl_cert:
            context.load_cert_chain(address.ssl_cert, address.ssl_key or None)
    except (OSError, ssl.SSLError) as error:
        raise SetupError(f"--database: the certificates cannot be used: {error}") from None
    return context
