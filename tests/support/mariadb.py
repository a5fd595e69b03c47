"""A MariaDB server of our own: on a folder that goes away, at a private socket and port."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from corefast.store.mysql.address import Address
from tests.support.programs import free_port

START_TIMEOUT_S = 30.0
PASSWORD = "a password with 'quotes' and ünicode"

_SETTINGS = (
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--performance-schema=OFF",
)
_COPY = "CREATE TABLE IF NOT EXISTS {0} LIKE {1}; DELETE FROM {0}; INSERT INTO {0} SELECT * FROM {1}"
_EMPTY = "DELETE FROM {};"
_KEPT = ("schema_version", "store_writer")
_numbers = count(1)


class MariaDB:
    """One server; `start` it, `kill` it, `start` it again: the data stays until `remove`."""

    def __init__(self, *options: str) -> None:
        # Not pytest's folder: the name of a socket may have 107 characters at most.
        self.folder = Path(tempfile.mkdtemp(prefix="corefast-mariadb-"))
        self.socket = str(self.folder / "socket")
        self.port = free_port()
        self.options = list(options)
        self._spare: dict[str, list[str]] = {}
        self.process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        """Make the system tables and our user."""
        command = ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data", "--skip-test-db"]
        command += ["--auth-root-authentication-method=normal", *self._user()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=self._environ())
        self.start()
        password = PASSWORD.replace("'", "''")
        self.sql(f"CREATE USER corefast@'%' IDENTIFIED BY '{password}';GRANT ALL ON `corefast%`.* TO corefast@'%';")

    def _user(self) -> list[str]:
        return ["--user=root"] if os.geteuid() == 0 else []

    def _environ(self) -> dict[str, str]:
        """A server that starts removes temporary tables from the common folder, also those of another one."""
        return os.environ | {"TMPDIR": str(self.folder)}

    def start(self) -> None:
        """Start the server and wait until it answers; it dies with us."""
        places = [f"--datadir={self.folder}/data", f"--socket={self.socket}", f"--port={self.port}"]
        command = [shutil.which("mariadbd") or "/usr/sbin/mariadbd", *_SETTINGS, *places, *self._user(), *self.options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self._environ(),
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mariadbd does not start: {self._last_words()}")
            time.sleep(0.02)

    def _last_words(self) -> str:
        return (self.folder / "log").read_text()[-2_000:]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.settimeout(1)
            probe.connect(self.socket)
            return bool(probe.recv(5))
        return False

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)

    def remove(self) -> None:
        """Kill the server and remove its folder."""
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder)

    def sql(self, text: str, name: str = "") -> list[list[str]]:
        """Run *text* as the server's administrator; return the rows, as texts."""
        command = ["mariadb", "--no-defaults", "--socket", self.socket, "-uroot", "-N", "-B", "-e", text]
        done = subprocess.run(command + ([name] if name else []), check=False, capture_output=True, text=True)
        if done.returncode:
            ended = self.process and self.process.poll()
            raise RuntimeError(f"{done.stderr}; server ended: {ended}; {self._last_words()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def script(self, text: str, name: str) -> None:
        """Run a long text as the server's administrator."""
        command = ["mariadb", "--no-defaults", "--socket", self.socket, "-uroot", name]
        done = subprocess.run(command, input=text.encode(), check=False, capture_output=True)
        assert done.returncode == 0, done.stderr

    def address(self) -> Address:
        """Return the address of a new, empty database."""
        name = f"corefast_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return Address("127.0.0.1", self.port, "corefast", PASSWORD, name)

    def settings(self, folder: Path) -> dict[str, str]:
        """Return the environment in which `corefast up` keeps its state here, in databases of its own."""
        names = {program: self.address().name for program in ("relay", "core")}
        url = f"mysql://corefast@127.0.0.1:{self.port}"
        tables = [f'[{program}]\ndatabase = "{url}/{name}"\n' for program, name in names.items()]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "corefast.toml").write_text("".join(tables))
        (folder / "password").write_text(PASSWORD)
        return {
            "COREFAST_CONFIG": str(folder / "corefast.toml"),
            "COREFAST_DATABASE_PASSWORD_FILE": str(folder / "password"),
        }

    def borrow(self, program: str) -> str:
        """Return the name of a database without rows; it has *program*'s tables if an earlier test is done with it."""
        spare = self._spare.get(program)
        return spare.pop() if spare else self.address().name

    def give_back(self, program: str, name: str) -> None:
        """Empty a database for the next test; whoever still writes there stays fenced off."""
        tables = [table for (table,) in self.sql("SHOW TABLES", name) if table not in _KEPT]
        self.sql("".join(["BEGIN;", *map(_EMPTY.format, tables), "COMMIT"]), name)
        self._spare.setdefault(program, []).append(name)

    def copy(self, name: str, target: str) -> None:
        """Copy all rows of a database into another one, which has none."""
        for (table,) in self.sql("SHOW TABLES", name):
            self.sql(_COPY.format(f"{target}.{table}", table), name)

    def dump(self, name: str) -> bytes:
        """Return all rows of a database as SQL, binary values as they are."""
        command = ["mariadb-dump", "--no-defaults", "--socket", self.socket, "-uroot", "--hex-blob", "--compact", name]
        text = subprocess.run(command, check=True, capture_output=True).stdout
        return re.sub(rb"0x([0-9A-F]+)", lambda match: bytes.fromhex(match[1].decode()), text)

    def drop(self, address: Address) -> None:
        self.sql(f"DROP DATABASE {address.name}")


@contextlib.contextmanager
def running(*options: str) -> Iterator[MariaDB]:
    """A server for the block."""
    server = MariaDB(*options)
    try:
        server.install()
        yield server
    finally:
        server.remove()
