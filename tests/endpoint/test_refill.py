"""Keys are made when the loop is on time, and none grows old."""

import os

from corefast.endpoint.refill import LATE_MS, LIFE_MS, SLICE, TICK_MS, Refill

SIZE = 2 * SLICE + 1


def keys_of(refill: Refill) -> set[bytes]:
    return {key.public() for key in refill.keys._keys}


def filled() -> tuple[Refill, int]:
    """A full one, and the time of its last tick."""
    refill, now = Refill(os.urandom, SIZE), 5_000_000
    while refill.keys.count < SIZE:
        refill._tick(now)
        now += TICK_MS
    return refill, now - TICK_MS


def test_a_loop_that_is_on_time_makes_a_slice_a_tick():
    refill = Refill(os.urandom, SIZE)
    counts = []
    for tick in range(5):
        refill._tick(7_000_000 + tick * TICK_MS)
        counts.append(refill.keys.count)
    assert counts == [0, SLICE, 2 * SLICE, SIZE, SIZE]


def test_a_loop_that_is_late_makes_none():
    refill, now = filled()
    for _ in range(SLICE):
        refill.keys.take()
    before = keys_of(refill)
    now += TICK_MS + LATE_MS + 1
    refill._tick(now)
    assert keys_of(refill) == before
    now += TICK_MS + LATE_MS
    refill._tick(now)
    assert refill.keys.count == SIZE and keys_of(refill) > before


def test_no_key_is_older_than_a_minute_and_a_tick():
    refill, now = filled()
    before = keys_of(refill)
    made = now
    while keys_of(refill) & before:
        now += TICK_MS
        refill._tick(now)
        assert now - made <= LIFE_MS
    assert refill.keys.count == SLICE


def test_a_loop_that_is_busy_for_a_minute_has_no_old_keys_either():
    refill, now = filled()
    refill._tick(now + LIFE_MS)
    assert refill.keys.count == 0
