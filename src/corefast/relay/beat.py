"""The router's place in the event loop: one flush at the end of a tick, and a timer while something is held."""

import asyncio
from collections.abc import Callable

from corefast.relay.router import Router


class Beat:
    """Calls `flush` and `tick` when they are due, and never twice in one tick."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._router: Router | None = None
        self._timer: asyncio.TimerHandle | None = None

    def drive(self, router: Router) -> None:
        self._router = router

    def wake(self) -> None:
        """Have the router flushed once all input of this tick is taken."""
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        assert self._router is not None
        self._router.flush()
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        assert self._router is not None
        due_ms = self._router.next_due_ms
        if due_ms:
            self._timer = self._loop.call_later(max(1, due_ms - self._clock()) / 1_000, self._tick)

    def _tick(self) -> None:
        assert self._router is not None
        self._timer = None
        self._router.tick()
        self._flush()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
