"""Groups of phones at a real relay: each member reads what was said once, and nobody else reads it."""

import asyncio
import os
import shutil
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from corefast.address import Address
from corefast.device import (
    Device,
    GroupChanged,
    IdentityNews,
    MessageReceived,
    MessageSent,
    Offline,
    Ready,
    StatusChanged,
    Unreadable,
    membership,
)
from corefast.device.connection import Connection
from corefast.device.receiving import Delivery
from corefast.device.sending import Sending
from corefast.device.store.inbox import What
from corefast.device.store.outbox import OutboxRow
from corefast.endpoint.group import GroupSender
from corefast.endpoint.trust import Policy
from corefast.errors import GroupNotJoined, GroupNotOurs, MessageTooLong
from corefast.store.database import Unit
from corefast.wire.body import ContactCard, ContactCards, PersonName, Reaction, Text
from corefast.wire.content import Content, GroupLeave, GroupNews, GroupTag, Read, Roster, Sent, encode_content
from corefast.wire.messages import Item, Kind
from tests.device.test_linking import linked
from tests.device.test_resend import change
from tests.device.world import World, run

ID = bytes(range(16))


class Circle:
    """Phones by name, and what each of them posted."""

    def __init__(self, world):
        self.world = world
        self.phones = {}

    def __getattr__(self, name):
        return self.phones[name]

    def number(self, name):
        return self.phones[name].device.number


@asynccontextmanager
async def circle(folder, url, *names, **options):
    """Open a phone for each of *names*; all are online."""
    w = World(folder, url)
    first = int(w.alice) * 100
    async with AsyncExitStack() as stack:
        made = Circle(w)
        for at, name in enumerate(names):
            made.phones[name] = await stack.enter_async_context(w.device(f"{first + at}", home=name, **options))
            await made.phones[name].until(Ready)
        made.stack = stack
        yield made


@pytest.fixture
def posts(monkeypatch):
    """Return what phones post, as (sender, recipient, kinds, bodies), in order."""
    seen = []
    post = Sending._post

    def watching(self, rows):
        for row in rows:
            if row.id in self._posted and row.parts is not None:
                kinds = [part.kind for part in row.parts]
                seen.append((self._profile.account.number, row.recipient, kinds, [part.body for part in row.parts]))
        post(self, rows)

    monkeypatch.setattr(Sending, "_post", watching)
    return seen


def item_of(sender, body):
    """Return an item that the relay makes up of a ciphertext it has seen."""
    return Item(1, os.urandom(16), Kind.SENDER_KEY, Address(sender, 1), 1, body)


async def lie(phone, recipient, content):
    """Have a phone post a content that its program would not."""
    row = OutboxRow(0, os.urandom(16), recipient, What.READ, 1, encode_content(content))
    await phone.device._accept(Unit(), [row])


def chain(group):
    return GroupSender.new(group, os.urandom).distribution()


def card(name):
    return ContactCard(PersonName(name, name))


def said(phone):
    return [event.text for event in phone.events if isinstance(event, MessageReceived | MessageSent) and event.group]


async def found(c, founder, subject, *members):
    """Found a group and wait until each member knows it."""
    group = await c.phones[founder].device.groups.found(subject, [c.number(name) for name in members])
    for name in members:
        [news] = await c.phones[name].until(GroupChanged)
        assert (news.group, news.subject, news.added) == (group.id, subject, [c.number(name)])
    return group.id


async def say(c, name, group, text, *readers):
    """Have somebody say something and each of *readers* read it."""
    message_id = await c.phones[name].device.send_text(group, text)
    for reader in readers:
        [event] = await c.phones[reader].until(MessageReceived, text=text)
        assert (event.id, event.group, event.sender) == (message_id, group, c.number(name))
    return message_id


