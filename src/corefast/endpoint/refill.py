"""When keys are made ahead: in moments in which the program has nothing else to do.

Its owner has it ticked (`net.sweep`); by how late that is, it knows whether the loop is busy.
"""

from corefast.protocol.keys import Random
from corefast.protocol.spare import SpareKeys

TICK_MS = 1_000

LATE_MS = 5
"""A tick that is later had to wait for other work: no key is made now."""

SLICE = 32
"""Keys made in one tick, in half a millisecond."""

LIFE_MS = 60_000
"""No spare key grows older: of the turns to come, whoever saw the memory knows the keys of a minute at most."""


class Refill:
    """Keeps `keys`, the source of randomness of a program, in stock as long as it is ticked every TICK_MS."""

    def __init__(self, random: Random, size: int) -> None:
        self.keys = SpareKeys(random, size)
        self._last_ms: int | None = None
        self._wiped_ms = 0

    def _tick(self, now: int) -> None:
        last, self._last_ms = self._last_ms, now
        if last is None or now - self._wiped_ms >= LIFE_MS:
            self.keys.wipe()
            self._wiped_ms = now
        if last is not None and now - last <= TICK_MS + LATE_MS:
            self.keys.fill(SLICE)
