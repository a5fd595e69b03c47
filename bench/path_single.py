"""`path.single`: real front, core and relay; a thousand phones in one process, the load in another; one machine.

First as fast as a window of concurrent posts goes (`flood`), then on a timetable at half of that (`half`), where
latency means something. Each message carries a serial: at the end every accepted one must be on its phone, once.
"""

import base64
import time
from collections.abc import Iterator

import uvloop

from bench.figures import Options
from bench.flow import ANYWHERE, BUSINESS, PHONES, ROOM, System, results
from bench.results import Result
from corefast.link.secure import initiator_psk
from corefast.net.calls import Dispatcher
from corefast.net.client import connect
from corefast.wire.codec import gateway_codec
from corefast.wire.gateway import NewKey

NAME = "path.single"
CONNECTIONS = 64
SECONDS = 10.0
WARM_UP_S = 2.0
SESSIONS_S = 60.0


def run(options: Options) -> Iterator[Result]:
    with System(NAME) as system:
        yield from measure(options, system)


def measure(options: Options, system: System) -> Iterator[Result]:
    """Start everything in *system*, flood it, and return what it took."""
    name, seconds = system.name, options.seconds or SECONDS
    options.say(f"{name}: starting relay, core, front")
    relay, api, key = _start(system)
    time.sleep(1)
    yield from system.memory("rss_idle")
    options.say(f"{name}: registering {PHONES} phones")
    system.start_phones(relay)
    _start_load(system, api, key)
    options.say(f"{name}: starting {PHONES} sessions")
    system.measure(SESSIONS_S, limit=PHONES)
    system.settle(PHONES)
    system.measure(WARM_UP_S)
    options.say(f"{name}: flood, {CONNECTIONS} posts at a time for {seconds:.0f} s")
    flood = system.measure(seconds)
    yield from system.memory("rss_loaded")
    system.settle(flood.first + flood.sent)
    options.say(f"{name}: half, {flood.rate / 2:.0f} posts/s for {seconds:.0f} s")
    half = system.measure(seconds, rate=flood.rate / 2)
    system.settle(half.first + half.sent)
    times = system.finish()
    yield from results(f"{name}.flood", flood, times)
    yield from results(f"{name}.half", half, times)
    yield Result(name, "lost", float(times.lost()), "messages", times.accepted_count())


def _start(system: System) -> tuple[str, str, str]:
    """Return the relay's URL, the front's, and an API key."""
    relay = system.start_relay()
    core_command = ("corefast.core", "--data-dir", "core", *ANYWHERE, "--relay", relay, "--number", BUSINESS)
    core = system.start("core", *core_command)["listen"]
    secret = system.folder / "core" / "front.secret"
    api = system.start("api", "api", *ANYWHERE, "--core", core, "--core-secret-file", str(secret))["url"]
    return relay, api, uvloop.run(_new_key(core, secret.read_text().split()[0]))


def _start_load(system: System, api: str, key: str) -> None:
    host, _, port = api.removeprefix("http://").rpartition(":")
    times = str(system.folder / "times")
    system.start("load", "bench.sender", host, port, key, str(PHONES), str(CONNECTIONS), str(ROOM), times)


async def _new_key(core: str, secret_text: str) -> str:
    """Return a fresh API key, asked for as a front would."""
    secret = base64.urlsafe_b64decode(secret_text + "=" * (-len(secret_text) % 4))
    host, _, port = core.rpartition(":")
    peer = await connect(host, int(port), initiator_psk(secret), gateway_codec, Dispatcher({}))
    made = await peer.call(NewKey("bench"))
    peer.close()
    return str(made.key)
