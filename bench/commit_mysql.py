"""`commit.mysql`: units of two rows through group commit on MariaDB, beside the same rows in plain calls of the driver.

`ratio_to_raw` is our time over that of asyncmy's `executemany`, which joins rows too, on one connection with nothing
else to do, for the same rows and transactions on the same server; in turns, so that a busy machine is busy for both.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import asyncmy
import uvloop
from tests.support.mariadb import running

from bench.commit_sqlite import BATCHES, CIPHERTEXT, PEERS, SECONDS, SLICES, SNAPSHOT
from bench.figures import Options
from bench.results import Result, measured
from corefast.store.database import Database, Statement, Unit
from corefast.store.migrate import Migration
from corefast.store.mysql.address import Address
from corefast.store.mysql.database import open_mysql

TABLES = """
CREATE TABLE message (id BIGINT PRIMARY KEY AUTO_INCREMENT, peer BIGINT, state INT, at_ms BIGINT, body MEDIUMBLOB);
CREATE TABLE session (peer BIGINT PRIMARY KEY, snapshot MEDIUMBLOB);
"""
PUT_MESSAGE = Statement("INSERT INTO message (peer, state, at_ms, body) VALUES (?, ?, ?, ?)")
PUT_SESSION = Statement(
    "",
    "INSERT INTO session (peer, snapshot) VALUES (?, ?) ON DUPLICATE KEY UPDATE snapshot = VALUES(snapshot)",
)
AT_MS = 1_800_000_000_000


def run(options: Options) -> Iterator[Result]:
    seconds = options.seconds or SECONDS
    with running() as server:
        for batch in BATCHES:
            options.say(f"commit.mysql: {batch} units a batch")
            name = f"commit.mysql[{batch}]"
            ours, theirs = uvloop.run(_alternate(server.address(), batch, seconds))
            yield measured(name, "units_per_s", "1/s", ours)
            yield measured(name, "ratio_to_raw", "", [slow / fast for fast, slow in zip(ours, theirs, strict=True)])
            if options.peers:
                yield measured(name, "units_per_s", "1/s", theirs, "asyncmy")


async def _alternate(address: Address, batch: int, seconds: float) -> tuple[list[float], list[float]]:
    """Return our rates and the driver's."""
    database = await open_mysql(address, [Migration(1, "bench", TABLES)])
    arguments = {"host": address.host, "port": address.port, "user": address.user, "database": address.name}
    raw = await asyncmy.connect(**arguments, password=address.password.encode(), autocommit=True)
    ours: list[float] = []
    theirs: list[float] = []
    await _commit_for(database, batch, 0.2)
    await _raw_for(raw, batch, 0.2)
    for _ in range(SLICES):
        ours.append(await _commit_for(database, batch, seconds / SLICES))
        theirs.append(await _raw_for(raw, batch, seconds / SLICES))
    await raw.ensure_closed()
    await database.close()
    return ours, theirs


async def _commit_for(database: Database, batch: int, seconds: float) -> float:
    """Commit batch after batch; return the units a second."""
    done, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        await asyncio.gather(*[database.commit(_unit_of((done + n) % PEERS)) for n in range(batch)])
        done += batch
    return done / (time.perf_counter() - start)


def _unit_of(peer: int) -> Unit:
    unit = Unit()
    unit.add(PUT_MESSAGE, peer, 1, AT_MS, CIPHERTEXT)
    unit.add(PUT_SESSION, peer, SNAPSHOT, rows=1)
    return unit


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