def test_what_is_said_in_a_group_goes_to_all_under_one_key_once_everybody_has_it(tmp_path, relay_url, posts):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay") as c:
            group = await found(c, "ann", "Dinner", "bob", "cay")
            assert all(kinds in ([Kind.PREKEY], [Kind.WHISPER]) for *_, kinds, _ in posts)
            posts.clear()
            message_id = await say(c, "ann", group, "one", "bob", "cay")
            assert [kinds for *_, kinds, _ in posts] == [[Kind.SENDER_KEY]] * 2
            assert len({bodies[0] for *_, bodies in posts}) == 1
            await c.ann.until(StatusChanged, count=2, status="delivered", id=message_id, group=group)
            posts.clear()
            await say(c, "bob", group, "two", "ann", "cay")
            assert {kinds[0] for *_, kinds, _ in posts} <= {Kind.PREKEY, Kind.WHISPER}
            posts.clear()
            await say(c, "bob", group, "three", "ann", "cay")
            assert [kinds for *_, kinds, _ in posts] == [[Kind.SENDER_KEY]] * 2
            await c.cay.device.mark_read([message_id])
            [read] = await c.ann.until(StatusChanged, status="read")
            assert (read.id, read.recipient, read.group) == (message_id, c.number("cay"), group)
            assert said(c.cay) == ["one", "two", "three"] and said(c.ann) == ["two", "three"]
            assert not any(isinstance(event, Unreadable) for phone in c.phones.values() for event in phone.events)

    run(main)


def test_devices_of_all_members_read_and_show_where_it_was_said(tmp_path, relay_url, posts):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay") as c:
            group = await found(c, "ann", "Dinner", "bob", "cay")
            await say(c, "cay", group, "before", "ann", "bob")
            tablet = await c.stack.enter_async_context(linked(c.world, c.bob, "tablet"))
            [news] = await tablet.until(GroupChanged)
            assert (news.group, news.subject) == (group, "Dinner")
            await say(c, "cay", group, "for both", "ann", "bob")
            [event] = await tablet.until(MessageReceived, text="for both")
            assert (event.group, event.subject) == (group, "Dinner")
            await say(c, "cay", group, "under a key", "ann", "bob")
            await tablet.until(MessageReceived, text="under a key")
            posts.clear()
            await say(c, "cay", group, "again", "ann", "bob")
            await tablet.until(MessageReceived, text="again")
            [parts] = [kinds for _, to, kinds, _ in posts if to == c.number("bob")]
            assert parts == [Kind.SENDER_KEY] * 2
            await tablet.device.send_text(group, "from the tablet")
            for name in ("ann", "cay"):
                [event] = await c.phones[name].until(MessageReceived, text="from the tablet")
                assert event.sender == c.number("bob")
            [copy] = await c.bob.until(MessageSent)
            assert (copy.group, copy.subject, copy.text, copy.device) == (group, "Dinner", "from the tablet", 2)
            assert not any(isinstance(event, Unreadable) for event in tablet.events)
            await c.bob.device.unlink(2)
            await say(c, "cay", group, "who is there?", "ann", "bob")
            posts.clear()
            await say(c, "cay", group, "not the tablet", "ann", "bob")
            [kinds] = [kinds for _, to, kinds, _ in posts if to == c.number("ann")]
            assert kinds != [Kind.SENDER_KEY], "a new key, which the tablet does not have"
            await say(c, "cay", group, "under a new key", "ann", "bob")
            assert [kinds for *_, kinds, _ in posts][-2:] == [[Kind.SENDER_KEY]] * 2

    run(main)


def test_device_that_is_linked_later_knows_who_has_left_though_the_founder_is_away(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "bob", "cay") as c:
            async with c.world.device(c.world.alice, home="ann") as ann:
                await ann.until(Ready)
                c.phones["ann"] = ann
                group = await found(c, "ann", "Dinner", "bob", "cay")
            await c.cay.device.groups.leave(group)
            await c.bob.until(GroupChanged, left=[c.number("cay")])
            tablet = await c.stack.enter_async_context(linked(c.world, c.bob, "tablet"))
            await tablet.until(GroupChanged)
            members = [c.world.alice, c.number("bob")]
            assert (await tablet.device.groups.get(group)).members == members

    run(main)


# ── who comes and who goes ─────────────────────────────────────────────────────────────────────────────────────────


