import asyncio

from corefast.core.send import lane as module
from corefast.store.database import Statement
from corefast.wire.body import Text
from corefast.wire.event import EventKind
from corefast.wire.gateway import Send
from tests.core.test_receive import deliver, meet
from tests.core.world import BUSINESS, CUSTOMER, story

NOTHING = Statement("UPDATE account SET phase = 0 WHERE account = -1")


class Caller:
    """Hears what becomes of a call."""

    def __init__(self):
        self.errors = []

    def answer(self, call, message):
        self.errors.append(None)

    def fail(self, call, error):
        self.errors.append(error)


def test_lane_that_a_task_holds_stays_the_only_one_of_its_peer(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_CACHED_SESSIONS", 8)

    async def main(world):
        lanes = world.business.lanes
        with lanes.hold(CUSTOMER) as lane:
            for number in range(50):
                lanes.get(f"4917139200{number:02}")
            assert lanes.get(CUSTOMER) is lane
        for number in range(50, 100):
            lanes.get(f"4917139200{number:02}")
        assert lanes.get(CUSTOMER) is not lane

    story(main, tmp_path)


def test_lanes_used_the_longest_ago_are_let_go_first(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_CACHED_SESSIONS", 32)
    numbers = [f"4917139200{number:02}" for number in range(100)]

    async def main(world):
        lanes = world.business.lanes
        for number in numbers[:16]:
            lanes.get(number)
        lanes.tend()
        kept = [lanes.get(number) for number in numbers[:4]]
        lanes.tend()
        for number in numbers[16:32]:
            lanes.get(number)
        assert len(lanes) == 32
        for number in numbers[32:40]:
            lanes.get(number)
        left = [lane.number for lane in lanes.all()]
        assert set(numbers[4:12]).isdisjoint(left) and set(numbers[12:40]) <= set(left)
        assert [lanes.get(number) for number in numbers[:4]] == kept

    story(main, tmp_path)


def test_sessions_of_a_lane_that_is_not_used_rest_and_go_on(tmp_path):
    async def main(world):
        phone, lanes = await meet(world), world.business.lanes
        await deliver(world, phone.write("one"))
        await world.send("two")
        await world.statuses(2)
        late = phone.write("late")
        await deliver(world, phone.write("three"))
        lane = lanes.get(CUSTOMER)
        sessions = lane.devices[1]._sessions
        lanes.tend()
        assert sessions._current is not None
        lanes.tend()
        assert sessions._current is None and sessions._resting
        await world.send("four")
        await world.statuses(4)
        assert sessions._current is not None
        for _ in range(2):
            lanes.tend()
        assert sessions._current is None
        await deliver(world, late)
        assert [phone.read(post.parts[0]).body.body for post in world.relay.posts] == ["two", "four"]
        texts = [event.text for event in await world.events(3, EventKind.MESSAGE)]
        assert texts == ["one", "three", "late"]

    story(main, tmp_path)


def test_lane_that_is_spoiled_while_it_loads_waits_for_the_later_read(tmp_path, monkeypatch):
    async def main(world):
        await world.send("hello")
        await world.statuses(2)
        lanes, peers = world.business.lanes, world.business.context.peers
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
        await world.business.context.events.count()
        assert not lane.is_loaded
        gates[1].set()
        await lanes.loaded(lane)
        assert lane.devices

    story(main, tmp_path)


def test_unit_behind_a_failed_one_of_its_lane_stores_no_session_that_is_ahead(tmp_path):
    """A message is read and its commit fails, while one that was encrypted after it is queued."""

    async def main(world):
        phone = await meet(world)
        await deliver(world, phone.write("first"))
        await world.send("answer")
        await world.statuses(2)
        late = [phone.write(f"late {n}") for n in range(3)]
        ahead, caller = phone.write("ahead"), Caller()
        context, attached = world.business.context, len(world.relay.attaches)

        def fail_once():
            context.database.set_prelude(context.lease._prelude)
            world.business.sender.accept(caller, 1, Send(BUSINESS, CUSTOMER, Text("lost")))
            return [*context.lease._prelude(), (NOTHING, (), 1)]

        context.database.set_prelude(fail_once)
        world.relay.deliver(ahead)
        await world.relay.peer.closed()
        await world.relay.until(lambda: len(world.relay.attaches) > attached)
        await world.attached()
        assert len(caller.errors) == 1 and caller.errors[0] is not None
        await deliver(world, ahead)
        await world.restart()
        await world.attached()
        await deliver(world, *late)
        texts = [event.text for event in await world.events(5, EventKind.MESSAGE)]
        assert texts == ["first", "ahead", "late 0", "late 1", "late 2"]

    story(main, tmp_path)
