"""`relay.forward`: one author, one relay, a thousand connected phones; what the relay costs a message."""

from collections.abc import Iterator

from bench.figures import Options
from bench.flow import PHONES, ROOM, System, results
from bench.results import Result

NAME = "relay.forward"
WINDOW = 512
SECONDS = 5.0
WARM_UP_S = 1.0


def run(options: Options) -> Iterator[Result]:
    seconds = options.seconds or SECONDS
    with System(NAME) as system:
        options.say(f"{NAME}: starting")
        relay = system.start_relay()
        times_file = str(system.folder / "times")
        system.start("load", "bench.author", relay, str(PHONES), str(WINDOW), str(ROOM), times_file)
        system.start_phones(relay)
        system.measure(60.0, limit=PHONES)
        system.settle(PHONES)
        system.measure(WARM_UP_S)
        options.say(f"{NAME}: {WINDOW} posts at a time for {seconds:.0f} s")
        flood = system.measure(seconds)
        yield from system.memory("rss_loaded")
        system.settle(flood.first + flood.sent)
        times = system.finish()
    yield from results(NAME, flood, times)
    yield Result(NAME, "lost", float(times.lost()), "messages", times.accepted_count())
