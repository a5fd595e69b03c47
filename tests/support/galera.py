"""Three MariaDB servers that form a Galera cluster on this machine, in folders that go away."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator

from corefast.store.mysql.address import Address
from tests.support.mariadb import MariaDB
from tests.support.programs import free_port

PROVIDER = "/usr/lib/galera/libgalera_smm.so"
READY_TIMEOUT_S = 60.0


class Node(MariaDB):
    """One server of a cluster."""

    def __init__(self, name: str) -> None:
        super().__init__("--binlog-format=ROW", "--innodb-autoinc-lock-mode=2")
        self.name = name
        self.group_port, self.ist_port, self.sst_port = free_port(), free_port(), free_port()
        self.is_first = False
        if self._user():
            (self.folder / "data").mkdir()
            shutil.chown(self.folder / "data", "nobody")
            shutil.chown(self.folder, "nobody")

    def _user(self) -> list[str]:
        """Root's rsync would give its rights up, and then write nothing."""
        return ["--user=nobody"] if os.geteuid() == 0 else []

    def join(self, nodes: "list[Node]") -> None:
        """Prepare to be one of *nodes*."""
        peers = ",".join(f"127.0.0.1:{node.group_port}" for node in nodes)
        provider = (
            f"gmcast.listen_addr=tcp://127.0.0.1:{self.group_port};ist.recv_addr=127.0.0.1:{self.ist_port};"
            "gcache.size=32M;evs.suspect_timeout=PT3S;evs.inactive_timeout=PT8S"
        )
        self.options += [
            "--wsrep-on=ON",
            f"--wsrep-provider={PROVIDER}",
            f"--wsrep-provider-options={provider}",
            f"--wsrep-cluster-address=gcomm://{peers}",
            "--wsrep-cluster-name=corefast",
            f"--wsrep-node-name={self.name}",
            "--wsrep-node-address=127.0.0.1",
            f"--wsrep-sst-receive-address=127.0.0.1:{self.sst_port}",
            "--wsrep-sst-method=rsync",
            "--wsrep-slave-threads=2",
        ]

    def start(self) -> None:
        options = self.options
        if self.is_first:
            self.options = [*options, "--wsrep-new-cluster"]
        try:
            super().start()
        finally:
            self.options = options

    def status(self, name: str) -> str:
        """Return what the node says of itself, "" where it does not answer."""
        with contextlib.suppress(RuntimeError):
            return dict(self.sql(f"SHOW STATUS LIKE '{name}'")).get(name, "")
        return ""

    def until_synced(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while self.status("wsrep_local_state_comment") != "Synced":
            assert time.monotonic() < deadline, (self.name, self._last_words())
            time.sleep(0.1)


class Galera:
    """A cluster of three; each node can be killed and started again."""

    def __init__(self) -> None:
        self.nodes = [Node(f"node{number}") for number in range(3)]

    def start(self) -> None:
        """Start the nodes, one after the other; each gets the first one's data by the cluster's own means."""
        first = self.nodes[0]
        first.install()
        first.stop()
        for node in self.nodes:
            node.join(self.nodes)
        first.is_first = True
        for node in self.nodes:
            node.start()
            node.until_synced()
        first.is_first = False

    def address(self) -> Address:
        """Return the address of a new database, with every node in it."""
        own = self.nodes[0].address()
        return own._replace(others=tuple(("127.0.0.1", node.port) for node in self.nodes[1:]))

    def remove(self) -> None:
        for node in self.nodes:
            node.remove()


@contextlib.contextmanager
def cluster() -> Iterator[Galera]:
    """A cluster for the block."""
    made = Galera()
    try:
        made.start()
        yield made
    finally:
        made.remove()
