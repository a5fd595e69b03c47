"""`python -m corefast.health`: is the program of this container well? Exit code 0 or 1, and one sentence.

It finds the program that was started first, by its command line, and asks it in the way that fits: a front whether
it is ready, a relay or core whether its loop still answers, an emitter whether its link to the core stands.
"""

import http.client
import os
import socket
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

TIMEOUT_S = 4.0
_ESTABLISHED = "01"

Words = Sequence[str]


def main() -> int:
    found = first_program(command_lines())
    if found is None:
        print("no program of corefast runs here")
        return 1
    module, arguments = found
    try:
        print(f"{module}: {CHECKS[module](arguments)}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"{module}: {error or type(error).__name__}")
        return 1
    return 0


def command_lines() -> list[list[str]]:
    """Return the command line of each process, by its id."""
    found = []
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with suppress(OSError):  # it ended meanwhile
            found.append((folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1])
    return found


def first_program(lines: Sequence[Words]) -> tuple[str, Words] | None:
    """Return module and arguments of the first line that runs one of our programs."""
    for line in lines:
        with suppress(ValueError, IndexError):
            at = line.index("-m")
            if line[at + 1] in CHECKS:
                return line[at + 1], line[at + 2 :]
    return None


def setting(arguments: Words, name: str, default: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a setting as the program sees it: flag, then variable, then default."""
    flag = f"--{name}"
    for at, word in enumerate(arguments):
        if word == flag and at + 1 < len(arguments):
            return arguments[at + 1]
        if word.startswith(flag + "="):
            return word.partition("=")[2]
    return environ.get("COREFAST_" + name.upper().replace("-", "_"), default)


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


# ── one check for each kind of program ─────────────────────────────────────────────────────────────────────────────


def ask_front(port: int) -> str:
    """Return the front's own word for ready; raise `ValueError` with what it says instead."""
    try:
        status, text = _read_ready(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S))
    except (http.client.BadStatusLine, ConnectionError):  # it hangs up on what is not TLS
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # of this machine, and told no secret
        https = http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=context)
        status, text = _read_ready(https)
    if status != 200:
        raise ValueError(f"/readyz answers {status} {text}")
    return text


def _read_ready(connection: http.client.HTTPConnection) -> tuple[int, str]:
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read(4_096).decode(errors="replace")
    finally:
        connection.close()


def knock(port: int) -> str:
    """Connect and hang up; a server whose loop turns hangs up as well."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    return "answers"


def find_link(port: int) -> str:
    """Look for an open connection to *port* of another host; raise `ValueError` without one."""
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for columns in map(str.split, Path("/proc/net", table).read_text().splitlines()[1:]):
                if columns[3] == _ESTABLISHED and int(columns[2].rpartition(":")[2], 16) == port:
                    return "linked to the core"
    raise ValueError("has no link to the core")


CHECKS: dict[str, Callable[[Words], str]] = {
    "corefast.supervisor": lambda words: ask_front(int(setting(words, "port", "9090"))),
    "api": lambda words: ask_front(port_of(setting(words, "listen", "127.0.0.1:9090"))),
    "corefast.relay": lambda words: knock(port_of(setting(words, "listen", "127.0.0.1:4460"))),
    "corefast.core": lambda words: knock(port_of(setting(words, "listen", "127.0.0.1:4461"))),
    "api.webhooks": lambda words: find_link(port_of(setting(words, "core", "127.0.0.1:4461"))),
}
"""Each long-running program's module with its check."""


if __name__ == "__main__":
    sys.exit(main())
