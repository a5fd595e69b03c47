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
from typing import Self

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
        with tempfile.TemporaryDirectory(prefix="corefast-bench-") as folder, Raw(Path(folder), batch) as raw:
            ours, theirs, written = uvloop.run(_alternate(Path(folder) / "ours.sqlite", batch, seconds, raw))
        yield measured(name, "units_per_s", "1/s", ours)
        yield measured(name, "ratio_to_raw", "", [slow / fast for fast, slow in zip(ours, theirs, strict=True)])
        yield Result(name, "bytes_written_per_unit", written, "B")
        if options.peers:
            yield measured(name, "units_per_s", "1/s", theirs, "sqlite3")


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


async def _alternate(path: Path, batch: int, seconds: float, raw: "Raw") -> tuple[list[float], list[float], float]:
    """Return our rates, the driver's, and bytes written a unit; in turns, so that a busy machine is busy for both."""
    database = await open_sqlite(path, [Migration(1, "bench", TABLES)])
    ours, theirs = [], []
    await commit_for(database, batch, 0.2)
    before, units = _written_bytes(), 0
    for _ in range(SLICES):
        start = time.perf_counter()
        done = await commit_for(database, batch, seconds / SLICES)
        ours.append(done / (time.perf_counter() - start))
        units += done
        theirs.append(raw.rate(seconds / SLICES))
    written = (_written_bytes() - before) / units
    await database.close()
    return ours, theirs, written


def _written_bytes() -> int:
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["write_bytes"])


class Raw:
    """The standard library's driver in a process of its own."""

    def __init__(self, folder: Path, batch: int) -> None:
        command = [sys.executable, "-c", RAW, str(folder / "raw.sqlite"), str(batch)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.rate(0.2)

    def rate(self, seconds: float) -> float:
        """Return the units a second of *seconds* of work."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()


RAW = f"""
import os, sqlite3, sys, time
path, batch = sys.argv[1], int(sys.argv[2])
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("PRAGMA cache_size = -16384")
db.execute("PRAGMA secure_delete = FAST")
db.executescript({TABLES!r})
ciphertext, snapshot = os.urandom({len(CIPHERTEXT)}), os.urandom({len(SNAPSHOT)})
for line in sys.stdin:
    done = 0
    start = time.perf_counter()
    while time.perf_counter() < start + float(line):
        peers = [(done + n) % {PEERS} for n in range(batch)]
        db.execute("BEGIN IMMEDIATE")
        db.executemany({PUT_MESSAGE.sqlite!r}, [(peer, 1, 1_800_000_000_000, ciphertext) for peer in peers])
        db.executemany({PUT_SESSION.sqlite!r}, [(peer, snapshot) for peer in peers])
        db.execute("COMMIT")
        done += batch
    print(done / (time.perf_counter() - start), flush=True)
"""
