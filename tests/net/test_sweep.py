import asyncio

from corefast.net import sweep
from corefast.net.sweep import swept


class Clock:
    """A member that notes when it is ticked."""

    def __init__(self):
        self.ticks = []
        self.ticked = asyncio.Event()

    def _tick(self, now):
        self.ticks.append(now)
        self.ticked.set()


def test_a_member_is_ticked_inside_and_nothing_runs_after_it(run, monkeypatch):
    monkeypatch.setattr(sweep, "SWEEP_INTERVAL_MS", 1)

    async def main():
        first, second = Clock(), Clock()
        with swept(second):
            with swept(first):
                await first.ticked.wait()
            seen = list(first.ticks)
            second.ticked.clear()
            await second.ticked.wait()
            assert first.ticks == seen == sorted(seen)
        assert asyncio.get_running_loop() not in sweep._sweeps

    run(main())
