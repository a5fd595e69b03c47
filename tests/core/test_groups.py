"""Groups: founded, spoken in by everybody who is in one and by nobody else."""

import os
from base64 import urlsafe_b64decode

import pytest

from corefast.core.ids import group_id
from corefast.endpoint.trust import identity_hash
from corefast.errors import RemoteRefused, SessionMissing
from corefast.limits import MAX_GROUP_MEMBERS, MAX_GROUPS_OF_FOUNDER
from corefast.wire.body import Text
from corefast.wire.content import GroupLeave, GroupNews, GroupTag, Read, ResendRequest, Roster
from corefast.wire.event import EventKind, State
from corefast.wire.gateway import Done, Idempotency, MarkRead, Send
from corefast.wire.group import ChangeGroup, GetGroup, ListGroups, NewGroup
from corefast.wire.messages import Item, Kind, PostState
from corefast.wire.peer import AcceptIdentity
from tests.core.fake import NOW_MS
from tests.core.member import Member
from tests.core.test_receive import deliver
from tests.core.world import BUSINESS, CUSTOMER, OTHER, story

THIRD = "491713920002"


class Party:
    """A group of the business with members that are there."""

    def __init__(self, world, numbers=(CUSTOMER, OTHER)):
        self.world = world
        self.members = {number: Member(number) for number in numbers}
        for member in self.members.values():
            world.relay.replace(member)
        self.read_to = 0

    async def found(self, subject="Regulars"):
        made = await self.world.front.call(NewGroup(BUSINESS, subject, list(self.members)))
        self.id, self.name = made.id, urlsafe_b64decode(made.id + "==")
        await self.heard(len(self.members))
        return self

    async def heard(self, count):
        """Let the members take the next *count* posts; return (number, part, content) of each."""
        relay, found = self.world.relay, []
        await relay.until(lambda: len(relay.posts) >= self.read_to + count)
        for post in relay.posts[self.read_to : self.read_to + count]:
            part = post.parts[0]
            found.append((post.to, part, self.members[post.to].take(part)))
        self.read_to += count
        return found

    def send(self, text, **more):
        return self.world.front.call(Send(BUSINESS, self.id, Text(text), group=True, **more))

    def change(self, **what):
        return self.world.front.call(ChangeGroup(BUSINESS, self.id, **what))

    def kinds(self, heard):
        return {number: part.kind for number, part, _ in heard}


async def refused(call):
    with pytest.raises(RemoteRefused) as caught:
        await call
    return caught.value.code


def test_founded_group_is_told_to_its_members_and_then_one_ciphertext_serves_them_all(tmp_path):
    async def main(world):
        party = Party(world)
        made = await world.front.call(NewGroup(BUSINESS, "Regulars", ["+49 123 123456", OTHER, CUSTOMER]))
        party.id, party.name = made.id, urlsafe_b64decode(made.id + "==")
        assert (made.founder, made.subject, made.members) == (BUSINESS, "Regulars", [BUSINESS, CUSTOMER, OTHER])
        for number, part, content in await party.heard(2):
            assert part.kind == Kind.PREKEY and isinstance(content.body, GroupNews) and content.author == BUSINESS
            assert party.members[number].rosters[party.name] == Roster(1, "Regulars", [CUSTOMER, OTHER])
        accepted = await party.send("hello all", opaque="mine")
        assert accepted.to == party.id
        heard = await party.heard(2)
        assert {part.kind for _, part, _ in heard} == {Kind.SENDER_KEY}
        assert len({part.body for _, part, _ in heard}) == 1
        assert len({post.id for post in world.relay.posts}) == 4
        [said] = {content.id for _, _, content in heard}
        assert all(content.body == Text("hello all") for _, _, content in heard)
        events = await world.statuses(4)
        assert {event.message_id for event in events} == {accepted.id}
        assert {(event.peer, event.kind) for event in events} == {
            (number, kind) for number in (CUSTOMER, OTHER) for kind in (EventKind.SENT, EventKind.DELIVERED)
        }
        assert {(event.group, event.opaque) for event in events} == {(party.id, "mine")}
        assert (await world.view(accepted.id)).state == State.DELIVERED
        for member in party.members.values():
            await deliver(world, member.write(Read([said])))
            assert (await world.events(1, EventKind.READ))[0].message_id == accepted.id
        view = await world.view(accepted.id)
        assert (view.state, view.group, view.peer, view.body) == (State.READ, party.id, "", Text("hello all"))
        assert (await world.front.call(ListGroups(BUSINESS))).ids == [party.id]

    story(main, tmp_path)


