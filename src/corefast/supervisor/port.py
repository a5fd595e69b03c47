"""TCP ports of this machine: which are free, and who holds one that is not."""

import socket
import time
from contextlib import suppress
from pathlib import Path

from corefast.errors import SetupError

HOST = "127.0.0.1"

RELEASE_S = 1.0

_LISTENING = "0A"


def is_free(port: int) -> bool:
    """Tell whether a server could listen there now; connections that linger after a stop do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(wanted: int) -> int:
    """Return *wanted* if it is free, else any free port."""
    if 0 < wanted < 65_536 and is_free(wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def require(port: int, remedy: str) -> None:
    """Raise `SetupError` naming the process that holds *port* and the *remedy*, unless it lets go at once.

    After a `kill -9` of `up` its children may need a moment to end.
    """
    deadline = time.monotonic() + RELEASE_S
    while not is_free(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    if not is_free(port):
        raise SetupError(f"port {port} is in use by {holder(port)}; stop it, or {remedy}")


def holder(port: int) -> str:
    """Return who listens on *port*, as `process PID (command)`; only root sees the processes of others."""
    inodes = _listening_inodes(port)
    for folder in Path("/proc").glob("[0-9]*"):
        if inodes & _socket_inodes(folder):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            return f"process {folder.name} ({command[:120]})"
    return "another process"


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, lines):
            if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                found.add(columns[9])
    return found


def _socket_inodes(process: Path) -> set[str]:
    found = set()
    with suppress(OSError):  # it ended meanwhile, or is not ours to look into
        for link in (process / "fd").iterdir():
            with suppress(FileNotFoundError):
                target = str(link.readlink())
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found
