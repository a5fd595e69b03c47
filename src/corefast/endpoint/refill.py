"""When spare keys are made: in moments in which the program has nothing else to do.

Its owner has it ticked once a second (`net.sweep`), and knows by how late that is whether the loop is busy.
"""

from corefast.protocol.keys import Random
from corefast.protocol.spare import SpareKeys

TICK_MS = 1_000

LATE_MS = 5
"""A tick that is later than this has waited for other work: no keys are made now."""

SLICE = 32
"""Pairs made in one tick: half a millisecond."""

LIFE_MS = 60_000
"""No spare key grows older, so that whoever saw the memory of a program has no more than a minute of its keys to come."""


class Refill:
    """Keeps `keys`, which a program uses as its source of randomness, in stock while it is ticked."""

    def __init__(self, random: Random, size: int) -> None:
        self.keys = SpareKeys(random, size)
        self._ticked_ms: int | None = None
        self._empty_ms = 0

    def _tick(self, now: int) -> None:
        last, self._ticked_ms = self._ticked_ms, now
        if last is None or now - self._empty_ms >= LIFE_MS:
            self.keys.wipe()
            self._empty_ms = now
        if last is not None and now - last <= TICK_MS + LATE_MS:
            self.keys.fill(SLICE)