def test_restart_and_failed_commit_never_use_a_message_key_twice_and_lose_nothing(tmp_path):
    async def main(world):
        party = await Party(world).found()
        await party.send("one")
        await party.heard(2)
        await world.statuses(4)
        mend = world.break_commits()
        assert await refused(party.send("never")) == "store.full"
        assert await refused(party.change(add=[THIRD])) == "store.full"
        mend()
        assert (await world.front.call(GetGroup(BUSINESS, party.id))).members == [BUSINESS, CUSTOMER, OTHER]
        await party.send("two")
        await world.restart()
        await world.attached()
        accepted = await party.send("three")
        heard = await party.heard(4)
        assert [content.body.body for _, _, content in heard] == ["two", "two", "three", "three"]
        assert party.kinds(heard) == {CUSTOMER: Kind.SENDER_KEY, OTHER: Kind.SENDER_KEY}
        bodies = {part.body for _, part, _ in heard}
        assert len(bodies) == 2
        assert (await world.view(accepted.id)).body == Text("three")

    story(main, tmp_path)


def test_member_without_a_session_gets_it_with_the_key_once_there_is_one_whatever_happens_between(tmp_path):
    async def main(world):
        party = Party(world)
        del world.relay.phones[OTHER]
        made = await world.front.call(NewGroup(BUSINESS, "Regulars", [CUSTOMER, OTHER]))
        party.id, party.name = made.id, urlsafe_b64decode(made.id + "==")
        await party.heard(1)
        lost = await party.send("nobody is there")
        [failed] = await world.events(1, EventKind.FAILED)
        assert (failed.peer, failed.message_id, failed.failure.code, failed.group) == (OTHER, lost.id, 1026, party.id)
        await party.heard(1)
        assert (await world.view(lost.id)).state == State.DELIVERED
        world.relay.peer.close()
        await world.relay.until(lambda: len(world.relay.attaches) == 2)
        await world.restart()
        world.relay.phones[OTHER] = [party.members[OTHER]]
        accepted = await party.send("later")
        heard = await party.heard(2)
        assert party.kinds(heard) == {CUSTOMER: Kind.SENDER_KEY, OTHER: Kind.PREKEY}
        assert {content.body for _, _, content in heard} == {Text("later")}
        assert party.members[OTHER].rosters[party.name].revision == 1
        await party.send("now under the key")
        assert set(party.kinds(await party.heard(2)).values()) == {Kind.SENDER_KEY}
        assert (await world.view(accepted.id)).state in (State.SENT, State.DELIVERED)

    story(main, tmp_path)


def test_new_device_gets_message_and_key_in_a_session_and_one_that_is_gone_ends_the_chain(tmp_path):
    async def main(world):
        party = await Party(world).found()
        second = Member(OTHER, 2, like=party.members[OTHER])
        world.relay.add(second)
        await party.send("for both devices")
        await world.relay.until(lambda: len(world.relay.posts) >= 5)
        changed, again = [post for post in world.relay.posts[2:] if post.to == OTHER]
        assert changed.parts[0].kind == Kind.SENDER_KEY and len(again.parts) == 2
        assert second.take(again.parts[1]).body == Text("for both devices")
        party.members[OTHER].take(again.parts[0])
        world.relay.posts.clear()
        await party.send("once for all")
        await world.relay.until(lambda: len(world.relay.posts) >= 2)
        [post] = [post for post in world.relay.posts if post.to == OTHER]
        assert [part.kind for part in post.parts] == [Kind.SENDER_KEY] * 2
        assert second.take(post.parts[1]).body == Text("once for all")
        party.members[OTHER].take(post.parts[0])
        world.relay.replace(party.members[OTHER])
        world.relay.posts.clear()
        await party.send("without the second")
        await world.relay.until(lambda: len(world.relay.posts) >= 3)
        world.relay.posts.clear()
        await party.send("under a new key")
        await world.relay.until(lambda: len(world.relay.posts) >= 2)
        assert Kind.SENDER_KEY not in {part.kind for post in world.relay.posts for part in post.parts}
        world.relay.posts.clear()
        await world.restart()
        await world.attached()
        await party.send("once for all again")
        await world.relay.until(lambda: len(world.relay.posts) >= 2)
        assert {part.kind for post in world.relay.posts for part in post.parts} == {Kind.SENDER_KEY}
        with pytest.raises(SessionMissing):
            second.take(world.relay.posts[0].parts[0])

    story(main, tmp_path)


