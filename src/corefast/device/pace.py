"""How fast a device posts: as fast as it likes until the relay says that it is too fast, then as the relay lets it."""

import asyncio
from collections.abc import Callable, Sequence

from corefast.device.store.outbox import OutboxRow

STEP = 4
"""Rows posted after each wait: more than one, so that a faster relay is noticed; few, since most come back."""

LEAST_MS = 10


class Pace:
    """Passes rows to *post* in the order of their acceptance; *tell* hears of the first wait, until none waits."""

    def __init__(self, post: Callable[[Sequence[OutboxRow]], None], tell: Callable[[int], None]) -> None:
        self._post = post
        self._tell = tell
        self._held: dict[bytes, OutboxRow] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_told = False

    def send(self, rows: Sequence[OutboxRow]) -> None:
        """Post *rows* now, or behind those that wait."""
        if self._timer is None:
            self._post(rows)
        else:
            self._held.update((row.id, row) for row in rows)

    def hold(self, rows: Sequence[OutboxRow], wait_ms: int) -> None:
        """Take back *rows*, which the relay refused, for at least *wait_ms*."""
        self._held.update((row.id, row) for row in rows)
        if not self._is_told:
            self._is_told = True
            self._tell(wait_ms)
        if self._timer is not None:
            self._timer.cancel()
        self._wait(wait_ms)

    def close(self) -> None:
        """Post nothing more by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, wait_ms: int) -> None:
        wait_ms = max(wait_ms, LEAST_MS)
        self._timer = asyncio.get_running_loop().call_later(wait_ms / 1_000, self._go_on, wait_ms)

    def _go_on(self, wait_ms: int) -> None:
        rows = sorted(self._held.values(), key=lambda row: row.seq)[:STEP]
        for row in rows:
            del self._held[row.id]
        if rows:
            self._wait(wait_ms)
        else:
            self._timer, self._is_told = None, False
        self._post(rows)
