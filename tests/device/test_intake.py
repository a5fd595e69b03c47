"""In which order a phone takes what the relay brings, when its store fails meanwhile."""

import asyncio
from types import SimpleNamespace

from corefast.address import Address
from corefast.device.intake import Intake
from corefast.errors import StoreFull
from corefast.wire.messages import Deliver, Evicted, Item, Kind


def frame(seq):
    return Deliver([Item(seq, bytes([seq]) * 16, Kind.WHISPER, Address("491713920001", 1), 0, b"")])


def test_items_behind_those_that_could_not_be_stored_come_again_after_them(monkeypatch):
    evictions, told, taken = [], [], []
    unused = dict.fromkeys(("profile", "registration", "siblings", "groups", "sending", "resending"))

    async def take(self, peer, items):
        if not told:
            intake.put(peer, frame(2))
            intake.put(peer, Evicted("attach.superseded"))
            raise StoreFull("the disk is full")
        taken.append([item.seq for item in items])

    async def main():
        working = asyncio.ensure_future(intake.work())
        lost, anew = (SimpleNamespace(close=lambda: None) for _ in range(2))
        intake.put(lost, frame(1))
        while not evictions:
            await asyncio.sleep(0)
        assert taken == []
        for seq in (1, 2):
            intake.put(anew, frame(seq))
        while not taken:
            await asyncio.sleep(0)
        working.cancel()

    intake = Intake(feed=SimpleNamespace(tell=told.append), on_evicted=evictions.append, **unused)
    monkeypatch.setattr(Intake, "_take_items", take)
    asyncio.run(main())
    assert (taken, [event.code for event in told], evictions) == ([[1, 2]], ["store.full"], ["attach.superseded"])
