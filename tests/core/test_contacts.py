"""Look-ups of numbers: what is known, what is asked of the relay, and what happens when it does not answer."""

import asyncio

import pytest

from corefast.errors import RateLimited, RemoteRefused
from corefast.wire.contacts import CheckContacts, ContactStatus

from .fake import Phone
from .world import BUSINESS, CUSTOMER, OTHER, story

pytestmark = pytest.mark.one_engine

DAY_MS = 86_400_000


async def check(world, *inputs, wait=True, **more):
    return (await world.front.call(CheckContacts(BUSINESS, list(inputs), wait, **more))).contacts


def statuses(contacts):
    return [contact.status.value for contact in contacts]


def test_answers_are_in_order_and_final_where_the_caller_waits(tmp_path):
    async def main(world):
        found = await check(world, f"+{CUSTOMER}", "abc", OTHER, f"00{CUSTOMER}", "")
        assert statuses(found) == ["valid", "invalid", "invalid", "valid", "invalid"]
        assert [contact.wa_id for contact in found] == [CUSTOMER, "", "", CUSTOMER, ""]
        assert world.relay.looked_up == [[CUSTOMER, OTHER]]
        assert world.relay.fetched == []

    story(main, tmp_path)


def test_caller_who_does_not_wait_finds_the_answer_the_next_time(tmp_path):
    async def main(world):
        assert statuses(await check(world, CUSTOMER, OTHER, "x", wait=False)) == ["processing", "processing", "invalid"]
        async with asyncio.timeout(20):
            while "processing" in (told := statuses(await check(world, CUSTOMER, OTHER, wait=False))):
                await asyncio.sleep(0)
        assert told == ["valid", "invalid"] and len(world.relay.looked_up) == 1

    story(main, tmp_path)


def test_valid_number_is_remembered_for_seven_days_and_a_missing_one_for_a_minute(tmp_path):
    async def main(world):
        await check(world, CUSTOMER, OTHER)
        world.relay.add(Phone(OTHER))
        assert statuses(await check(world, CUSTOMER, OTHER)) == ["valid", "invalid"]
        world.clock.now_ms += 61_000
        assert statuses(await check(world, CUSTOMER, OTHER)) == ["valid", "valid"]
        assert world.relay.looked_up[1:] == [[OTHER]]
        world.clock.now_ms += 7 * DAY_MS
        await check(world, CUSTOMER)
        assert world.relay.looked_up[2:] == [[CUSTOMER]]
        await check(world, CUSTOMER, force=True)
        assert len(world.relay.looked_up) == 4

    story(main, tmp_path)


def test_number_that_cannot_be_asked_for_has_failed_and_a_throttled_caller_is_told_to_wait(tmp_path, monkeypatch):
    async def main(world):
        world.relay.on_find = lambda numbers: RateLimited("slowly", 5_000)
        for wait in (True, False):
            with pytest.raises(RemoteRefused) as caught:
                await check(world, CUSTOMER, wait=wait)
            assert caught.value.code == "rate.limited" and caught.value.retry_after_ms == 5_000
        assert len(world.relay.looked_up) == 1
        world.relay.on_find = lambda numbers: None
        world.clock.now_ms += 5_000
        assert (await check(world, CUSTOMER))[0].status is ContactStatus.VALID

        monkeypatch.setattr("corefast.net.reconnect.OPEN_TIMEOUT_MS", 0)
        world.business.contacts._ask = refuse
        assert statuses(await check(world, OTHER, CUSTOMER)) == ["failed", "valid"]

    async def refuse(message):
        raise RemoteRefused("link.lost")

    story(main, tmp_path)


def test_list_of_numbers_is_bounded(tmp_path):
    async def main(world):
        for inputs, code in (([], "parameter.missing"), ([CUSTOMER] * 1_001, "parameter.invalid")):
            with pytest.raises(RemoteRefused) as caught:
                await check(world, *inputs)
            assert caught.value.code == code
        assert len(await check(world, *[CUSTOMER] * 1_000)) == 1_000
        assert world.relay.looked_up == [[CUSTOMER]]

    story(main, tmp_path)
