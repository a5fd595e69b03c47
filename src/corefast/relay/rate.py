"""Token buckets: how often somebody may do something."""

from collections import OrderedDict
from collections.abc import Hashable

MAX_BUCKETS = 100_000
"""Buckets kept; the one that was untouched longest makes room, and it is most likely full again."""


class Buckets:
    """One bucket of *burst* tokens for each key, refilled at *refill_per_s*."""

    def __init__(self, burst: float, refill_per_s: float, max_buckets: int = MAX_BUCKETS) -> None:
        self._burst = burst
        self._refill_per_ms = refill_per_s / 1_000
        self._max_buckets = max_buckets
        self._buckets: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def take(self, key: Hashable, now_ms: int) -> int:
        """Take one token and return 0, or return after how many milliseconds there will be one."""
        return self.take_some(key, 1, now_ms)[1]

    def take_some(self, key: Hashable, count: int, now_ms: int) -> tuple[int, int]:
        """Take up to *count* tokens; return how many, and after how many milliseconds there will be one more.

        That time is 0 where all were there.
        """
        tokens, since_ms = self._buckets.pop(key, (self._burst, now_ms))
        tokens = min(self._burst, tokens + max(0, now_ms - since_ms) * self._refill_per_ms)
        taken = min(count, int(tokens))
        self._buckets[key] = (tokens - taken, now_ms)
        if len(self._buckets) > self._max_buckets:
            self._buckets.popitem(last=False)
        return taken, 0 if taken == count else self._wait(tokens - taken)

    def _wait(self, tokens: float) -> int:
        return int((1 - tokens) / self._refill_per_ms) + 1 if self._refill_per_ms > 0 else 86_400_000
