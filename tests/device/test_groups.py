"""Groups of phones at a real relay: each member reads what was said once, and nobody else reads it."""

from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from corefast.device import GroupChanged, MessageReceived, MessageSent, Ready, StatusChanged, Unreadable
from corefast.device.sending import Sending
from corefast.wire.messages import Kind
from tests.device.test_linking import linked
from tests.device.world import World, run


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
            await say(c, "bob", group, "before", "ann", "cay")
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

    run(main)