def test_added_member_reads_from_then_on_and_talks_with_all(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay") as c:
            group = await found(c, "ann", "Dinner", "bob")
            await say(c, "bob", group, "without cay", "ann")
            view = await c.ann.device.groups.add(group, [c.number("cay")])
            assert view.members == [c.number(name) for name in ("ann", "bob", "cay")]
            [news] = await c.cay.until(GroupChanged)
            assert (news.author, news.added) == (c.number("ann"), [c.number("cay")])
            [news] = await c.bob.until(GroupChanged)
            assert news.added == [c.number("cay")]
            for name, others in (("bob", ("ann", "cay")), ("cay", ("ann", "bob")), ("ann", ("bob", "cay"))):
                for time in ("once", "twice"):
                    await say(c, name, group, f"{name} {time}", *others)
            assert said(c.cay) == ["bob once", "bob twice", "ann once", "ann twice"]
            assert (await c.cay.device.groups.get(group)) == await c.bob.device.groups.get(group)

    run(main)


def test_removed_member_is_told_gets_nothing_more_and_cannot_read_what_the_relay_hands_him(tmp_path, relay_url, posts):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay") as c:
            group = await found(c, "ann", "Dinner", "bob", "cay")
            for name, others in (("bob", ("ann", "cay")), ("ann", ("bob", "cay"))):
                await say(c, name, group, f"{name} says", *others)
                await say(c, name, group, f"{name} says again", *others)
            await c.ann.device.groups.remove(group, [c.number("cay")])
            [news] = await c.cay.until(GroupChanged)
            assert news.removed == [c.number("cay")]
            await c.bob.until(GroupChanged, removed=[c.number("cay")])
            assert not (await c.cay.device.groups.get(group)).is_member
            posts.clear()
            for name, other in (("bob", "ann"), ("ann", "bob")):
                await say(c, name, group, f"{name} alone", other)
                await say(c, name, group, f"{name} under a key", other)
            assert c.number("cay") not in {to for _, to, *_ in posts}
            secret = [(sender, bodies[0]) for sender, _, kinds, bodies in posts if kinds == [Kind.SENDER_KEY]]
            assert {sender for sender, _ in secret} == {c.number("ann"), c.number("bob")}
            profile = c.cay.device._profile
            items = [item_of(sender, body) for sender, body in secret]
            await Delivery(profile).take(items)
            assert {row.what for row in await profile.inbox.waiting(0, 100)} <= {
                What.UNREADABLE,
                What.MESSAGE,
                What.GROUP,
            }
            c.cay.device._feed.look()
            assert {event.id for event in await c.cay.until(Unreadable, len(items))} == {item.id for item in items}
            with pytest.raises(GroupNotJoined):
                await c.cay.device.send_text(group, "let me in")
            with pytest.raises(GroupNotOurs):
                await c.bob.device.groups.add(group, [c.number("cay")])

    run(main)


def test_who_leaves_is_out_for_all_at_once_and_the_founder_tells_it_by_a_roster(tmp_path, relay_url, posts):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay", "dan") as c:
            group = await found(c, "ann", "Dinner", "bob", "cay", "dan")
            await say(c, "bob", group, "hello", "ann", "cay", "dan")
            await c.cay.device.groups.leave(group)
            await c.ann.until(GroupChanged, left=[c.number("cay")])
            for name in ("bob", "dan"):
                [news] = await c.phones[name].until(GroupChanged)
                assert news.left + news.removed == [c.number("cay")], "whichever comes first, her word or the roster"
            posts.clear()
            await say(c, "bob", group, "she is gone", "ann", "dan")
            await say(c, "bob", group, "under a new key", "ann", "dan")
            kinds = [kinds for sender, _, kinds, _ in posts if sender == c.number("bob")]
            assert len(kinds) == 4 and Kind.SENDER_KEY not in kinds[0] + kinds[1]
            assert kinds[2:] == [[Kind.SENDER_KEY]] * 2
            async with asyncio.timeout(20):
                while (await c.dan.device._profile.groups.store.load(group)).roster.revision < 2:
                    await asyncio.sleep(0.02)
            members = [c.number(name) for name in ("ann", "bob", "dan")]
            assert (await c.dan.device.groups.get(group)).members == members
            assert said(c.cay) == ["hello"] and not (await c.cay.device.groups.get(group)).is_member
            assert len([event for event in c.dan.events if isinstance(event, GroupChanged)]) == 2, "told once"
            await c.ann.device.groups.add(group, [c.number("cay")])
            await c.cay.until(GroupChanged, added=[c.number("cay")])
            await say(c, "cay", group, "back again", "ann")

    run(main)


# ── what is lost, and what dies in between ─────────────────────────────────────────────────────────────────────────


def test_message_under_a_key_that_was_lost_comes_once_more_under_its_id_and_the_next_ones_under_a_key(
    tmp_path, relay_url, posts
):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob") as c:
            async with c.world.device(f"{int(c.number('ann')) + 5}", home="cay") as cay:
                await cay.until(Ready)
                c.phones["cay"] = cay
                group = await found(c, "ann", "Dinner", "bob", "cay")
                await say(c, "ann", group, "before", "bob", "cay")
                number = cay.device.number
            change(c.world.folder / "cay", ("DELETE FROM group_sender",))
            posts.clear()
            message_id = await say(c, "ann", group, "lost", "bob")
            await c.ann.until(StatusChanged, status="sent", id=message_id, recipient=number)
            assert [kinds for *_, kinds, _ in posts] == [[Kind.SENDER_KEY]] * 2
            async with c.world.device(number, home="cay") as cay:
                c.phones["cay"] = cay
                [event] = await cay.until(MessageReceived, text="lost")
                assert (event.id, event.group, event.sender) == (message_id, group, c.number("ann"))
                await cay.device.mark_read([message_id])
                await c.ann.until(StatusChanged, status="read", id=message_id, recipient=number)
                posts.clear()
                await say(c, "ann", group, "pairwise again", "bob", "cay")
                assert Kind.SENDER_KEY not in next(kinds for _, to, kinds, _ in posts if to == number)
                posts.clear()
                await say(c, "ann", group, "under the key", "bob", "cay")
                assert [kinds for *_, kinds, _ in posts] == [[Kind.SENDER_KEY]] * 2
                assert said(cay).count("lost") == 1

    run(main)


def test_member_whose_sessions_are_gone_reads_on(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob") as c:
            number = f"{int(c.number('ann')) + 5}"
            async with c.world.device(number, home="cay") as cay:
                await cay.until(Ready)
                c.phones["cay"] = cay
                group = await found(c, "ann", "Dinner", "bob", "cay")
                await say(c, "bob", group, "before", "ann", "cay")
            change(c.world.folder / "cay", ("DELETE FROM session",), ("DELETE FROM group_sender",))
            await c.ann.device.groups.rename(group, "Supper")
            await say(c, "bob", group, "lost", "ann")
            async with c.world.device(number, home="cay") as cay:
                c.phones["cay"] = cay
                await cay.until(MessageReceived, text="lost")
                async with asyncio.timeout(20):
                    while (await cay.device.groups.get(group)).subject != "Supper":
                        await asyncio.sleep(0.02)
                await say(c, "cay", group, "here I am", "ann", "bob")
                await say(c, "ann", group, "welcome", "bob", "cay")

    run(main)


@pytest.mark.parametrize("is_posted", [False, True])
def test_phone_that_dies_between_commit_and_post_sends_the_same_ciphertext_once(
    tmp_path, relay_url, posts, monkeypatch, is_posted
):
    async def main():
        async with circle(tmp_path, relay_url, "bob", "cay") as c:
            number = f"{int(c.number('bob')) + 5}"
            async with c.world.device(number, home="ann") as ann:
                await ann.until(Ready)
                c.phones["ann"] = ann
                group = await found(c, "ann", "Dinner", "bob", "cay")
                await say(c, "ann", group, "before", "bob", "cay")
                notify = Connection.notify
                if is_posted:
                    monkeypatch.setattr(Sending, "take_results", ignore)
                else:
                    monkeypatch.setattr(Connection, "notify", lambda self, message: None)
                posts.clear()
                message_id = await ann.device.send_text(group, "once")
                async with asyncio.timeout(20):
                    while len(posts) < 2:
                        await asyncio.sleep(0.01)
            monkeypatch.setattr(Connection, "notify", notify)
            monkeypatch.undo()
            sent = change(c.world.folder / "ann", ("SELECT parts FROM outbox WHERE said = ?", message_id))
            assert len(sent) == 2 and sent[0] == sent[1]
            async with c.world.device(number, home="ann") as ann:
                c.phones["ann"] = ann
                for name in ("bob", "cay"):
                    [event] = await c.phones[name].until(MessageReceived, text="once")
                    assert event.id == message_id
                await say(c, "ann", group, "after", "bob", "cay")
                assert said(c.bob) == ["before", "once", "after"]
                assert not any(isinstance(event, Unreadable) for event in c.bob.events + c.cay.events)

    async def ignore(self, results):
        pass

    run(main)


def test_messages_of_a_phone_that_was_offline_reach_whoever_has_its_key_and_whoever_has_not(
    tmp_path, relay_url, posts, monkeypatch
):
    async def main():
        async with circle(tmp_path, relay_url, "bob", "cay") as c:
            number = f"{int(c.number('bob')) + 5}"
            async with c.world.device(number, home="ann") as ann:
                await ann.until(Ready)
                c.phones["ann"] = ann
                group = await found(c, "ann", "Dinner", "bob", "cay")
                await say(c, "ann", group, "before", "bob", "cay")
                await ann.until(StatusChanged, count=2, status="sent")
            home = c.world.folder / "ann"
            change(home, ("DELETE FROM group_given WHERE number = ?", c.number("cay")))
            with monkeypatch.context() as patched:
                patched.setattr(Sending, "_wake", lambda self, number: None)
                offline = await Device.open(home, None, number)
                for text in ("one", "two", "three"):
                    await offline.send_text(group, text)
                await offline.close()
            posts.clear()
            async with c.world.device(number, home="ann") as ann:
                for name in ("bob", "cay"):
                    await c.phones[name].until(MessageReceived, text="three")
                    assert said(c.phones[name]) == ["before", "one", "two", "three"]
                    assert not any(isinstance(event, Unreadable) for event in c.phones[name].events)
                kinds = {to: [kinds[0] for _, each, kinds, _ in posts if each == to] for _, to, *_ in posts}
                assert set(kinds[c.number("bob")]) == {Kind.SENDER_KEY}
                assert Kind.SENDER_KEY not in kinds[c.number("cay")]
                c.phones["ann"] = ann
                await say(c, "ann", group, "four", "bob", "cay")
                assert posts[-1][2] == [Kind.SENDER_KEY]

    run(main)


def test_adopted_copy_of_a_home_encrypts_nothing_under_a_key_that_another_copy_has(tmp_path, relay_url, posts):
    async def main():
        async with circle(tmp_path, relay_url, "bob", "cay") as c:
            number = f"{int(c.number('bob')) + 5}"
            async with c.world.device(number, home="ann") as ann:
                await ann.until(Ready)
                c.phones["ann"] = ann
                group = await found(c, "ann", "Dinner", "bob", "cay")
                await say(c, "ann", group, "before", "bob", "cay")
            shutil.copytree(c.world.folder / "ann", c.world.folder / "copy")
            async with c.world.device(number, home="ann") as ann:
                c.phones["ann"] = ann
                await say(c, "ann", group, "in the newer one", "bob", "cay")
            posts.clear()
            async with c.world.device(number, home="copy", adopt_restored=True) as ann:
                c.phones["ann"] = ann
                await say(c, "ann", group, "in the copy", "bob", "cay")
                assert Kind.SENDER_KEY not in {kind for *_, kinds, _ in posts for kind in kinds}
                await say(c, "ann", group, "under a new key", "bob", "cay")
                assert posts[-1][2] == [Kind.SENDER_KEY]
            assert said(c.bob) == ["before", "in the newer one", "in the copy", "under a new key"]

    run(main)


def test_message_that_is_said_twice_under_one_id_is_sent_once(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob") as c:
            group = await found(c, "ann", "Dinner", "bob")
            for _ in range(3):
                assert await c.ann.device.send_text(group, "once", ID) == ID
            await c.ann.until(StatusChanged, status="delivered", id=ID)
            assert (await c.ann.device.status(ID))[0].name == "DELIVERED"
            await say(c, "ann", group, "after", "bob")
            assert said(c.bob) == ["once", "after"]
            assert (await c.ann.device.groups.found("Other", [c.number("bob")], group)).subject == "Dinner"

    run(main)


# ── what a message in a group may be ───────────────────────────────────────────────────────────────────────────────


def test_replies_reactions_and_files_go_to_the_group_that_they_belong_to(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay") as c:
            group = await found(c, "ann", "Dinner", "bob", "cay")
            first = await say(c, "ann", group, "at eight?", "bob", "cay")
            await c.bob.device.send(group, Reaction("👍"), reply_to=first)
            [event] = await c.cay.until(MessageReceived)
            assert (event.group, event.reply_to, event.body) == (group, first, Reaction("👍"))
            assert (await c.cay.device.message(group, first)).text == "at eight?"
            assert (await c.ann.device.message(group, first)).text == "at eight?"
            assert await c.cay.device.message(c.number("ann"), first) is None
            picture = tmp_path / "boat.png"
            picture.write_bytes(b"\x89PNG" + bytes(100))
            await c.cay.device.send_file(group, picture)
            [event] = await c.bob.until(MessageReceived, group=group)
            saved = await c.bob.device.save_file(event, tmp_path / "saved.png")
            assert saved.read_bytes() == picture.read_bytes()
            await c.bob.device.send_text(c.number("cay"), "just you")
            [event] = await c.cay.until(MessageReceived, text="just you")
            assert event.group is None and event.subject == ""
            with pytest.raises(MessageTooLong):
                await c.ann.device.send(group, ContactCards([card("x" * 4_000)] * 15))

    run(main)


# ── liars ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_stranger_says_nothing_in_a_group_and_brings_no_roster_for_it(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay", "eve") as c:
            group = await found(c, "ann", "Dinner", "bob", "cay")
            before = await c.bob.device.groups.get(group)
            roster = Roster(9, "Mine", [c.number("bob"), c.number("eve")])
            lies = [
                Content(os.urandom(16), 1, Text("a stranger"), group=GroupTag(group)),
                Content(os.urandom(16), 1, Text("with a key"), group=GroupTag(group, chain(group))),
                Content(os.urandom(16), 1, Text("a founder"), group=GroupTag(group, b"", roster)),
                Content(os.urandom(16), 1, GroupNews(), group=GroupTag(group, chain(group), roster)),
                Content(os.urandom(16), 1, GroupLeave(), group=GroupTag(group)),
            ]
            for content in lies:
                await lie(c.eve, c.number("bob"), content)
            codes = {event.code for event in await c.bob.until(Unreadable, 3)}
            assert codes == {"group.unknown"}
            await c.eve.device.send_text(c.number("bob"), "end")
            await c.bob.until(MessageReceived, text="end")
            assert said(c.bob) == [] and await c.bob.device.groups.get(group) == before
            assert (
                change(c.world.folder / "bob", ("SELECT * FROM group_sender WHERE number = ?", c.number("eve"))) == []
            )

    run(main)


def test_member_brings_no_roster_and_the_founder_no_older_one(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay") as c:
            group = await found(c, "ann", "Dinner", "bob", "cay")
            await c.ann.device.groups.rename(group, "Supper")
            await c.bob.until(GroupChanged, subject="Supper")
            before = await c.bob.device.groups.get(group)
            for name, revision in (("cay", 9), ("ann", 2), ("ann", 1), ("ann", -1), ("ann", 2**40)):
                roster = Roster(revision, "Lie", [c.number("bob")])
                content = Content(os.urandom(16), 1, Text(name), group=GroupTag(group, b"", roster))
                await lie(c.phones[name], c.number("bob"), content)
                await c.bob.until(MessageReceived, text=name)
                assert await c.bob.device.groups.get(group) == before

    run(main)


def test_tag_that_cannot_be_makes_a_message_malformed(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob") as c:
            group = await found(c, "ann", "Dinner", "bob")
            lies = [
                Content(os.urandom(16), 1, Text("x"), group=GroupTag(group, b"no key")),
                Content(os.urandom(16), 1, Text("x"), group=GroupTag(group, chain(os.urandom(16)))),
                Content(os.urandom(15), 1, Text("x"), group=GroupTag(group)),
                Content(os.urandom(16), 1, Text("x"), group=GroupTag(group), author=c.number("bob")),
                Content(os.urandom(16), 1, Read([]), group=GroupTag(group)),
                Content(os.urandom(16), 1, Sent("", b""), group=GroupTag(group)),
                Content(os.urandom(16), 1, Sent(c.number("ann"), b"")),
                Content(os.urandom(16), 1, Text("x" * 5_000), group=GroupTag(group)),
                Content(os.urandom(16), 1, GroupNews()),
            ]
            for content in lies:
                await lie(c.ann, c.number("bob"), content)
            codes = {event.code for event in await c.bob.until(Unreadable, len(lies))}
            assert codes == {"content.malformed"}
            await say(c, "ann", group, "after", "bob")
            assert said(c.bob) == ["after"]

    run(main)


def test_item_of_a_group_under_another_id_or_sender_is_shown_no_second_time(tmp_path, relay_url, posts):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay") as c:
            group = await found(c, "ann", "Dinner", "bob", "cay")
            posts.clear()
            await say(c, "ann", group, "once", "bob", "cay")
            body = posts[0][3][0]
            wrong = [
                item_of(c.number("ann"), body),
                item_of(c.number("cay"), body),
                item_of(c.number("ann"), body[:-1] + bytes([body[-1] ^ 1])),
            ]
            for item in wrong:
                await Delivery(c.bob.device._profile).take([item])
            c.bob.device._feed.look()
            codes = [event.code for event in await c.bob.until(Unreadable, 3)]
            assert codes == ["message.replayed", "session.missing", "signature.invalid"]
            again = Content(os.urandom(16), 1, Text("twice"), group=GroupTag(group))
            for _ in range(2):
                await lie(c.ann, c.number("bob"), again)
            await say(c, "ann", group, "after", "bob", "cay")
            assert said(c.bob) == ["once", "twice", "after"]
            assert not any(isinstance(event, Offline) for event in c.bob.events)

    run(main)


def test_stranger_brings_us_into_so_many_groups_and_no_more(tmp_path, relay_url, monkeypatch):
    monkeypatch.setattr(membership, "MAX_GROUPS_OF_FOUNDER", 3)

    async def main():
        async with circle(tmp_path, relay_url, "bob", "eve", "ann") as c:
            for _ in range(5):
                tag = GroupTag(os.urandom(16), b"", Roster(1, "Spam", [c.number("bob")]))
                await lie(c.eve, c.number("bob"), Content(os.urandom(16), 1, GroupNews(), group=tag))
                await c.eve.device.send_text(c.number("bob"), "next")
                await c.bob.until(MessageReceived)
            assert len(await c.bob.device.groups.known()) == 3
            await found(c, "ann", "Dinner", "bob")

    run(main)


def test_new_identity_of_a_member_ends_our_key_and_his(tmp_path, relay_url, posts):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "cay") as c:
            group = await found(c, "ann", "Dinner", "bob", "cay")
            await say(c, "ann", group, "one", "bob", "cay")
            await say(c, "bob", group, "two", "ann", "cay")
            await say(c, "cay", group, "three", "ann", "bob")
            async with c.world.device(c.number("bob"), home="stolen", replace=True) as stolen:
                await stolen.until(Ready)
                await stolen.device.send_text(c.number("ann"), "it is me")
                await c.ann.until(IdentityNews)
                assert (
                    change(c.world.folder / "ann", ("SELECT * FROM group_sender WHERE number = ?", c.number("bob")))
                    == []
                ), "his old key"
                profile, unit = c.cay.device._profile, Unit()
                async with profile.turn():
                    profile.groups.forget()
                    profile.groups.forget_number(unit, c.number("bob"))
                    known = await profile.groups.load(group)
                    assert await profile.groups.sender(known, c.number("bob"), 1) is None, "before the commit too"
                    assert known.chain.is_stale and c.number("bob") not in known.given
                posts.clear()
                await say(c, "ann", group, "four", "cay")
                assert Kind.SENDER_KEY not in {kinds[0] for _, to, kinds, _ in posts if to == c.number("cay")}

    run(main)


def test_founder_whose_new_identity_the_user_has_not_accepted_brings_nobody_in(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob", "eve", identity_policy=Policy.BLOCK) as c:
            group = await found(c, "ann", "Dinner", "bob")
            before = await c.bob.device.groups.get(group)
            roster = Roster(9, "Dinner", [c.number("bob"), c.number("eve")])
            async with c.world.device(c.number("ann"), home="stolen", replace=True) as stolen:
                await stolen.until(Ready)
                for key in (b"", chain(group)):
                    content = Content(os.urandom(16), 1, Text("it is me"), group=GroupTag(group, key, roster))
                    await lie(stolen, c.number("bob"), content)
                    await c.bob.until(MessageReceived, text="it is me")
                    assert await c.bob.device.groups.get(group) == before
                kept = ("SELECT * FROM group_sender WHERE number = ?", c.number("ann"))
                assert change(c.world.folder / "bob", kept) == []
                await c.bob.device.accept_identity(c.number("ann"))
                await lie(stolen, c.number("bob"), content)
                await c.bob.until(GroupChanged, added=[c.number("eve")])
                assert len(change(c.world.folder / "bob", kept)) == 1

    run(main)
