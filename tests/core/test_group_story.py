"""A long story of one group, made up by chance: everybody reads what was said while he was in it, and nothing else."""

import asyncio
import random

import pytest

from corefast.errors import MessageReplayed, RemoteRefused, SessionMissing
from corefast.wire.body import Text
from corefast.wire.content import GroupTag, ResendRequest
from corefast.wire.event import EventKind
from corefast.wire.messages import Kind
from tests.core.member import Member
from tests.core.test_groups import Party
from tests.core.test_receive import deliver
from tests.core.world import story

NUMBERS = [f"49171{number:07}" for number in range(4)]
STEPS = 40
MAX_LOSSES = 8
"""Fewer than a core answers in an hour."""


class Story:
    """What happens, and what everybody should have read in the end."""

    def __init__(self, world, seed):
        self.world = world
        self.chance = random.Random(seed)
        self.party = Party(world, NUMBERS)
        self.inside = set(NUMBERS)
        self.spoke = set()
        self.expected = {number: [] for number in NUMBERS}
        self.read = {number: {} for number in NUMBERS}
        self.said = []
        self.losses = self.seen = self.count = 0
        self.keys = {}

    async def tell(self):
        await self.party.found()
        self.seen = len(self.world.relay.posts)
        steps = [self.send, self.send, self.speak, self.change, self.lose, self.restart, self.fail, self.renew]
        for _ in range(STEPS):
            await self.chance.choice(steps)()
            await self.settle()

    def words(self):
        self.count += 1
        return f"message {self.count}"

    def somebody(self):
        return self.chance.choice(NUMBERS)

    async def send(self):
        if self.inside:
            text = self.words()
            await self.party.send(text)
            for number in self.inside:
                self.expected[number].append(text)

    async def speak(self):
        number, text = self.somebody(), self.words()
        member, name = self.party.members[number], self.party.name
        if number in self.spoke and self.chance.random() < 0.7:
            item = member.say(text, GroupTag(name))
        else:
            item = member.tell(text, GroupTag(name, member.key(name)))
        await deliver(self.world, item)
        if number in self.inside:
            self.spoke.add(number)
            self.said.append(text)

    async def change(self):
        number = self.somebody()
        if number in self.inside:
            await self.party.change(remove=[number])
            self.inside.remove(number)
        else:
            await self.party.change(add=[number])
            self.inside.add(number)

    async def lose(self):
        """A member loses the keys of the others; it asks for what it cannot read."""
        if self.losses < MAX_LOSSES:
            self.losses += 1
            self.party.members[self.somebody()].receivers.clear()

    async def restart(self):
        await self.world.restart()
        await self.world.attached()

    async def fail(self):
        mend = self.world.break_commits()
        with pytest.raises(RemoteRefused):
            await self.party.send("never")
        mend()

    async def renew(self):
        """A member registers anew, and the business hears of it."""
        stock, number = self.world.relay.registers[-1].prekeys, self.somebody()
        if len(stock.one_time) < 2 or len(stock.one_time_kem) < 2:
            return
        fresh = Member(number)
        fresh.meet(self.world.relay.bundle_of_business())
        stock.one_time.pop()
        stock.one_time_kem.pop()
        self.party.members[number] = fresh
        self.world.relay.replace(fresh)
        self.spoke.discard(number)
        await deliver(self.world, fresh.write("it is me"))

    async def settle(self):
        """Let everybody read until nothing is under way."""
        business, relay = self.world.business, self.world.relay
        quiet = 0
        while quiet < 20:
            posts, self.seen = relay.posts[self.seen :], len(relay.posts)
            for post in posts:
                await self.take(post)
            is_busy = posts or business.lanes.queued or business.resender._tasks
            quiet = 0 if is_busy else quiet + 1
            await asyncio.sleep(0)

    async def take(self, post):
        if post.devices_version != self.world.relay.versions[post.to]:
            return  # the relay has refused it
        number, [part] = post.to, post.parts
        if part.kind == Kind.SENDER_KEY:
            assert self.keys.setdefault(part.body[:40], part.body) == part.body
        try:
            content = self.party.members[number].take(part)
        except (SessionMissing, MessageReplayed, ValueError):
            await deliver(self.world, self.party.members[number].write(ResendRequest([post.id])))
            return
        if isinstance(content.body, Text):
            self.read[number][content.id] = content.body.body


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_members_read_what_was_said_while_they_were_in(tmp_path, seed):
    async def main(world):
        told = Story(world, seed)
        await told.tell()
        for number in NUMBERS:
            assert sorted(told.read[number].values()) == sorted(told.expected[number]), number
        heard = [event.text for event in await world.events(len(told.said), EventKind.MESSAGE) if event.group]
        assert heard == told.said[: len(heard)] and told.count > 10

    story(main, tmp_path)
