"""What the two commit figures share: the unit, and what is said of each batch size.

Each batch of units is handed over at once; `latency` is the time until the last of them is known to be durable.
`ratio_to_raw` is our time over that of plain driver calls, slice against slice, in turns, so that a busy machine is
busy for both; its value is the median, as one slice on a shared disk can be anything.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator

from hdrh.histogram import HdrHistogram

from bench.results import Result, measured, middle
from corefast.store.database import Database, Statement, Unit

BATCHES = (1, 16, 128, 512)
SECONDS = 4.0
SLICES = 20

PEERS = 1_000
AT_MS = 1_800_000_000_000
CIPHERTEXT = os.urandom(320)
SNAPSHOT = os.urandom(420)


def unit_of(message: Statement, session: Statement, peer: int) -> Unit:
    """Return what a sent message writes."""
    unit = Unit()
    unit.add(message, peer, 1, AT_MS, CIPHERTEXT)
    unit.add(session, peer, SNAPSHOT, rows=1)
    return unit


class Ours:
    """Batch after batch through group commit, each at once."""

    def __init__(self, database: Database, make: Callable[[int], Unit], batch: int) -> None:
        self._database = database
        self._make = make
        self._batch = batch
        self.units = 0
        self.rates: list[float] = []
        self.latency_us = HdrHistogram(1, 60_000_000, 3)

    async def run(self, seconds: float) -> float:
        """Return the units a second of *seconds* of work."""
        done, start = 0, time.perf_counter()
        now = start
        while not done or now < start + seconds:
            units = [self._make((done + n) % PEERS) for n in range(self._batch)]
            before = time.perf_counter()
            await asyncio.gather(*[self._database.commit(unit) for unit in units])
            done += self._batch
            now = time.perf_counter()
            self.latency_us.record_value(max(int((now - before) * 1e6), 1))
        self.units += done
        return done / (now - start)

    async def slice(self, seconds: float) -> None:
        """Run and remember the rate."""
        self.rates.append(await self.run(seconds))

    def results(self, name: str, theirs: list[float]) -> Iterator[Result]:
        """Return rate, latency and ratio; *theirs* are the rates of plain driver calls, slice by slice."""
        yield measured(name, "units_per_s", "1/s", self.rates)
        for percentile in (50, 99):
            value = self.latency_us.get_value_at_percentile(percentile) / 1_000
            yield Result(name, f"latency_p{percentile}", value, "ms", self.latency_us.get_total_count())
        yield middle(name, "ratio_to_raw", "", [raw / own for own, raw in zip(self.rates, theirs, strict=True)])
