"""How long somebody who guesses passwords has to wait: longer with each wrong one. Pure: the clock is an argument."""

from collections import OrderedDict

import msgspec

FREE_TRIES = 5
FIRST_DELAY_MS, LAST_DELAY_MS = 1_000, 300_000
FORGET_MS = 3_600_000
MAX_REMEMBERED = 10_000


class _Record(msgspec.Struct):
    failures: int
    last_ms: int


class Guessing:
    """Wrong passwords by user and client address: a stranger's guesses do not lock out a user who comes from elsewhere.

    Guesses at one user from anywhere, and at any user from one address, count too, with `SHARED` times the free tries.
    """

    SHARED = 20

    def __init__(self) -> None:
        self._records: OrderedDict[tuple[str, str], _Record] = OrderedDict()

    def wait_ms(self, username: str, address: str, now_ms: int) -> int:
        """Return how long no password of *username* is looked at from *address*; 0 for not at all."""
        return max(self._wait_ms(key, free, now_ms) for key, free in self._keys(username, address))

    def failed(self, username: str, address: str, now_ms: int) -> None:
        for key, _ in self._keys(username, address):
            record = self._records.pop(key, None)
            if record is None or now_ms - record.last_ms > FORGET_MS:
                record = _Record(0, now_ms)
            record.failures += 1
            record.last_ms = now_ms
            self._records[key] = record
        while len(self._records) > MAX_REMEMBERED:
            self._records.popitem(last=False)

    def succeeded(self, username: str, address: str) -> None:
        self._records.pop((username, address), None)

    def _keys(self, username: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
        shared = FREE_TRIES * self.SHARED
        return ((username, address), FREE_TRIES), ((username, ""), shared), (("", address), shared)

    def _wait_ms(self, key: tuple[str, str], free: int, now_ms: int) -> int:
        record = self._records.get(key)
        if record is None or record.failures < free or now_ms - record.last_ms > FORGET_MS:
            return 0
        delay = min(FIRST_DELAY_MS << min(record.failures - free, 20), LAST_DELAY_MS)
        return max(0, record.last_ms + delay - now_ms)
