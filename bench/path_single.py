"""`path.single`: real front, core and relay; a thousand phones in one process, the load in another; one machine.

First as fast as a window of concurrent posts goes (`flood`), then on a timetable at half of that (`half`), where
latency means something. Each message carries a serial: at the end every accepted one must be on its phone, once.
"""

import base64
import contextlib
import tempfile
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import uvloop
from hdrh.histogram import HdrHistogram

from bench.build import build
from bench.figures import Options
from bench.programs import Program, wait_until
from bench.results import Result
from corefast.link.secure import initiator_psk
from corefast.net.calls import Dispatcher
from corefast.net.client import connect
from corefast.wire.codec import gateway_codec
from corefast.wire.gateway import NewKey

NAME = "path.single"
PHONES = 1_000
CONNECTIONS = 64
SECONDS = 10.0
WARM_UP_S = 2.0
SETTLE_S = 30.0
BUSINESS = "493023125000"
ROOM = 1_000_000
"""Messages that one run can number."""

MEASURED = ("api", "core", "relay", "phones", "load")


class System(NamedTuple):
    """Everything that runs."""

    programs: dict[str, Program]

    def cpu_s(self) -> dict[str, float]:
        return {name: self.programs[name].cpu_s for name in MEASURED}

    def received(self) -> int:
        return int(self.phones()["received"])

    def phones(self) -> dict[str, Any]:
        return self.programs["phones"].ask()


class Phase(NamedTuple):
    """One stretch of load: which serials, how long, and what each process spent."""

    first: int
    sent: int
    refused: int
    seconds: float
    delivered_in_time: int
    cpu_s: dict[str, float]


def run(options: Options) -> Iterator[Result]:
    build()
    seconds = options.seconds or SECONDS
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="corefast-bench-")))
        options.say(f"{NAME}: starting relay, core, front")
        system, key = _start(stack, folder)
        time.sleep(1)
        yield from _memory(system, "rss_idle", ("api", "core", "relay"))
        options.say(f"{NAME}: registering {PHONES} phones")
        _start_load(stack, system, folder, key)
        options.say(f"{NAME}: starting {PHONES} sessions")
        _measure(system, 60.0, limit=PHONES)
        _settle(system, PHONES)
        _measure(system, WARM_UP_S)
        options.say(f"{NAME}: flood, {CONNECTIONS} posts at a time for {seconds:.0f} s")
        flood = _measure(system, seconds)
        yield from _memory(system, "rss_loaded", MEASURED)
        rate = (flood.sent - flood.refused) / flood.seconds / 2
        options.say(f"{NAME}: half, {rate:.0f} posts/s for {seconds:.0f} s")
        half = _measure(system, seconds, rate=rate)
        _settle(system, half.first + half.sent)
        totals = system.phones()
        system.programs["load"].finish()
        system.programs["phones"].finish()
        times = _Times(folder)
    _check(totals, times)
    yield from _results("flood", flood, times)
    yield from _results("half", half, times)
    yield Result(NAME, "lost", float(times.lost()), "messages", times.accepted_count())


# ── the programs ───────────────────────────────────────────────────────────────────────────────────────────────────


def _start(stack: contextlib.ExitStack, folder: Path) -> tuple[System, str]:
    programs: dict[str, Program] = {}

    def start(name: str, *command: str) -> dict[str, Any]:
        programs[name] = stack.enter_context(Program(name, *command, folder=folder))
        return programs[name].read()

    anywhere = ("--listen", "127.0.0.1:0")
    relay = start("relay", "corefast.relay", "--data-dir", "relay", *anywhere, "--registration", "open")["url"]
    core_command = ("corefast.core", "--data-dir", "core", *anywhere, "--relay", relay, "--number", BUSINESS)
    core = start("core", *core_command)["listen"]
    secret = folder / "core" / "front.secret"
    api = start("api", "api", *anywhere, "--core", core, "--core-secret-file", str(secret))["url"]
    key = uvloop.run(_new_key(core, secret.read_text().split()[0]))
    programs["phones"] = stack.enter_context(
        Program(
            "phones", "bench.phones", relay, str(PHONES), str(ROOM), BUSINESS, str(folder / "arrivals"), folder=folder
        )
    )
    return System(programs), f"{api} {key}"


