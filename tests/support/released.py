"""What a released schema looked like with data in it: recorded from a real run, and put back for today's programs.

    python -m tests.support.released 001

records tests/vectors/schema/001: for each engine the databases of relay and core and of a phone (SQL, with the tables
as they were), the keys beside them, and what a reader may expect. Do it once a release whose schema is new. The keys
are of this run alone and open nothing else.
"""

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from corefast.device import Device
from corefast.device.profile import unix_ms
from corefast.store.commit import Connection
from tests.support.business import Business, soon
from tests.support.mariadb import MariaDB, running
from tests.support.programs import Program, free_port

VECTORS = Path(__file__).parents[1] / "vectors" / "schema"
PROGRAMS = ("relay", "core")
PHONE = "491713920001"
KEPT_PREKEYS = 3
"""One-time prekeys of each kind and device: enough to go on, and small enough to keep here."""

_DUMP = ("mariadb-dump", "--no-defaults", "-uroot", "--hex-blob", "--compact", "--skip-extended-insert")

_OF_THE_STORE = ("store_writer", "schema_version")
_COLUMNS = (
    "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY t.name",
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1",
)
_COUNT = "SELECT '{0}', count(*) FROM {0}"
_MOVE = "UPDATE {0} SET {1} = {1} + {2} WHERE {1} > 0;"
_DEVICES = "SELECT DISTINCT device FROM {0}"
_STOCK = "SELECT position FROM {0} WHERE device = {1} ORDER BY position LIMIT {2}"
_PRUNE = "DELETE FROM {0} WHERE device = {1} AND position > {2}"
_IDS = "SELECT id FROM {0}"
_PRUNE_OWN = "DELETE FROM {0} WHERE kind = {1} AND id NOT IN ({2})"


class Place(NamedTuple):
    """Where the programs of one run keep their state: `up`'s folder, the phone's, and a server's databases if any."""

    folder: Path
    server: MariaDB | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def home(self) -> Path:
        return self.folder / f"phone-{PHONE}"

    @property
    def name(self) -> str:
        return "sqlite" if self.server is None else "mysql"

    def environ(self) -> dict[str, str]:
        """Return what `corefast up` and `corefast migrate` have to know."""
        if self.server is None:
            return {}
        file = self.folder / "corefast.toml"
        if not file.exists():
            self.server.settings(self.folder)
        return {"COREFAST_CONFIG": str(file), "COREFAST_DATABASE_PASSWORD_FILE": str(self.folder / "password")}

    def file(self, program: str) -> Path:
        return self.home / "phone.sqlite" if program == "device" else self.data / program / f"{program}.sqlite"

    def schema(self, program: str) -> str:
        """Return the name of a program's database on the server."""
        self.environ()
        settings = tomllib.loads((self.folder / "corefast.toml").read_text())
        return str(settings[program]["database"]).rpartition("/")[2]

    def is_on_server(self, program: str) -> bool:
        return self.server is not None and program != "device"

    def execute(self, program: str, sql: str, beside: Path | None = None) -> None:
        """Run a script; a file *beside* is the schema `old` in it, where this is a file too."""
        if self.is_on_server(program):
            assert self.server is not None
            self.server.script(sql, self.schema(program))
            return
        with self._connection(program, beside) as connection:
            connection.execute(sql)

    def rows(self, program: str, sql: str, beside: Path | None = None) -> list[list[str]]:
        """Return the rows of a query as texts."""
        if self.is_on_server(program):
            assert self.server is not None
            return self.server.sql(sql, self.schema(program))
        with self._connection(program, beside) as connection:
            return [[str(value) for value in row] for row in connection.fetch(sql)]

    def columns(self, program: str) -> dict[str, list[str]]:
        """Return the columns of each table."""
        found: dict[str, list[str]] = {}
        for table, column in self.rows(program, _COLUMNS[self.is_on_server(program)]):
            if table not in _OF_THE_STORE:
                found.setdefault(table, []).append(column)
        return found

    def counts(self, program: str) -> dict[str, int]:
        """Return how many rows each table has."""
        counting = " UNION ALL ".join(_COUNT.format(table) for table in self.columns(program))
        return {table: int(count) for table, count in self.rows(program, counting)}

    @contextlib.contextmanager
    def _connection(self, program: str, beside: Path | None) -> Iterator[Connection]:
        self.file(program).parent.mkdir(parents=True, exist_ok=True)
        self.file(program).touch(0o600)
        connection = Connection(str(self.file(program)), 5_000)
        try:
            if beside is not None:
                connection.execute(f"ATTACH '{beside}' AS old")
            yield connection
        finally:
            connection.close()

    def dump(self, program: str) -> str:
        """Return tables and rows as SQL."""
        if self.is_on_server(program):
            assert self.server is not None
            command = [*_DUMP, "--socket", self.server.socket, self.schema(program)]
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            return "".join(line + "\n" for line in text.splitlines() if not line.startswith("/*"))
        # As a process of its own: the product and its tests do without this module.
        code = "import sqlite3, sys; print('\\n'.join(sqlite3.connect(sys.argv[1]).iterdump()))"
        command = [sys.executable, "-c", code, str(self.file(program))]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def restore(vector: Path, place: Place) -> dict[str, Any]:
    """Put a recorded run back at *place*; return what may be expected of it."""
    kept = json.loads((vector / place.name / "kept.json").read_text())
    for name, content in kept["files"].items():
        file = place.folder / name
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(content))
        file.chmod(0o600)
    memory = {"number": kept["expected"]["number"], "relay_port": free_port(), "core_port": free_port()}
    (place.data / "memory.json").write_text(json.dumps(memory))
    for program in (*PROGRAMS, "device"):
        place.execute(program, (vector / place.name / f"{program}.sql").read_text())
        _make_young(place, program, unix_ms() - kept["recorded_ms"])
    return dict(kept["expected"])


