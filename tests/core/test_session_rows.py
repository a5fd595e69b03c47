"""What a core stores of its sessions with a customer: rows that change when their part of a session does."""

import os

import msgspec
import pytest

from corefast.endpoint.selection import PartKind
from corefast.store.database import Statement, Unit
from tests.core.fake import Phone
from tests.core.test_receive import deliver, meet
from tests.core.world import CUSTOMER, story

PARTS = Statement("SELECT kind, number, sealed FROM session_part ORDER BY kind, number")
SESSIONS = Statement("SELECT sealed FROM session")


async def parts(world):
    """Return the sizes of the parts by kind."""
    rows = await world.business.context.database.fetch(PARTS)
    return {kind: [len(sealed) for part, _, sealed in rows if part == kind] for kind in PartKind}


def meet_again(world, phone):
    """Let the phone start a second session; the one-time prekeys of the first are used up."""
    bundle = world.relay.bundle_of_business()
    prekeys = world.relay.registers[-1].prekeys
    device = msgspec.structs.replace(bundle.devices[0], one_time=None, kem=prekeys.last_resort)
    phone.meet(msgspec.structs.replace(bundle, devices=[device]))


async def meet_and_lose(world, lost):
    """Let the phone start a session of which *lost* messages are on their way, and one arrived."""
    phone = await meet(world)
    late = [phone.write(f"late {n}") for n in range(lost)]
    await deliver(world, phone.write("ahead"))
    return phone, late


def test_late_messages_are_read_after_a_restart_and_their_rows_go(tmp_path):
    async def main(world):
        _, late = await meet_and_lose(world, 100)
        [[record]] = await world.business.context.database.fetch(SESSIONS)
        assert len(record) <= 700
        sizes = (await parts(world))[PartKind.SKIPPED]
        assert len(sizes) == 8 and max(sizes) <= 1_104
        for n in (50, 0, 99):
            await world.restart()
            await world.attached()
            await deliver(world, late[n], late[n])
        await deliver(world, *late)
        assert await parts(world) == {PartKind.ARCHIVED: [], PartKind.SKIPPED: []}
        texts = [event.text for event in await world.events(101)]
        assert sorted(texts[1:]) == sorted(f"late {n}" for n in range(100))

    story(main, tmp_path)


def test_archived_session_and_its_late_messages_survive_restarts(tmp_path):
    async def main(world):
        phone, late = await meet_and_lose(world, 3)
        meet_again(world, phone)
        await deliver(world, phone.write("new"))
        assert len((await parts(world))[PartKind.ARCHIVED]) == 1
        for n in range(3):
            await world.restart()
            await world.attached()
            await deliver(world, late[n])
            await deliver(world, phone.write("and on"))
        assert len((await parts(world))[PartKind.ARCHIVED]) == 1
        assert [event.text for event in await world.events(8)][2::2] == ["late 0", "late 1", "late 2"]

    story(main, tmp_path)


def test_new_identity_drops_the_parts_of_the_old_sessions(tmp_path):
    async def main(world):
        phone, _ = await meet_and_lose(world, 3)
        meet_again(world, phone)
        await deliver(world, phone.write("archives"))
        assert (await parts(world))[PartKind.ARCHIVED]
        stranger = Phone(CUSTOMER)
        meet_again(world, stranger)
        await deliver(world, stranger.write("me again"))
        assert await parts(world) == {PartKind.ARCHIVED: [], PartKind.SKIPPED: []}

    story(main, tmp_path)


@pytest.mark.parametrize("how", ["all", "one"])
def test_dropped_sessions_leave_no_parts(tmp_path, how):
    async def main(world):
        await meet_and_lose(world, 3)
        assert (await parts(world))[PartKind.SKIPPED]
        context, unit = world.business.context, Unit()
        if how == "all":
            context.peers.drop_sessions(unit)
        else:
            row = await context.peers.load(CUSTOMER)
            context.peers.delete_session(unit, row.id, 1)
        await context.database.commit(unit)
        assert await parts(world) == {PartKind.ARCHIVED: [], PartKind.SKIPPED: []}
        assert await context.database.fetch(SESSIONS) == []

    story(main, tmp_path)


def test_damaged_part_costs_its_late_messages_and_no_more(tmp_path):
    async def main(world):
        phone, late = await meet_and_lose(world, 3)
        damage = Unit()
        damage.add(Statement("UPDATE session_part SET sealed = ?"), os.urandom(100))
        await world.business.context.database.commit(damage)
        await world.restart()
        await world.attached()
        await deliver(world, late[0], phone.write("on"))
        events = await world.events(3)
        assert [event.text for event in events] == ["ahead", "", "on"]

    story(main, tmp_path)