def _start_load(stack: contextlib.ExitStack, system: System, folder: Path, key: str) -> None:
    """Wait for the phones; then start the sender."""
    system.programs["phones"].read(120.0)
    url, secret = key.split()
    host, _, port = url.removeprefix("http://").rpartition(":")
    command = ("bench.sender", host, port, secret, str(PHONES), str(CONNECTIONS), str(ROOM), str(folder / "times"))
    system.programs["load"] = stack.enter_context(Program("load", *command, folder=folder))


async def _new_key(core: str, secret_text: str) -> str:
    """Return a fresh API key, asked for as a front would."""
    secret = base64.urlsafe_b64decode(secret_text + "=" * (-len(secret_text) % 4))
    host, _, port = core.rpartition(":")
    peer = await connect(host, int(port), initiator_psk(secret), gateway_codec, Dispatcher({}))
    made = await peer.call(NewKey("bench"))
    peer.close()
    return str(made.key)


# ── measuring ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _measure(system: System, seconds: float, *, rate: float = 0.0, limit: int = -1) -> Phase:
    before, received, start = system.cpu_s(), system.received(), time.perf_counter()
    told = system.programs["load"].ask(seconds + 60, seconds=seconds, rate=rate, limit=limit)
    elapsed = time.perf_counter() - start
    delivered = system.received() - received
    after = system.cpu_s()
    if told["refused"]:
        raise RuntimeError(f"{told['refused']} of {told['sent']} posts were refused; the last one: {told['why']}")
    spent = {name: after[name] - before[name] for name in MEASURED}
    return Phase(told["first"], told["sent"], told["refused"], elapsed, delivered, spent)


def _settle(system: System, count: int) -> None:
    """Wait until *count* messages are on phones; the check at the end says whether one is missing."""
    wait_until(lambda: system.received() >= count, SETTLE_S)


def _memory(system: System, metric: str, names: tuple[str, ...]) -> Iterator[Result]:
    for name in names:
        yield Result(f"{NAME}.{name}", metric, system.programs[name].rss_mib, "MiB")


class _Times:
    """Due, accepted and arrival times by serial, in monotonic nanoseconds; 0 for never."""

    def __init__(self, folder: Path) -> None:
        sent = array("q", (folder / "times").read_bytes())
        self.due, self.accepted = sent[:ROOM], sent[ROOM:]
        self.arrived = array("q", (folder / "arrivals").read_bytes())

    def accepted_count(self) -> int:
        return sum(1 for at in self.accepted if at)

    def lost(self) -> int:
        return sum(1 for accepted, arrived in zip(self.accepted, self.arrived, strict=True) if accepted and not arrived)


def _check(totals: dict[str, Any], times: _Times) -> None:
    """Raise `RuntimeError` unless every accepted message came, once, and nothing else went wrong."""
    if times.lost() or totals["repeated"] or totals["unknown"] or totals["errors"] or totals["open"] != PHONES:
        raise RuntimeError(f"{times.lost()} of {times.accepted_count()} messages are lost; the phones say {totals}")


def _results(phase_name: str, phase: Phase, times: _Times) -> Iterator[Result]:
    name = f"{NAME}.{phase_name}"
    serials = range(phase.first, phase.first + phase.sent)
    yield Result(name, "accepted_per_s", phase.sent / phase.seconds, "1/s", phase.sent)
    yield Result(name, "delivered_per_s", phase.delivered_in_time / phase.seconds, "1/s", phase.delivered_in_time)
    waits = {
        "post_to_accept": [times.accepted[serial] - times.due[serial] for serial in serials],
        "accept_to_phone": [max(times.arrived[serial] - times.accepted[serial], 0) for serial in serials],
        "post_to_phone": [times.arrived[serial] - times.due[serial] for serial in serials],
    }
    for metric, values in waits.items():
        histogram = HdrHistogram(1, 60_000_000, 3)
        for nanoseconds in values:
            histogram.record_value(max(nanoseconds // 1_000, 1))
        for percentile in (50, 99):
            value = histogram.get_value_at_percentile(percentile) / 1_000
            yield Result(name, f"{metric}_p{percentile}", value, "ms", phase.sent)
    for process, spent in phase.cpu_s.items():
        yield Result(f"{name}.{process}", "cpu_us_per_message", spent * 1e6 / phase.sent, "us", phase.sent)