def _make_young(place: Place, program: str, age_ms: int) -> None:
    """Move all times as if the run had ended just now: nothing in it is too old to be kept."""
    times = [
        (table, column)
        for table, columns in place.columns(program).items()
        for column in columns
        if column.endswith("_ms")
    ]
    place.execute(program, "".join(_MOVE.format(*each, age_ms) for each in times))


async def record(place: Place) -> dict[str, Any]:
    """Let a business and a phone talk until every table has rows; return what a later reader may expect."""
    business = Business(place.data, **place.environ())
    await business.open()
    phone = await business.phone(PHONE, "--name", "Alice")
    assert phone.program is not None
    first = await business.insist(PHONE, "the first one", "key-of-the-first")
    await phone.until_texts(1)
    phone.program.say(read=[message["id"] for message in phone.messages])
    phone.program.say(to=business.facts["number"], text="an answer")
    await soon(lambda: "an answer" in business.receiver.texts and "read" in business.receiver.statuses.get(first, []))
    business.receiver.answer_with = 500
    second = await business.send(PHONE, "told to nobody")
    await phone.until_texts(2)
    await soon(lambda: business.receiver.statuses.get(second))
    await asyncio.sleep(1)  # until the failure of that delivery is stored
    await phone.stop()
    third = await business.send(PHONE, "waits at the relay")
    while await business.states(third) != ["accepted", "sent"]:
        await asyncio.sleep(0.05)
    command = ["corefast.relay", "issue-code", "491713920009"]
    issued = await Program.start(*command, "--data-dir", str(place.data / "relay"), **place.environ())
    assert await issued.process.wait() == 0
    relay = business.pid("relay")
    assert relay is not None
    os.kill(relay, signal.SIGSTOP)
    fourth = await business.send(PHONE, "waits at the core")
    assert business.program is not None
    await business.program.kill()
    os.kill(relay, signal.SIGKILL)
    await business.receiver.stop()
    assert business.http is not None
    await business.http.close()
    offline = await Device.open(place.home, None, PHONE)
    await offline.send_text(business.facts["number"], "waits at the phone")
    await asyncio.sleep(0.5)
    await offline.close()
    return {"number": business.facts["number"], "first": first, "second": second, "waiting": [third, fourth]}


def prune(place: Place) -> None:
    """Leave a few one-time prekeys, the same at the relay and at their owners."""
    for table in ("one_time", "one_time_kem"):
        for (device,) in place.rows("relay", _DEVICES.format(table)):
            *_, (last,) = place.rows("relay", _STOCK.format(table, device, KEPT_PREKEYS))
            place.execute("relay", _PRUNE.format(table, device, last))
    for program, table in (("core", "own_prekey"), ("device", "prekey")):
        for kind, source in ((3, "one_time"), (4, "one_time_kem")):
            ids = ", ".join(id for (id,) in place.rows("relay", _IDS.format(source)))
            place.execute(program, _PRUNE_OWN.format(table, kind, ids))


def keep(place: Place, expected: dict[str, Any], target: Path) -> None:
    """Write the files of one engine."""
    target.mkdir(parents=True)
    for program in (*PROGRAMS, "device"):
        expected.setdefault("counts", {})[program] = place.counts(program)
        empty = [table for table, count in expected["counts"][program].items() if not count]
        assert not empty, f"{program} has no row in {empty}"
        (target / f"{program}.sql").write_text(place.dump(program))
    files = {}
    for file in sorted([*place.data.rglob("*"), *place.home.rglob("*")]):
        if file.is_file() and not re.search(r"sqlite|\.log|lock|memory\.json|up\.json", file.name):
            files[str(file.relative_to(place.folder))] = base64.b64encode(file.read_bytes()).decode()
    (target / "kept.json").write_text(
        json.dumps({"recorded_ms": unix_ms(), "expected": expected, "files": files}, indent=1) + "\n"
    )


def main(name: str) -> None:
    with running() as server:
        for place in (Place(Path(tempfile.mkdtemp()), None), Place(Path(tempfile.mkdtemp()), server)):
            expected = asyncio.run(record(place))
            prune(place)
            keep(place, expected, VECTORS / name / place.name)
            shutil.rmtree(place.folder)


if __name__ == "__main__":
    main(sys.argv[1])
