"""`commit.sqlite`: units of two rows (a message, a session) through group commit, beside the same rows in raw calls.

`ratio_to_raw` is our time over that of the standard library's driver in one thread with nothing else to do, for the
same rows, settings and transactions. It runs in a process of its own: two copies of SQLite must not share one.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvloop

from bench.figures import Options
from bench.results import Result, measured
from corefast.store.database import Database, Statement, Unit
from corefast.store.migrate import Migration
from corefast.store.sqlite import open_sqlite

BATCHES = (1, 16, 128, 512)
SECONDS = 3.0
SLICES = 10

PEERS = 1_000
CIPHERTEXT = os.urandom(320)
SNAPSHOT = os.urandom(420)

TABLES = """
CREATE TABLE message (id INTEGER PRIMARY KEY, peer INTEGER, state INTEGER, at_ms INTEGER, body BLOB);
CREATE TABLE session (peer INTEGER PRIMARY KEY, snapshot BLOB) WITHOUT ROWID;
"""
PUT_MESSAGE = Statement("INSERT INTO message (peer, state, at_ms, body) VALUES (?, ?, ?, ?)")
PUT_SESSION = Statement("INSERT OR REPLACE INTO session (peer, snapshot) VALUES (?, ?)")


def run(options: Options) -> Iterator[Result]:
    seconds = options.seconds or SECONDS
    for batch in BATCHES:
        options.say(f"commit.sqlite: {batch} units a batch")
        name = f"commit.sqlite[{batch}]"
        with tempfile.TemporaryDirectory(prefix="corefast-bench-") as folder:
            ours = uvloop.run(_ours(Path(folder) / "ours.sqlite", batch, seconds))
            written = _written(Path(folder) / "written.sqlite", batch, seconds)
            raw = _raw(Path(folder) / "raw.sqlite", batch, seconds)
        rate = measured(name, "units_per_s", "1/s", ours)
        peer = measured(name, "units_per_s", "1/s", raw, "sqlite3")
        yield rate
        yield Result(name, "ratio_to_raw", peer.value / rate.value, "", rate.n)
        yield Result(name, "bytes_written_per_unit", written, "B")
        if options.peers:
            yield peer


def unit_of(peer: int) -> Unit:
    unit = Unit()
    unit.add(PUT_MESSAGE, peer, 1, 1_800_000_000_000, CIPHERTEXT)
    unit.add(PUT_SESSION, peer, SNAPSHOT, rows=1)
    return unit


async def commit_for(database: Database, batch: int, seconds: float) -> int:
    """Commit batch after batch, each at once, for *seconds*; return how many units."""
    done = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        await asyncio.gather(*[database.commit(unit_of((done + n) % PEERS)) for n in range(batch)])
        done += batch
    return done


async def _ours(path: Path, batch: int, seconds: float) -> list[float]:
    database = await open_sqlite(path, [Migration(1, "bench", TABLES)])
    await commit_for(database, batch, 0.2)
    rates = []
    for _ in range(SLICES):
        start = time.perf_counter()
        done = await commit_for(database, batch, seconds / SLICES)
        rates.append(done / (time.perf_counter() - start))
    await database.close()
    return rates


def _written(path: Path, batch: int, seconds: float) -> float:
    """Return the bytes that a unit costs the disk, checkpoints included, as the kernel counts them."""

    async def main() -> float:
        database = await open_sqlite(path, [Migration(1, "bench", TABLES)])
        before = _written_bytes()
        done = await commit_for(database, batch, seconds / SLICES)
        await database.close()
        return (_written_bytes() - before) / done

    return uvloop.run(main())


def _written_bytes() -> int:
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["write_bytes"])


def _raw(path: Path, batch: int, seconds: float) -> list[float]:
    command = [sys.executable, "-c", RAW, str(path), str(batch), str(seconds / SLICES), str(SLICES)]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    return msgspec.json.decode(output, type=list[float])


RAW = f"""
import json, os, sqlite3, sys, time
path, batch, seconds, slices = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("PRAGMA cache_size = -16384")
db.execute("PRAGMA secure_delete = FAST")
db.executescript({TABLES!r})
ciphertext, snapshot = os.urandom({len(CIPHERTEXT)}), os.urandom({len(SNAPSHOT)})
def commit_for(seconds):
    done = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        peers = [(done + n) % {PEERS} for n in range(batch)]
        db.execute("BEGIN IMMEDIATE")
        db.executemany({PUT_MESSAGE.sqlite!r}, [(peer, 1, 1_800_000_000_000, ciphertext) for peer in peers])
        db.executemany({PUT_SESSION.sqlite!r}, [(peer, snapshot) for peer in peers])
        db.execute("COMMIT")
        done += batch
    return done
commit_for(0.2)
rates = []
for _ in range(slices):
    start = time.perf_counter()
    rates.append(commit_for(seconds) / (time.perf_counter() - start))
print(json.dumps(rates))
"""
