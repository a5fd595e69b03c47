"""Messages through running programs: who runs, what a stretch of load cost, and whether all of it arrived, once."""

import contextlib
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from hdrh.histogram import HdrHistogram
from tests.support.mariadb import MariaDB

from bench.build import build
from bench.programs import Process, Program, machine_cpu, wait_until
from bench.results import Result

PHONES = 1_000
BUSINESS = "493023125000"
ROOM = 1_000_000
"""Messages that one run can number."""

SETTLE_S = 30.0
ANYWHERE = ("--listen", "127.0.0.1:0")

UNLIMITED = ("--post-burst", "1000000000", "--lookup-burst", "1000000000")
"""The figures are the relay's, not its limits'."""


class Phase(msgspec.Struct, frozen=True):
    """One stretch of load: which serials, how long, and what each process spent."""

    first: int
    sent: int
    seconds: float
    delivered_in_time: int
    cpu_s: dict[str, float]
    foreign_cpu: float
    """Share of the machine that other processes took."""

    @property
    def rate(self) -> float:
        return self.sent / self.seconds


class System:
    """Real programs and the bench's own two, `phones` and `load`, in one temporary folder."""

    def __init__(self, name: str, server: MariaDB | None = None) -> None:
        """With *server* relay and core keep their state there."""
        self.name = name
        self._server = server
        self._stack = contextlib.ExitStack()
        self._programs: dict[str, Program] = {}
        self._processes: dict[str, Process] = {}

    def __enter__(self) -> "System":
        build()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="corefast-bench-")))
        self._environ: dict[str, str] = {}
        if self._server is not None and self._server.process is not None:
            self._environ = self._server.settings(self.folder)
            self._processes["database"] = Process(self._server.process.pid)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def start(self, name: str, *command: str, ready_s: float = 120.0) -> dict[str, Any]:
        """Start a program and return its ready line."""
        program = Program(name, *command, folder=self.folder, environ=self._environ)
        self._programs[name] = self._processes[name] = self._stack.enter_context(program)
        return program.read(ready_s)

    def start_relay(self) -> str:
        """Return the URL of a relay that admits everyone."""
        command = ("corefast.relay", "--data-dir", "relay", *ANYWHERE, "--registration", "open", *UNLIMITED)
        return str(self.start("relay", *command)["url"])

    def start_phones(self, relay: str) -> None:
        """Register the phones; needs the business's number registered."""
        self.start("phones", "bench.phones", relay, str(PHONES), str(ROOM), BUSINESS, str(self.folder / "arrivals"))

    def phones(self) -> dict[str, Any]:
        return self._programs["phones"].ask()

    def received(self) -> int:
        return int(self.phones()["received"])

    def measure(self, seconds: float, *, rate: float = 0.0, limit: int = -1) -> Phase:
        """Let the load run; raise `RuntimeError` where a message was refused."""
        received, machine, before, start = self.received(), machine_cpu(), self._cpu_s(), perf_counter()
        told = self._programs["load"].ask(seconds + 60, seconds=seconds, rate=rate, limit=limit)
        elapsed = perf_counter() - start
        spent = {name: after - before[name] for name, after in self._cpu_s().items()}
        total, busy = (after - first for after, first in zip(machine_cpu(), machine, strict=True))
        if told["refused"]:
            raise RuntimeError(f"{told['refused']} of {told['sent']} messages were refused; the last: {told['why']}")
        delivered = self.received() - received
        foreign = max(busy - sum(spent.values()), 0.0) / total
        return Phase(told["first"], told["sent"], elapsed, delivered, spent, foreign)

    def load(self, seconds: float) -> tuple[int, dict[str, float]]:
        """Let the load run where there are no phones; return what was accepted, and the CPU seconds of each process."""
        before = self._cpu_s()
        told = self._programs["load"].ask(seconds + 60, seconds=seconds, rate=0.0, limit=-1)
        if told["refused"] or not told["sent"]:
            raise RuntimeError(f"{told['refused']} of {told['sent']} were refused; the last: {told['why']}")
        return int(told["sent"]), {name: after - before[name] for name, after in self._cpu_s().items()}

    def _cpu_s(self) -> dict[str, float]:
        return {name: program.cpu_s for name, program in self._processes.items()}

    def settle(self, count: int) -> None:
        """Wait until *count* messages are on phones; the check at the end says whether one is missing."""
        wait_until(lambda: self.received() >= count, SETTLE_S)

    def memory(self, metric: str) -> Iterator[Result]:
        for name, program in self._processes.items():
            yield Result(f"{self.name}.{name}", metric, program.rss_mib, "MiB")

    def finish(self) -> "Times":
        """End load and phones; raise `RuntimeError` unless each accepted message came, once, and nothing failed."""
        totals = self.phones()
        self._programs["load"].finish()
        self._programs["phones"].finish()
        times = Times(self.folder)
        lost = times.lost()
        if lost or totals["repeated"] or totals["unknown"] or totals["errors"] or totals["open"] != PHONES:
            raise RuntimeError(f"{lost} of {times.accepted_count()} messages are lost; the phones say {totals}")
        return times


class Times:
    """Due, accepted and arrival times by serial, in monotonic nanoseconds; 0 for never."""

    def __init__(self, folder: Path) -> None:
        sent = array("q", (folder / "times").read_bytes())
        self.due, self.accepted = sent[:ROOM], sent[ROOM:]
        self.arrived = array("q", (folder / "arrivals").read_bytes())

    def accepted_count(self) -> int:
        return sum(1 for at in self.accepted if at)

    def lost(self) -> int:
        return sum(1 for accepted, arrived in zip(self.accepted, self.arrived, strict=True) if accepted and not arrived)


def results(name: str, phase: Phase, times: Times) -> Iterator[Result]:
    """Return rates, percentiles and each process's CPU of one phase."""
    serials = range(phase.first, phase.first + phase.sent)
    yield Result(name, "accepted_per_s", phase.rate, "1/s", phase.sent)
    yield Result(name, "delivered_per_s", phase.delivered_in_time / phase.seconds, "1/s", phase.delivered_in_time)
    yield from _percentiles(name, "post_to_accept", [times.accepted[n] - times.due[n] for n in serials])
    yield from _percentiles(name, "accept_to_phone", [times.arrived[n] - times.accepted[n] for n in serials])
    yield from _percentiles(name, "post_to_phone", [times.arrived[n] - times.due[n] for n in serials])
    for process, spent in phase.cpu_s.items():
        yield Result(f"{name}.{process}", "cpu_us_per_message", spent * 1e6 / phase.sent, "us", phase.sent)
        yield Result(f"{name}.{process}", "cpu_share", spent / sum(phase.cpu_s.values()) * 100, "%", phase.sent)
    yield Result(name, "foreign_cpu", phase.foreign_cpu * 100, "%")


def _percentiles(name: str, metric: str, nanoseconds: Sequence[int]) -> Iterator[Result]:
    """A phone may be quicker than the answer to its author: below a microsecond counts as one."""
    histogram = HdrHistogram(1, 60_000_000, 3)
    for each in nanoseconds:
        histogram.record_value(max(each // 1_000, 1))
    for percentile in (50, 99):
        value = histogram.get_value_at_percentile(percentile) / 1_000
        yield Result(name, f"{metric}_p{percentile}", value, "ms", len(nanoseconds))
