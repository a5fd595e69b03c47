"""`commit.mysql`: units of two rows through group commit on MariaDB, beside the same rows in plain calls of the driver.

The plain calls are asyncmy's `executemany`, which joins rows too, on one connection with nothing else to do, for the
same rows and transactions on the same server. Bytes are the server's own count, of a run of ours alone with clean
pages before and after: redo log, pages, and the doublewrite buffer's copies of them.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import asyncmy
import uvloop
from tests.support.mariadb import MariaDB, running

from bench.commit import AT_MS, BATCHES, CIPHERTEXT, PEERS, SECONDS, SLICES, SNAPSHOT, Ours, unit_of
from bench.figures import Options
from bench.path_mysql import SERVER
from bench.results import Result, measured
from corefast.store.database import Statement, Unit
from corefast.store.migrate import Migration
from corefast.store.mysql.database import open_mysql

PAGE_BYTES = 16_384
WRITTEN_UNITS = 2_000
"""At least so many are written for the count of bytes, and whole batches."""

TABLES = """
CREATE TABLE message (id BIGINT PRIMARY KEY AUTO_INCREMENT, peer BIGINT, state INT, at_ms BIGINT, body MEDIUMBLOB);
CREATE TABLE session (peer BIGINT PRIMARY KEY, snapshot MEDIUMBLOB);
"""
PUT_MESSAGE = Statement("INSERT INTO message (peer, state, at_ms, body) VALUES (?, ?, ?, ?)")
PUT_SESSION = Statement(
    "",
    "INSERT INTO session (peer, snapshot) VALUES (?, ?) ON DUPLICATE KEY UPDATE snapshot = VALUES(snapshot)",
)


def run(options: Options) -> Iterator[Result]:
    seconds = options.seconds or SECONDS
    with running(*SERVER) as server:
        for batch in BATCHES:
            options.say(f"commit.mysql: {batch} units a batch")
            name = f"commit.mysql[{batch}]"
            ours, theirs, written = uvloop.run(_alternate(server, batch, seconds))
            yield from ours.results(name, theirs)
            for kind, count in written.items():
                yield Result(name, f"{kind}_bytes_per_unit", count, "B")
            yield Result(name, "bytes_written_per_unit", sum(written.values()), "B")
            if options.peers:
                yield measured(name, "units_per_s", "1/s", theirs, "asyncmy")


async def _alternate(server: MariaDB, batch: int, seconds: float) -> tuple[Ours, list[float], dict[str, float]]:
    """Return us, the driver's rates, and bytes a unit of ours by kind."""
    address = server.address()
    database = await open_mysql(address, [Migration(1, "bench", TABLES)])
    arguments = {"host": address.host, "port": address.port, "user": address.user, "database": address.name}
    raw = await asyncmy.connect(**arguments, password=address.password.encode(), autocommit=True)
    await Ours(database, _unit_of, batch).run(0.2)
    await _raw_for(raw, batch, 0.2)
    ours = Ours(database, _unit_of, batch)
    theirs: list[float] = []
    for _ in range(SLICES):
        await ours.slice(seconds / SLICES)
        theirs.append(await _raw_for(raw, batch, seconds / SLICES))
    await raw.ensure_closed()
    before = await asyncio.to_thread(_written, server)
    counted = Ours(database, _unit_of, batch)
    while counted.units < WRITTEN_UNITS:
        await counted.run(0.0)
    after = await asyncio.to_thread(_written, server)
    await database.close()
    return ours, theirs, {kind: (after[kind] - before[kind]) / counted.units for kind in after}


def _written(server: MariaDB) -> dict[str, int]:
    """Return bytes written so far, by kind, once no page is left to write."""
    server.sql("SET GLOBAL innodb_max_dirty_pages_pct = 0")
    while _status(server)["Innodb_buffer_pool_pages_dirty"]:
        time.sleep(0.05)
    server.sql("SET GLOBAL innodb_max_dirty_pages_pct = 90")
    status = _status(server)
    return {
        "redo": status["Innodb_os_log_written"],
        "page": status["Innodb_pages_written"] * PAGE_BYTES,
        "doublewrite": status["Innodb_dblwr_pages_written"] * PAGE_BYTES,
    }


def _status(server: MariaDB) -> dict[str, int]:
    rows = server.sql("SHOW GLOBAL STATUS LIKE 'Innodb%'")
    return {name: int(value) for name, value in rows if value.isdigit()}


def _unit_of(peer: int) -> Unit:
    return unit_of(PUT_MESSAGE, PUT_SESSION, peer)


async def _raw_for(connection: Any, batch: int, seconds: float) -> float:
    message, session = PUT_MESSAGE.sqlite.replace("?", "%s"), PUT_SESSION.mysql.replace("?", "%s")
    cursor = connection.cursor()
    done, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        peers = [(done + n) % PEERS for n in range(batch)]
        await cursor.execute("BEGIN")
        await cursor.executemany(message, [(peer, 1, AT_MS, CIPHERTEXT) for peer in peers])
        await cursor.executemany(session, [(peer, SNAPSHOT) for peer in peers])
        await cursor.execute("COMMIT")
        done += batch
    return done / (time.perf_counter() - start)
