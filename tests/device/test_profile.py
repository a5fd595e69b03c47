"""What a home holds in memory is what its store holds, whatever happens to the task that changes it."""

import asyncio

import pytest

from corefast.device import Device
from corefast.device.profile import Options, Profile
from corefast.endpoint.refill import TICK_MS
from corefast.limits import DEVICE_SPARE_KEYS
from corefast.net.sweep import sweep_of
from corefast.store.database import Unit
from tests.device.world import run

NUMBER = "4915100000001"


def test_cancelled_change_is_read_back_only_after_its_commit_has_ended(tmp_path):
    async def main():
        profile = await Profile.open(tmp_path, NUMBER, Options())
        story = []
        commit, load = profile.database.commit, profile.keys.load
        began = asyncio.Event()
        last = None

        async def end(before, unit):
            if before is not None:
                await before
            for _ in range(100):
                await asyncio.sleep(0)
            rows = await commit(unit)
            story.append("committed" if unit.ops else "waited")
            return rows

        async def late(unit):
            nonlocal last
            last = asyncio.ensure_future(end(last, unit))
            began.set()
            return await asyncio.shield(last)

        async def reload():
            story.append("loaded")
            return await load()

        async def change():
            async with profile.turn():
                peer = await profile.directory.load("4915100000002")
                peer.see_identity(b"\5" + bytes(32))
                unit = Unit()
                profile.directory.save(unit, peer)
                await profile.database.commit(unit)

        profile.database.commit, profile.keys.load = late, reload
        task = asyncio.create_task(change())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert story == ["committed", "waited", "loaded"]
        async with profile.turn():
            assert (await profile.directory.load("4915100000002")).identity == b"\5" + bytes(32)
        await profile.close()

    run(main)


def test_a_phone_has_spare_keys_while_it_is_open(tmp_path):
    async def main():
        async def find_relay():
            await asyncio.Event().wait()

        device = await Device.open(tmp_path, find_relay, NUMBER)
        refill = device._profile.refill
        assert device._profile.random is refill.keys
        sweep = sweep_of(asyncio.get_running_loop())
        while refill not in sweep._members:
            await asyncio.sleep(0)
        for tick in range(2):
            refill._tick(tick * TICK_MS)
        assert refill.keys.count == DEVICE_SPARE_KEYS
        await device.close()
        assert refill.keys.count == 0 and refill not in sweep._members

    run(main)
