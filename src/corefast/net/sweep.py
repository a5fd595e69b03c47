"""One timer for a loop: every peer's deadlines are looked at once a second."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

SWEEP_INTERVAL_MS = 1_000
"""Deadlines are met this late at most; they are counted in seconds."""


def now_ms() -> int:
    """Return the monotonic clock of all links."""
    return time.monotonic_ns() // 1_000_000


class Ticking(Protocol):
    def _tick(self, now: int) -> None: ...


class Sweep:
    """Ticks its members until the last one leaves."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._members: set[Ticking] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Ticking) -> None:
        self._members.add(member)
        if self._timer is None:
            self._timer = self._loop.call_later(SWEEP_INTERVAL_MS / 1_000, self._run)

    def discard(self, member: Ticking) -> None:
        self._members.discard(member)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            _sweeps.pop(self._loop, None)

    def _run(self) -> None:
        self._timer = self._loop.call_later(SWEEP_INTERVAL_MS / 1_000, self._run)
        now = now_ms()
        for member in list(self._members):
            member._tick(now)


_sweeps: dict[asyncio.AbstractEventLoop, Sweep] = {}


def sweep_of(loop: asyncio.AbstractEventLoop) -> Sweep:
    """Return the sweep of *loop*, which is forgotten when its last member leaves."""
    sweep = _sweeps.get(loop)
    if sweep is None:
        sweep = _sweeps[loop] = Sweep(loop)
    return sweep


@contextlib.contextmanager
def swept(member: Ticking) -> Iterator[None]:
    """Have *member* ticked by the running loop's sweep inside."""
    sweep = sweep_of(asyncio.get_running_loop())
    sweep.add(member)
    try:
        yield
    finally:
        sweep.discard(member)
