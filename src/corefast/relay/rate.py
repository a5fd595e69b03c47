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
        tokens, since_ms = self._buckets.pop(key, (self._burst, now_ms))
        tokens = min(self._burst, tokens + max(0, now_ms - since_ms) * self._refill_per_ms)
        wait_ms = 0 if tokens >= 1 else self._wait(tokens)
        self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now_ms)
        if len(self._buckets) > self._max_buckets:
            self._buckets.popitem(last=False)
        return wait_ms

    def _wait(self, tokens: float) -> int:
        return int((1 - tokens) / self._refill_per_ms) + 1 if self._refill_per_ms > 0 else 86_400_000
