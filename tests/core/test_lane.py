import asyncio

from corefast.core.send import lane as module
from tests.core.world import CUSTOMER, story


def test_lane_that_a_task_holds_stays_the_only_one_of_its_peer(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_CACHED_SESSIONS", 8)

    async def main(world):
        lanes = world.core.lanes
        with lanes.hold(CUSTOMER) as lane:
            for number in range(50):
                lanes.get(f"4917139200{number:02}")
            assert lanes.get(CUSTOMER) is lane
        for number in range(50, 100):
            lanes.get(f"4917139200{number:02}")
        assert lanes.get(CUSTOMER) is not lane

    story(main, tmp_path)


def test_lane_that_is_spoiled_while_it_loads_waits_for_the_later_read(tmp_path, monkeypatch):
    async def main(world):
        await world.send("hello")
        await world.statuses(2)
        lanes, peers = world.core.lanes, world.core.context.peers
        load, gates = peers.load, []

        async def load_behind_a_gate(number):
            gates.append(asyncio.Event())
            gate = gates[-1]
            row = await load(number)
            await gate.wait()
            return row

        monkeypatch.setattr(peers, "load", load_behind_a_gate)
        lane = lanes.get(CUSTOMER)
        for count in (1, 2):
            lanes.spoil(lane)
            while len(gates) < count:
                await asyncio.sleep(0)
        gates[0].set()
        await world.core.context.events.count()
        assert not lane.is_loaded
        gates[1].set()
        await lanes.loaded(lane)
        assert lane.devices

    story(main, tmp_path)
