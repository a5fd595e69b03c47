import asyncio

import pytest

from corefast.core.account.duties import SWEEP_MS
from corefast.core.feed.cursor import decode_cursor, encode_cursor
from corefast.core.store.events import Fact
from corefast.errors import CursorInvalid, RemoteRefused
from corefast.limits import EVENT_LIFE_MS
from corefast.store.database import Unit
from corefast.wire.event import ReadEvents
from tests.core.world import BUSINESS, story


def test_cursor_returns_what_went_in():
    assert decode_cursor(encode_cursor({0: 5, 3: 1 << 50})) == {0: 5, 3: 1 << 50}


@pytest.mark.parametrize("text", ["%", "abc", "é", "A" * 2_000, encode_cursor({0: -1}), "kgKA"])
def test_cursor_of_somebody_else_is_refused(text):
    with pytest.raises(CursorInvalid):
        decode_cursor(text)


def test_pages_follow_each_other_without_gap_or_repeat_and_read_the_same_each_time(tmp_path):
    async def main(world):
        for number in range(7):
            await world.send(str(number))
        every = await world.statuses(14)
        paged, after = [], ""
        while True:
            page = await world.front.call(ReadEvents(BUSINESS, after, 4))
            if not page.events:
                break
            assert len(page.events) <= 4
            paged += page.events
            after = page.cursor
        assert paged == every
        assert [event.position for event in paged] == sorted({event.position for event in paged})
        await world.restart()
        assert await world.statuses(14) == every

    story(main, tmp_path)


def test_poll_waits_for_the_first_event_and_no_longer_than_asked(tmp_path):
    async def main(world):
        assert (await world.front.call(ReadEvents(BUSINESS, "", 10, 30))).events == []
        poll = asyncio.ensure_future(world.front.call(ReadEvents(BUSINESS, "", 10, 10_000)))
        await asyncio.sleep(0)
        await world.send("x")
        async with asyncio.timeout(8):
            assert (await poll).events

    story(main, tmp_path)


def test_bad_cursor_is_a_typed_error(tmp_path):
    async def main(world):
        with pytest.raises(RemoteRefused) as refused:
            await world.front.call(ReadEvents(BUSINESS, "nonsense"))
        assert refused.value.code == "cursor.invalid"

    story(main, tmp_path)


def test_old_events_are_dropped_and_a_reader_learns_that_it_is_behind(tmp_path):
    async def main(world):
        await world.send("old")
        await world.statuses(2)
        old = await world.front.call(ReadEvents(BUSINESS))
        world.clock.now_ms += EVENT_LIFE_MS + 1
        await world.business.duties.round()
        await world.send("new")
        async with asyncio.timeout(8):
            page = await world.front.call(ReadEvents(BUSINESS, "", 10, 1_000))
        assert page.events and page.oldest == old.cursor
        assert all(event.position > old.events[-1].position for event in page.events)

    story(main, tmp_path)


def test_young_events_with_an_old_time_of_the_relay_are_kept(tmp_path):
    async def main(world):
        world.clock.now_ms += 2 * EVENT_LIFE_MS
        await world.send("x")
        events = await world.statuses(2)
        assert all(event.at_ms < world.clock.now_ms - EVENT_LIFE_MS for event in events)
        world.clock.now_ms += SWEEP_MS
        await world.business.duties.round()
        assert (await world.front.call(ReadEvents(BUSINESS))).events == events
        world.clock.now_ms += EVENT_LIFE_MS
        await world.business.duties.round()
        assert (await world.front.call(ReadEvents(BUSINESS))).events == []

    story(main, tmp_path)


def test_event_of_a_clock_that_was_wrong_takes_no_other_with_it(tmp_path):
    async def main(world):
        await world.send("x")
        await world.statuses(2)
        unit = Unit()
        world.business.context.events.put(unit, Fact.IDENTITY_CHANGED, 0)
        await world.business.context.database.commit(unit)
        world.clock.now_ms += SWEEP_MS
        await world.business.duties.round()
        assert len((await world.front.call(ReadEvents(BUSINESS))).events) == 3

    story(main, tmp_path)


def test_feed_is_bounded_by_count(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.account.duties.MAX_EVENTS", 5)

    async def main(world):
        for number in range(10):
            await world.send(str(number))
        await world.statuses(20)
        world.clock.now_ms += 3_600_000
        await world.business.duties.round()
        assert len((await world.front.call(ReadEvents(BUSINESS, "", 100))).events) == 5

    story(main, tmp_path)
