"""`front.single`: the front alone, its core a stub that accepts everything; beside it bare Starlette and uvicorn.

The front's own CPU time decides: so many sends a second one core carries, whatever load and stub cost beside it.
"""

import base64
import os
from collections.abc import Iterator

import msgspec

from bench.figures import Options
from bench.flow import ANYWHERE, ROOM, System
from bench.results import Result, middle

NAME = "front.single"
CONNECTIONS = 64
NUMBERS = 1_000
SECONDS = 6.0
SLICES = 12
"""Ours and the bare one take turns, so that what else the machine does weighs on both."""


def run(options: Options) -> Iterator[Result]:
    seconds = (options.seconds or SECONDS) / SLICES
    costs: dict[str, list[float]] = {"front": [], "bare": []}
    with System(NAME) as ours, System(NAME) as bare:
        options.say(f"{NAME}: starting")
        _start_ours(ours)
        _start_load(bare, str(bare.start("bare", "bench.bare_front")["url"]))
        systems = {"front": ours, "bare": bare}
        for system in systems.values():
            system.load(1.0)
        for slice_ in range(SLICES):
            options.say(f"{NAME}: slice {slice_ + 1} of {SLICES}")
            for name, system in systems.items():
                sent, spent = system.load(seconds)
                costs[name].append(spent[name] * 1e6 / sent)
        yield from ours.memory("rss_loaded")
    yield middle(NAME, "cpu_us_per_send", "us", costs["front"])
    yield middle(NAME, "sends_per_core", "1/s", [1e6 / cost for cost in costs["front"]])
    floor = middle(NAME, "sends_per_core", "1/s", [1e6 / cost for cost in costs["bare"]])
    yield msgspec.structs.replace(floor, peer=PEER)
    pairs = zip(costs["front"], costs["bare"], strict=True)
    yield middle(NAME, "times_bare", "", [cost / least for cost, least in pairs])


PEER = "starlette+uvicorn"


def _start_ours(system: System) -> None:
    secret = system.folder / "front.secret"
    secret.write_text(base64.urlsafe_b64encode(os.urandom(32)).decode() + "\n")
    core = str(system.start("stub", "bench.stub_core", str(secret))["listen"])
    url = str(system.start("front", "api", *ANYWHERE, "--core", core, "--core-secret-file", str(secret))["url"])
    _start_load(system, url)


def _start_load(system: System, url: str) -> None:
    host, _, port = url.removeprefix("http://").rpartition(":")
    times = str(system.folder / "times")
    system.start("load", "bench.sender", host, port, "cf_bench", str(NUMBERS), str(CONNECTIONS), str(ROOM), times)