def test_removed_member_is_told_and_cannot_read_on_and_a_new_one_can(tmp_path):
    async def main(world):
        party = await Party(world).found()
        party.members[THIRD] = Member(THIRD)
        world.relay.replace(party.members[THIRD])
        view = await party.change(add=[THIRD, CUSTOMER], remove=[OTHER], subject="The others")
        assert (view.subject, view.members) == ("The others", [BUSINESS, CUSTOMER, THIRD])
        for number, _, content in await party.heard(3):
            assert content.group.roster == Roster(2, "The others", [CUSTOMER, THIRD])
            assert bool(content.group.key) is (number != OTHER)
        await party.send("among us")
        heard = await party.heard(2)
        assert party.kinds(heard) == {CUSTOMER: Kind.SENDER_KEY, THIRD: Kind.SENDER_KEY}
        for code, what in {
            "group.not_joined": {"remove": [OTHER]},
            "group.invalid": {"add": [BUSINESS]},
            "number.invalid": {"add": ["nobody"]},
            "parameter.missing": {"subject": " "},
            "parameter.invalid": {"subject": "x" * 129},
        }.items():
            assert await refused(party.change(**what)) == code
        with pytest.raises(Exception, match="sender key"):
            party.members[OTHER].take(heard[0][1])
        await world.restart()
        assert (await world.front.call(GetGroup(BUSINESS, party.id))).members == [BUSINESS, CUSTOMER, THIRD]

    story(main, tmp_path)


def test_member_that_leaves_is_let_go_with_a_new_chain_also_after_a_crash(tmp_path):
    async def main(world):
        party = await Party(world).found()
        await deliver(world, party.members[OTHER].tell(GroupLeave(), GroupTag(party.name)))
        heard = await party.heard(2)
        assert {number: content.group.roster.members for number, _, content in heard} == {
            CUSTOMER: [CUSTOMER],
            OTHER: [CUSTOMER],
        }
        context = world.business.context
        world.business.founding.wake = lambda: None
        world.business.inbound.on_leaves = lambda: None
        await deliver(world, party.members[CUSTOMER].tell(GroupLeave(), GroupTag(party.name)))
        assert context.groups.get(party.name).roster.members == [CUSTOMER]
        await world.restart()
        await party.heard(1)
        assert (await world.front.call(GetGroup(BUSINESS, party.id))).members == [BUSINESS]
        assert await refused(party.send("to nobody")) == "group.invalid"

    story(main, tmp_path)


def test_what_members_say_is_heard_once_under_the_id_that_all_know(tmp_path):
    async def main(world):
        party = await Party(world).found()
        ann, bob = party.members[CUSTOMER], party.members[OTHER]
        said = os.urandom(16)
        await deliver(world, ann.tell("first", GroupTag(party.name, ann.key(party.name)), said, name="Ann"))
        await deliver(world, ann.tell("first again", GroupTag(party.name), said))
        item = ann.say("second", GroupTag(party.name), reply_to=said)
        await deliver(world, item, item)
        await world.restart()
        await world.attached()
        await deliver(world, ann.say("third", GroupTag(party.name)))
        first, second, third = await world.events(3, EventKind.MESSAGE)
        assert [event.text for event in (first, second, third)] == ["first", "second", "third"]
        assert {event.group for event in (first, second, third)} == {party.id}
        assert (first.peer, first.name, second.reply_to) == (CUSTOMER, "Ann", first.message_id)
        view = await world.view(first.message_id)
        assert (view.body, view.group, view.peer) == (Text("first"), party.id, CUSTOMER)
        assert await world.front.call(MarkRead(BUSINESS, second.message_id)) == Done()
        [(_, _, content)] = await party.heard(1)
        assert content.body.ids[0] == said and len(content.body.ids) == 2
        await world.send("between us", CUSTOMER)
        assert await refused(world.front.call(MarkRead(BUSINESS, "ABGG" + "A" * 22))) == "message.unknown"
        assert bob.number not in {event.peer for event in (first, second, third)}

    story(main, tmp_path)


