"""`session.memory`: what a core keeps for a peer with one device that it does not talk to at the moment.

Lanes as `Lanes` holds them, filled as a load from the database fills them, with the state of a session after six turns.
Each figure comes from a process of its own: resident memory, or what tracemalloc counts.
"""

import gc
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

from bench.figures import Options
from bench.results import ROOT, Result
from corefast.core.send.lane import Lane, Phase
from corefast.core.store.peers import Standing
from corefast.endpoint.cipher import Correspondent

PEERS = 10_000
KINDS = {"awake": False, "rest": True}


def run(options: Options) -> Iterator[Result]:
    """Measure lanes and sessions, in use and at rest, and what it takes to wake one."""
    for metric in ("rss", "traced"):
        found = _measure(metric)
        for name, value in found.items():
            yield Result("session.memory", f"{name}_{metric}", value, "B", PEERS)
    yield Result("session.wake", "us_per_op", _measure("wake")["wake"], "us", PEERS)


def _measure(what: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.session_memory", what], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


# ── in a process of its own ────────────────────────────────────────────────────────────────────────────────────────


def _record() -> bytes:
    from bench.bench_protocol import start, turn

    ours, theirs = start()
    for _ in range(6):
        turn(theirs, ours)
        turn(ours, theirs)
    return ours.record(b"\2")


def _correspondent(record: bytes, is_resting: bool) -> Correspondent:
    made = Correspondent.restore(record)
    if is_resting:
        made.rest()
    return made


def _lane(number: int, record: bytes, is_resting: bool) -> Lane:
    lane = Lane(f"4917{number:08}")
    lane.phase, lane.peer, lane.devices_version = Phase.HOT, 1_000 + number, 1
    lane.identity = os.urandom(33)
    lane.standing = Standing(since_ms=1_900_000_000_000 + number, after=300 + number)
    lane.devices, lane.registration_ids = {1: _correspondent(record, is_resting)}, {1: 300 + number}
    return lane


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _growth(make: Callable[[int], object], size: Callable[[], int]) -> float:
    """Return the bytes that one of many takes, in a dictionary or a list of places made before."""
    places: list[object] = [None] * PEERS
    make(0)
    gc.collect()
    before = size()
    for place in range(PEERS):
        places[place] = make(place)
    gc.collect()
    return (size() - before) / PEERS


def _child(metric: str, case: str) -> None:
    record = _record()
    is_resting = KINDS[case.split("_")[1]]
    if metric == "traced":
        tracemalloc.start()
    size = _resident if metric == "rss" else lambda: tracemalloc.get_traced_memory()[0]
    if case.startswith("lane"):
        value = _growth(lambda place: _lane(place, record, is_resting), size)
    else:
        value = _growth(lambda place: _correspondent(record, is_resting), size)
    print(value)


def _wake() -> float:
    """Return the best of some rounds, without searches for cycles (a core makes them rare) and with warm caches."""
    record = _record()
    gc.disable()
    sleepers = [_correspondent(record, True) for _ in range(64)]
    best = float("inf")
    for _ in range(200):
        begin = time.process_time()
        for sleeper in sleepers:
            sleeper.has_session  # noqa: B018
        best = min(best, time.process_time() - begin)
        for sleeper in sleepers:
            sleeper.rest()
    return best / len(sleepers) * 1e6


def _cases(metric: str) -> dict[str, float]:
    found = {}
    for case in (f"{what}_{kind}" for what in ("session", "lane") for kind in KINDS):
        command = [sys.executable, "-m", "bench.session_memory", metric, case]
        found[case] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _child(*sys.argv[1:])
    else:
        print(json.dumps({"wake": _wake()} if sys.argv[1] == "wake" else _cases(sys.argv[1])))
