"""What a core stores of its sessions with a customer: rows that change when their part of a session does."""

import os
from random import Random

import msgspec
import pytest

from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.selection import PartKind
from corefast.limits import MAX_ARCHIVED_SESSIONS, MAX_MESSAGE_GAP, MAX_SKIPPED_KEYS
from corefast.store.database import Statement, Unit
from corefast.wire.body import Text
from corefast.wire.event import EventKind
from corefast.wire.messages import Kind
from tests.core.fake import Phone
from tests.core.test_receive import deliver, meet
from tests.core.test_resend import post
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


def test_forty_archived_sessions_are_each_read_and_promoted_after_restarts_and_the_one_before_is_forgotten(tmp_path):
    async def main(world):
        phone, starts, sent = await meet(world), [], 0
        for n in range(MAX_ARCHIVED_SESSIONS + 2):
            if n:
                phone.business = Correspondent.new()  # the phone forgets, the core archives
                meet_again(world, phone)
            await deliver(world, phone.write(f"start {n}"))
            if n % 4 == 1:  # what the phone writes in an answered session does not name it any more
                await world.send("an answer")
                sent += 1
                phone.read((await post(world, sent)).parts[0])
            starts.append((phone.business, phone.write(f"late {n}"), phone.write(f"later {n}")))
        assert len((await parts(world))[PartKind.ARCHIVED]) == MAX_ARCHIVED_SESSIONS
        order = list(range(len(starts)))
        Random(5).shuffle(order)
        for which in (1, 2):
            await world.restart(resend_hours=0)
            await world.attached()
            await deliver(world, *(starts[n][which] for n in order))
            assert len((await parts(world))[PartKind.ARCHIVED]) == MAX_ARCHIVED_SESSIONS
        assert {start[1].kind for start in starts} == {Kind.PREKEY, Kind.WHISPER}
        told = (EventKind.MESSAGE, EventKind.UNREADABLE)
        events = (await world.events(3 * len(starts), *told))[len(starts) :]
        late = [f"{kind} {n}" if n else "" for kind in ("late", "later") for n in order]
        assert [event.text for event in events] == late
        await world.restart(resend_hours=0)
        phone.business = starts[order[-1]][0]
        await world.send("to the one that was promoted last")
        answer = (await post(world, sent + 1)).parts[0]
        assert phone.read(answer).body == Text("to the one that was promoted last")

    story(main, tmp_path, resend_hours=0)


def test_chain_jumps_forward_as_far_as_it_may_and_keeps_the_newest_keys_through_a_restart(tmp_path):
    async def main(world):
        phone, late = await meet_and_lose(world, 1)
        ahead = [phone.write("x") for _ in range(MAX_MESSAGE_GAP + 1)]
        await deliver(world, phone.write("too far"))
        await deliver(world, ahead[-1])
        await world.restart(resend_hours=0)
        await world.attached()
        kept, gone = ahead[-1 - MAX_SKIPPED_KEYS], ahead[-2 - MAX_SKIPPED_KEYS]
        await deliver(world, kept, gone, ahead[-2], *late, phone.write("on"))
        events = await world.events(8)
        assert [event.text for event in events] == ["ahead", "", "x", "x", "", "x", "", "on"]

    story(main, tmp_path, resend_hours=0)


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