def test_nobody_speaks_for_another_or_for_a_group_that_he_is_not_in(tmp_path):
    async def main(world):
        party = await Party(world).found()
        ann, bob = party.members[CUSTOMER], party.members[OTHER]
        stranger = Member(THIRD)
        world.relay.replace(stranger)
        stranger.meet(world.relay.bundle_of_business())
        tag = GroupTag(party.name)
        await deliver(world, stranger.tell("let me in", GroupTag(party.name, stranger.key(party.name))))
        await deliver(world, stranger.say("let me in", tag))
        coup = Roster(9, "Mine", [BUSINESS, OTHER, THIRD])
        await deliver(world, ann.tell(GroupNews(), GroupTag(party.name, b"", coup)))
        await deliver(world, stranger.tell(GroupNews(), GroupTag(party.name, b"", coup)))
        view = await world.front.call(GetGroup(BUSINESS, party.id))
        assert (view.subject, view.members) == ("Regulars", [BUSINESS, CUSTOMER, OTHER])
        await deliver(world, ann.tell("hello", GroupTag(party.name, ann.key(party.name))))
        good = ann.say("mine", tag)
        forged = Item(0, os.urandom(16), good.kind, bob.address, NOW_MS, good.body)
        replayed = Item(0, os.urandom(16), good.kind, good.sender, NOW_MS, good.body)
        await deliver(world, forged)
        await deliver(world, good)
        await deliver(world, replayed)
        await deliver(world, ann.say("as Bob", tag, author=OTHER))
        await deliver(world, ann.say(GroupNews(), tag))
        await deliver(world, ann.tell("elsewhere", GroupTag(party.name, Member(THIRD).key(os.urandom(16)))))
        await deliver(world, ann.tell(GroupNews(), GroupTag(os.urandom(16))), ann.write(GroupLeave()))
        await deliver(world, Item(0, os.urandom(16), Kind.SENDER_KEY, ann.address, NOW_MS, os.urandom(200)))
        await deliver(world, ann.write("the end"))
        seen = [event.text for event in await world.events(3, EventKind.MESSAGE)]
        assert seen == ["hello", "mine", "the end"]
        assert (await world.front.call(ListGroups(BUSINESS))).ids == [party.id]

    story(main, tmp_path)


def test_phone_founds_a_group_with_the_business_which_speaks_in_it_and_does_not_rule_it(tmp_path):
    async def main(world):
        party = Party(world, (CUSTOMER, OTHER))
        ann = party.members[CUSTOMER]
        ann.meet(world.relay.bundle_of_business())
        party.name, party.id = (name := os.urandom(16)), group_id(name)
        roster = Roster(1, "Ann's", [BUSINESS, OTHER])
        await deliver(world, ann.tell(GroupNews(), GroupTag(name, ann.key(name), roster)))
        view = await world.front.call(GetGroup(BUSINESS, party.id))
        assert (view.founder, view.members) == (CUSTOMER, [CUSTOMER, BUSINESS, OTHER])
        await party.send("hello from the shop")
        heard = await party.heard(2)
        assert {number for number, _, _ in heard} == {CUSTOMER, OTHER}
        assert all(content.group.key and content.group.roster is None for _, _, content in heard)
        assert await refused(party.change(subject="Ours")) == "group.not_ours"
        await deliver(world, ann.say("welcome", GroupTag(name)))
        assert (await world.events(1, EventKind.MESSAGE))[0].group == party.id
        bob = party.members[OTHER]
        await deliver(world, bob.tell(GroupLeave(), GroupTag(name)))
        await party.send("without Bob")
        assert party.kinds(await party.heard(1)) == {CUSTOMER: Kind.WHISPER}
        await deliver(world, ann.tell(GroupNews(), GroupTag(name, b"", Roster(2, "Ann's", [BUSINESS]))))
        await party.send("still without Bob")
        assert party.kinds(await party.heard(1)) == {CUSTOMER: Kind.SENDER_KEY}
        await deliver(world, ann.tell(GroupNews(), GroupTag(name, b"", Roster(3, "Ann's", [OTHER]))))
        assert await refused(party.send("still here?")) == "group.not_joined"
        await world.restart()
        await world.attached()
        assert (await world.front.call(ListGroups(BUSINESS))).ids == []
        for _ in range(MAX_GROUPS_OF_FOUNDER + 1):
            other = os.urandom(16)
            await deliver(world, ann.tell(GroupNews(), GroupTag(other, b"", Roster(1, "Spam", [BUSINESS]))))
        assert len((await world.front.call(ListGroups(BUSINESS))).ids) == MAX_GROUPS_OF_FOUNDER - 1

    story(main, tmp_path)


