"""Groups over time: what is kept and what is forgotten, and what happens to them all at once."""

import asyncio
import os

from corefast.core.account.retention import DAY_MS
from corefast.core.ids import group_id
from corefast.store.database import Statement, Unit
from corefast.wire.body import Attachment, Location, MediaKind, Reaction, Text
from corefast.wire.content import GroupNews, GroupTag, Roster
from corefast.wire.event import EventKind, State
from corefast.wire.gateway import GetMessage, MarkRead, Send
from corefast.wire.group import ChangeGroup, GetGroup, ListGroups, NewGroup
from corefast.wire.media import MediaRef
from corefast.wire.messages import Evicted, Kind, PostState
from tests.core.test_businesses import SECOND, add_second
from tests.core.test_groups import Party, refused
from tests.core.test_media import put
from tests.core.test_receive import deliver
from tests.core.test_retention import pass_time
from tests.core.world import BUSINESS, CUSTOMER, OTHER, story

TABLES = ("message", "group_message", "group_part")


async def rows(world, *tables):
    database = world.business.context.database
    return [(await database.fetch(Statement(f"SELECT count(*) FROM {table}")))[0][0] for table in tables]  # noqa: S608


def test_old_messages_of_groups_are_forgotten_and_the_group_stays(tmp_path):
    async def main(world):
        party = await Party(world).found()
        old = await party.send("old")
        await party.heard(2)
        ann = party.members[CUSTOMER]
        await deliver(world, ann.tell("heard", GroupTag(party.name, ann.key(party.name))))
        await world.events(5, EventKind.SENT, EventKind.DELIVERED, EventKind.MESSAGE)
        assert await rows(world, *TABLES) == [4, 2, 4]
        await pass_time(world, 31 * DAY_MS)
        await pass_time(world, 70 * DAY_MS)
        assert await refused(world.view(old.id)) == "message.unknown"
        assert await rows(world, *TABLES, "group_inbound") == [0, 0, 0, 0]
        await world.restart()
        await world.attached()
        new = await party.send("new")
        assert new.id != old.id
        assert set(party.kinds(await party.heard(2)).values()) == {Kind.SENDER_KEY}

    story(main, tmp_path)


def test_with_pass_through_the_words_are_gone_once_the_last_member_has_them(tmp_path):
    async def main(world):
        party = await Party(world).found()
        world.business.context.pass_through = True
        world.relay.decide = lambda post: PostState.DELIVERED if post.to == CUSTOMER else PostState.STORED
        sent = await party.send("secret words")
        await party.heard(2)
        await world.statuses(3)
        assert (await world.view(sent.id)).body == Text("secret words")
        last = next(post for post in world.relay.posts[2:] if post.to == OTHER)
        await deliver(world, world.relay.receipt(Kind.DELIVERED, last.id, party.members[OTHER]))
        view = await world.view(sent.id)
        assert (view.state, view.body, view.group) == (State.DELIVERED, None, party.id)

    story(main, tmp_path)


def test_messages_while_the_roster_changes_reach_who_was_in_it_and_nobody_else(tmp_path):
    async def main(world):
        numbers = [f"49171{number:07}" for number in range(4)]
        party = await Party(world, numbers).found()
        out = numbers[-1]
        calls = [party.send(f"before {at}") for at in range(3)]
        calls += [party.change(remove=[out]), *(party.send(f"after {at}") for at in range(3))]
        calls += [party.change(add=[out]), party.send("again")]
        await asyncio.gather(*calls)
        heard = await party.heard(3 * 4 + 4 + 3 * 3 + 4 + 4)
        texts = {number: [] for number in numbers}
        for number, _, content in heard:
            if not isinstance(content.body, GroupNews):
                texts[number].append(content.body.body)
        whole = [*(f"before {at}" for at in range(3)), *(f"after {at}" for at in range(3)), "again"]
        assert [texts[number] for number in numbers[:-1]] == [whole] * 3
        assert texts[out] == [text for text in whole if not text.startswith("after")]

    story(main, tmp_path)


def test_everything_that_can_be_said_can_be_said_in_a_group(tmp_path):
    async def main(world):
        party = await Party(world).found()

        def send(body, **more):
            return world.front.call(Send(BUSINESS, party.id, body, group=True, **more))

        info = await put(world, b"\xff\xd8\xff" + bytes(100))
        first = await send(Attachment(MediaKind.IMAGE, "look"), media=MediaRef(info.id))
        await send(Location(52.5, 13.4, "here"), ttl_ms=60_000)
        await send(Reaction("\N{THUMBS UP SIGN}"), reply_to=first.id)
        heard = await party.heard(6)
        picture, place, reaction = (heard[at][2] for at in (0, 2, 4))
        assert picture.media.mime == "image/jpeg" and picture.body.caption == "look"
        assert place.body == Location(52.5, 13.4, "here")
        assert reaction.reply_to == picture.id and reaction.body.emoji
        expiring = [post for post in world.relay.posts if post.expires_ms]
        assert [post.to for post in expiring] == [CUSTOMER, OTHER]
        view = await world.view(first.id)
        assert view.media.id == info.id
        assert await refused(send(Reaction("x" * 20), reply_to=first.id)) == "parameter.invalid"
        late = expiring[1]
        await deliver(world, world.relay.receipt(Kind.EXPIRED, late.id, party.members[OTHER]))
        await send(Text("the key goes along"))
        kinds = party.kinds(await party.heard(2))
        assert kinds[CUSTOMER] == Kind.SENDER_KEY != kinds[OTHER]

    story(main, tmp_path)


