"""What every program does at its edges: one loop, a stop event, a ready line, a lock, and an end with its parent."""

import asyncio
import ctypes
import fcntl
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import msgspec
import uvloop

from corefast.errors import SetupError
from corefast.logs import get_logger

EXIT_CRASH = 1
EXIT_SETUP = 2

STOP_GRACE_S = 4.0
"""After the stop event a program has this long to end by itself; `up` allows five."""

LOCK_WAIT_S = 3.0
"""A holder that was just killed may still be on its way out."""

_PR_SET_PDEATHSIG = 1


def run(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Run *main* on uvloop until it returns and return the exit code; SIGTERM and SIGINT set its event.

    A `SetupError` becomes one line on stderr and exit code 2, any other error a log entry and 1. A second signal kills.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold every key
    try:
        die_with_parent()
        uvloop.run(_run_until_stopped(main))
    except SetupError as error:
        print(f"corefast: {error}", file=sys.stderr)
        return EXIT_SETUP
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception:
        get_logger().exception("the program crashed")
        return EXIT_CRASH
    return 0


async def _run_until_stopped(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    task = asyncio.ensure_future(main(stop))

    def on_signal() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        loop.call_later(STOP_GRACE_S, task.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        await task
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        get_logger().warning("the program did not end in time and was cut short")


def die_with_parent() -> None:
    """Have the kernel kill this process when the one named by COREFAST_PARENT ends.

    SIGKILL, because every program is safe against it and none may outlive the lock of its parent.
    """
    parent = os.environ.get("COREFAST_PARENT")
    if not parent:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        raise SetupError("the process that started this one is gone")


def announce(**facts: Any) -> None:
    """Print *facts* as one JSON line on stdout, at once: how a program says that it is ready."""
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
    sys.stdout.flush()


def lock_directory(path: str | Path, wait_s: float = LOCK_WAIT_S) -> TextIO:
    """Make *path* ours (0700) for as long as the returned file is open; raise `SetupError` naming the holder.

    The lock is the kernel's: it ends with the process, however that ends.
    """
    folder = Path(path)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = open(os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
    except OSError as error:
        raise SetupError(f"{folder}: {error.strerror}") from None
    deadline = time.monotonic() + wait_s
    while not _try_lock(file):
        if time.monotonic() >= deadline:
            holder = file.read(64).strip() or "unknown"
            file.close()
            raise SetupError(f"{folder} is in use by process {holder}; stop it first or choose another folder")
        time.sleep(0.02)
    try:
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        with suppress(OSError):  # it tries to write once more
            file.close()
        raise SetupError(f"{folder}: {error.strerror}") from None
    return file


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