def test_message_that_a_member_could_not_read_is_resent_in_the_session_with_key_and_roster(tmp_path):
    async def main(world):
        party = await Party(world).found()
        await party.send("under the key")
        heard = await party.heard(2)
        said = heard[0][2].id
        lost = next(post for post in world.relay.posts if post.to == OTHER and post.parts[0].kind == Kind.SENDER_KEY)
        bob = party.members[OTHER]
        bob.receivers.clear()
        await deliver(world, bob.write(ResendRequest([lost.id])))
        [(_, part, content)] = await party.heard(1)
        assert part.kind != Kind.SENDER_KEY and (content.body, content.id) == (Text("under the key"), said)
        assert content.resent == lost.id and content.group.key and content.group.roster.revision == 1
        await party.send("under the key again")
        heard = await party.heard(2)
        assert set(party.kinds(heard).values()) == {Kind.SENDER_KEY}

    story(main, tmp_path)


def test_unreadable_message_of_a_member_is_asked_for_and_takes_its_place(tmp_path):
    async def main(world):
        party = await Party(world).found()
        ann = party.members[CUSTOMER]
        ann.key(party.name)
        said = os.urandom(16)
        lost = ann.say("unheard", GroupTag(party.name), said)
        await deliver(world, lost)
        await world.relay.until(lambda: len(world.relay.posts) > party.read_to)
        [(_, _, request)] = await party.heard(1)
        assert request.body == ResendRequest([lost.id])
        again = ann.tell("unheard", GroupTag(party.name, ann.key(party.name)), said, resent=lost.id)
        await deliver(world, again)
        await deliver(world, ann.tell("unheard", GroupTag(party.name), said, resent=lost.id))
        await deliver(world, ann.say("heard", GroupTag(party.name)))
        unreadable, first, second = await world.events(3, EventKind.UNREADABLE, EventKind.MESSAGE)
        assert unreadable.kind == EventKind.UNREADABLE
        assert [first.text, second.text] == ["unheard", "heard"]
        assert (await world.view(first.message_id)).body == Text("unheard")

    story(main, tmp_path)


def test_barred_member_fails_alone_and_a_changed_identity_begins_a_new_chain(tmp_path):
    async def main(world):
        party = await Party(world).found()
        await party.send("before")
        await party.heard(2)
        changed = Member(OTHER)
        changed.meet(world.relay.bundle_of_business())
        party.members[OTHER] = changed
        world.relay.replace(changed)
        await deliver(world, changed.write("it is me"))
        accepted = await party.send("after")
        [failed] = await world.events(1, EventKind.FAILED)
        assert (failed.peer, failed.message_id, failed.failure.code) == (OTHER, accepted.id, 480)
        [(number, part, _)] = await party.heard(1)
        assert number == CUSTOMER and part.kind != Kind.SENDER_KEY
        await party.send("and on")
        assert party.kinds(await party.heard(1)) == {CUSTOMER: Kind.SENDER_KEY}

    story(main, tmp_path, identity_policy="block")


def test_founder_whose_new_identity_nobody_has_acknowledged_brings_nobody_in(tmp_path):
    async def main(world):
        ann = Party(world, (CUSTOMER, OTHER)).members[CUSTOMER]
        ann.meet(world.relay.bundle_of_business())
        name = os.urandom(16)
        await deliver(
            world, ann.tell(GroupNews(), GroupTag(name, ann.key(name), Roster(1, "Ann's", [BUSINESS, OTHER])))
        )
        stock = world.relay.registers[-1].prekeys
        stock.one_time.pop()
        stock.one_time_kem.pop()
        eve = Member(CUSTOMER)
        eve.meet(world.relay.bundle_of_business())
        world.relay.replace(eve)
        lie, more = Roster(2, "Ann's", [BUSINESS, OTHER, THIRD]), os.urandom(16)
        await deliver(world, eve.tell("it is me", GroupTag(name, eve.key(name), lie)))
        await deliver(world, eve.tell(GroupNews(), GroupTag(more, b"", Roster(1, "More", [BUSINESS, OTHER]))))
        assert (await world.events(1, EventKind.MESSAGE))[0].group == group_id(name), "what comes is read"
        assert (await world.front.call(ListGroups(BUSINESS))).ids == [group_id(name)]
        assert (await world.front.call(GetGroup(BUSINESS, group_id(name)))).members == [CUSTOMER, BUSINESS, OTHER]
        await deliver(world, eve.say("unheard", GroupTag(name)))
        await world.events(1, EventKind.UNREADABLE)
        identity = identity_hash(eve.own.identity.public)
        await world.front.call(AcceptIdentity(CUSTOMER, identity))
        await deliver(world, eve.tell("again", GroupTag(name, eve.key(name), lie)))
        assert (await world.front.call(GetGroup(BUSINESS, group_id(name)))).members == [
            CUSTOMER,
            BUSINESS,
            OTHER,
            THIRD,
        ]

    story(main, tmp_path, identity_policy="block")