def test_core_whose_place_was_taken_says_nothing_more_and_goes_on_with_a_new_chain(tmp_path):
    async def main(world):
        party = await Party(world).found()
        await party.send("before")
        await party.heard(2)
        world.relay.peer.notify(Evicted("attach.superseded"))
        await world.events(1, EventKind.SUPERSEDED)
        assert await refused(party.send("nothing")) == "account.stopped"
        assert await refused(party.change(subject="Nothing")) == "account.stopped"
        assert await refused(world.front.call(NewGroup(BUSINESS, "Nothing", [CUSTOMER]))) == "account.stopped"
        assert await rows(world, "group_chain", "group_peer") == [0, 0]
        await world.restart(adopt_restored=True)
        await world.attached()
        await party.send("after")
        assert set(party.kinds(await party.heard(2)).values()) == {Kind.PREKEY}

    story(main, tmp_path)


def test_group_of_one_number_is_unknown_under_another_of_the_same_core(tmp_path):
    async def main(world):
        first = world.relay.peer
        await add_second(world)
        world.relay.peer = first
        party = await Party(world).found()
        sent = await party.send("ours")
        ann = party.members[CUSTOMER]
        await deliver(world, ann.tell("to the first", GroupTag(party.name, ann.key(party.name))))
        [said] = await world.events(1, EventKind.MESSAGE)
        for asked in (
            GetGroup(SECOND, party.id),
            ChangeGroup(SECOND, party.id, "Theirs"),
            Send(SECOND, party.id, Text("hi"), group=True),
        ):
            assert await refused(world.front.call(asked)) == "group.missing"
        for asked in (
            GetMessage(SECOND, sent.id),
            GetMessage(SECOND, said.message_id),
            MarkRead(SECOND, said.message_id),
        ):
            assert await refused(world.front.call(asked)) == "message.unknown"
        assert (await world.front.call(ListGroups(SECOND))).ids == []

    story(main, tmp_path)


def test_damaged_rows_cost_what_they_hold_and_no_more(tmp_path):
    async def main(world):
        party = await Party(world).found()
        whole = await party.send("whole")
        await party.heard(2)
        await world.statuses(4)
        database = world.business.context.database
        for table in ("group_chain", "group_peer"):
            unit = Unit()
            unit.add(Statement(f"UPDATE {table} SET sealed = ?"), os.urandom(60))  # noqa: S608
            await database.commit(unit)
        await world.restart()
        await world.attached()
        assert (await world.view(whole.id)).body == Text("whole")
        await party.send("in the sessions")
        kinds = party.kinds(await party.heard(2))
        assert Kind.SENDER_KEY not in kinds.values()

    story(main, tmp_path)


def test_roster_whose_commit_failed_is_taken_when_it_comes_again(tmp_path):
    async def main(world):
        party = Party(world)
        ann, name = party.members[CUSTOMER], os.urandom(16)
        ann.meet(world.relay.bundle_of_business())
        item = ann.tell("hello", GroupTag(name, ann.key(name), Roster(1, "Ann's", [BUSINESS])))
        mend = world.break_commits()
        world.relay.deliver(item)
        attached = len(world.relay.attaches)
        await world.relay.peer.closed()
        mend()
        await world.relay.until(lambda: len(world.relay.attaches) > attached)
        await world.attached()
        assert (await world.front.call(ListGroups(BUSINESS))).ids in ([], [group_id(name)])
        await deliver(world, item)
        assert (await world.events(1, EventKind.MESSAGE))[0].group == group_id(name)
        await world.restart()
        await world.attached()
        assert (await world.front.call(ListGroups(BUSINESS))).ids == [group_id(name)]
        await deliver(world, ann.say("and on", GroupTag(name)))
        assert [event.text for event in await world.events(2, EventKind.MESSAGE)] == ["hello", "and on"]

    story(main, tmp_path)


def test_member_for_whom_too_much_waits_fails_alone(tmp_path, monkeypatch):
    async def main(world):
        party = await Party(world).found()
        world.relay.decide = lambda post: None if post.to == OTHER else PostState.DELIVERED
        monkeypatch.setattr("corefast.core.group.cast.MAX_LANE_MESSAGES", 1)
        while world.business.lanes.queued:
            await asyncio.sleep(0)
        waits = await party.send("waits")
        await world.events(1, EventKind.DELIVERED)
        full = await party.send("does not fit")
        [failed] = await world.events(1, EventKind.FAILED)
        assert (failed.message_id, failed.peer, failed.failure.code) == (full.id, OTHER, 429)
        [delivered, second] = await world.events(2, EventKind.DELIVERED)
        assert {delivered.message_id, second.message_id} == {waits.id, full.id}
        assert (await world.view(waits.id)).state == State.ACCEPTED
        assert (await world.view(full.id)).state == State.DELIVERED

    story(main, tmp_path)


def test_groups_of_an_account_are_bounded(tmp_path, monkeypatch):
    async def main(world):
        monkeypatch.setattr("corefast.core.group.founding.MAX_GROUPS", 2)
        for _ in range(2):
            await world.front.call(NewGroup(BUSINESS, "One of two", []))
        assert await refused(world.front.call(NewGroup(BUSINESS, "One too many", []))) == "group.invalid"

    story(main, tmp_path)
