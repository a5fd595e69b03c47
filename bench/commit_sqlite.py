"""`commit.sqlite`: units of two rows (a message, a session) through group commit, beside the same rows in raw calls.

The plain calls are those of the standard library's driver in one thread with nothing else to do, for the same rows,
settings and transactions. It runs in a process of its own: two copies of SQLite must not share one.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import uvloop

from bench.commit import AT_MS, BATCHES, CIPHERTEXT, PEERS, SECONDS, SLICES, SNAPSHOT, Ours, unit_of
from bench.figures import Options
from bench.programs import Process
from bench.results import Result, measured
from corefast.store.database import Statement, Unit
from corefast.store.migrate import Migration
from corefast.store.sqlite import open_sqlite

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
        yield from ours.results(name, theirs)
        yield Result(name, "bytes_written_per_unit", written, "B")
        if options.peers:
            yield measured(name, "units_per_s", "1/s", theirs, "sqlite3")


def _unit_of(peer: int) -> Unit:
    return unit_of(PUT_MESSAGE, PUT_SESSION, peer)


async def _alternate(path: Path, batch: int, seconds: float, raw: "Raw") -> tuple[Ours, list[float], float]:
    """Return us, the driver's rates, and bytes on disk a unit of ours."""
    database = await open_sqlite(path, [Migration(1, "bench", TABLES)])
    await Ours(database, _unit_of, batch).run(0.2)
    ours, theirs = Ours(database, _unit_of, batch), []
    this = Process(os.getpid())
    before = this.written_bytes
    for _ in range(SLICES):
        await ours.slice(seconds / SLICES)
        theirs.append(raw.rate(seconds / SLICES))
    written = (this.written_bytes - before) / ours.units
    await database.close()
    return ours, theirs, written


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
        db.executemany({PUT_MESSAGE.sqlite!r}, [(peer, 1, {AT_MS}, ciphertext) for peer in peers])
        db.executemany({PUT_SESSION.sqlite!r}, [(peer, snapshot) for peer in peers])
        db.execute("COMMIT")
        done += batch
    print(done / (time.perf_counter() - start), flush=True)
"""