def test_sender_keys_of_one_peer_are_bounded_and_the_one_unheard_for_longest_gives_way(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.group.intake.MAX_RECEIVER_BYTES", 400)

    async def main(world):
        ann = Party(world).members[CUSTOMER]
        ann.meet(world.relay.bundle_of_business())
        names = [os.urandom(16) for _ in range(6)]
        for name in names:
            await deliver(world, ann.tell(GroupNews(), GroupTag(name, ann.key(name), Roster(1, "Ann's", [BUSINESS]))))
        await world.restart()
        await world.attached()
        await deliver(world, ann.say("late", GroupTag(names[-1])))
        assert (await world.events(1, EventKind.MESSAGE))[0].group == group_id(names[-1])
        await deliver(world, ann.say("lost", GroupTag(names[0])))
        await world.events(1, EventKind.UNREADABLE)
        await deliver(world, ann.tell("again", GroupTag(names[0], ann.key(names[0]))))
        await deliver(world, ann.say("on", GroupTag(names[0])))
        told = [event.group for event in await world.events(3, EventKind.MESSAGE)]
        assert told == [group_id(names[-1]), group_id(names[0]), group_id(names[0])]

    story(main, tmp_path)


def test_idempotency_key_of_a_group_message_answers_again_and_limits_are_told(tmp_path):
    async def main(world):
        party = await Party(world).found()
        key = Idempotency("scope", "key", b"f" * 32)
        first = await party.send("once", idempotency=key)
        await world.restart()
        again = await party.send("once", idempotency=key)
        assert (again.id, again.to, again.replayed) == (first.id, party.id, True)
        await party.heard(2)
        many = [f"49171{number:07}" for number in range(MAX_GROUP_MEMBERS + 1)]
        assert await refused(world.front.call(NewGroup(BUSINESS, "Crowd", many))) == "group.invalid"
        assert await refused(world.front.call(NewGroup(BUSINESS, "", []))) == "parameter.missing"
        assert await refused(world.front.call(NewGroup(BUSINESS, "Me", ["+" + BUSINESS]))) == "group.invalid"
        for wrong in ("", "x", group_id(os.urandom(16)), party.id + "A"):
            assert await refused(world.front.call(Send(BUSINESS, wrong, Text("hi"), group=True))) == "group.missing"
            assert await refused(world.front.call(GetGroup(BUSINESS, wrong))) == "group.missing"
        too_long = Text("x" * 4097)
        assert await refused(world.front.call(Send(BUSINESS, party.id, too_long, group=True))) == "message.too_long"

    story(main, tmp_path)


def test_message_to_many_that_waits_for_the_relay_survives_a_kill(tmp_path):
    async def main(world):
        numbers = [f"49171{number:07}" for number in range(24)]
        party = Party(world, numbers)
        await party.found()
        world.relay.decide = lambda post: None
        await party.send("to everybody")
        heard = await party.heard(24)
        assert set(party.kinds(heard).values()) == {Kind.SENDER_KEY} and len(heard) == 24
        await world.restart()
        world.relay.decide = lambda post: PostState.STORED
        await world.relay.until(lambda: len(world.relay.posts) >= party.read_to + 24)
        posts = world.relay.posts[party.read_to :]
        assert sorted(post.to for post in posts) == sorted(numbers)
        assert {part.body for post in posts for part in post.parts} == {heard[0][1].body}

    story(main, tmp_path)
