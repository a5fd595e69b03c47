"""The groups of a phone: found one, say something in it, add, remove and rename, leave.

    group = await device.groups.found("Dinner", ["+49 30 23125000", "+49 171 3920001"])
    await device.send_text(group.id, "at eight?")

What is done here is one commit with the messages that tell it to the others. Only a founder changes a group.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from corefast.address import canonical_number
from corefast.device.draft import draft
from corefast.device.event import MessageReceived, MessageSent
from corefast.device.group import KnownGroup
from corefast.device.name import ID_BYTES
from corefast.device.profile import Profile
from corefast.device.receiving import message_of, message_sent
from corefast.device.sending import Sending
from corefast.device.siblings import Siblings
from corefast.device.store.outbox import OutboxRow
from corefast.endpoint.group import Group, derive_post_id
from corefast.errors import GroupInvalid, GroupMissing, GroupNotJoined, GroupNotOurs, ParameterInvalid
from corefast.limits import MAX_GROUP_MEMBERS, MAX_GROUPS, MAX_SUBJECT_CHARACTERS
from corefast.store.database import Unit
from corefast.wire.body import Saying
from corefast.wire.content import GroupLeave, GroupNews, GroupTag, Medium, Roster


class Accept(Protocol):
    """Commits messages with what else is in the unit, and sends them."""

    async def __call__(self, unit: Unit, rows: list[OutboxRow], *, has_encrypted: bool = False) -> None: ...


class GroupView(msgspec.Struct, frozen=True):
    """A group as its members see it: *members* are the numbers of all who are in it, the founder first."""

    id: bytes
    subject: str
    founder: str
    members: list[str]
    is_member: bool
    """Whether we are in it."""


class Groups:
    """One phone's groups. Numbers are taken in any form, and are digits without a plus in what is returned."""

    def __init__(self, profile: Profile, siblings: Siblings, sending: Sending, accept: Accept) -> None:
        self._profile = profile
        self._siblings = siblings
        self._sending = sending
        self._accept = accept

    async def known(self) -> list[GroupView]:
        """Return all groups by their subjects; those that we are in no more are last."""
        views = [self._view(group) for group in await self._profile.groups.store.all()]
        return sorted(views, key=lambda view: (not view.is_member, view.subject, view.id))

    async def get(self, group_id: bytes) -> GroupView:
        """Return one group; raise `GroupMissing`."""
        group = await self._profile.groups.store.load(group_id)
        if group is None:
            raise GroupMissing("there is no such group")
        return self._view(group)

    async def found(self, subject: str, members: Iterable[str], group_id: bytes | None = None) -> GroupView:
        """Found a group with *members* beside us, and tell them.

        A *group_id* (16 bytes) that was used before makes this a repeat. Raises `GroupInvalid`, `NumberInvalid`,
        `Overloaded`.
        """
        if group_id is not None and len(group_id) != ID_BYTES:
            raise ParameterInvalid(f"the id of a group has {ID_BYTES} bytes")
        group_id = group_id or self._profile.random(ID_BYTES)
        roster = Roster(1, _subject(subject), self._numbers(members))
        if not roster.members:
            raise GroupInvalid("a group has one more member at least")
        async with self._profile.turn():
            known = await self._profile.groups.load(group_id)
            if known.group is None:
                everybodys, _ = await self._profile.groups.store.count("")
                if everybodys >= MAX_GROUPS:
                    raise GroupInvalid(f"a phone keeps {MAX_GROUPS} groups")
                await self._change(known, Group(group_id, self._own, roster))
        return await self.get(group_id)

    async def add(self, group_id: bytes, members: Iterable[str]) -> GroupView:
        """Add members to a group of ours; raises what `found` does, `GroupMissing`, `GroupNotOurs`."""
        numbers = self._numbers(members)
        return await self._revise(group_id, lambda old: [*old, *(each for each in numbers if each not in old)])

    async def remove(self, group_id: bytes, members: Iterable[str]) -> GroupView:
        """Remove members from a group of ours: they read nothing that is said from now on."""
        numbers = self._numbers(members)
        return await self._revise(group_id, lambda old: [each for each in old if each not in numbers])

    async def rename(self, group_id: bytes, subject: str) -> GroupView:
        """Call a group of ours otherwise."""
        return await self._revise(group_id, lambda old: old, _subject(subject))

    async def leave(self, group_id: bytes) -> GroupView:
        """Leave a group and tell its members; a group that its founder has left stays as it is."""
        profile = self._profile
        self._sending.check_room(MAX_GROUP_MEMBERS + 1)
        async with profile.turn():
            known = await profile.groups.load(group_id)
            others = _group_of(known).others(self._own)
            if known.has(self._own):
                unit = Unit()
                rows = self._rows(known.id, draft(profile, "", GroupLeave(), group=GroupTag(group_id)), others)
                known.lose(self._own)
                profile.groups.save(unit, known)
                await self._accept(unit, rows)
        return await self.get(group_id)

    async def say(
        self,
        group_id: bytes,
        body: Saying,
        *,
        reply_to: bytes | None = None,
        media: Medium | None = None,
        message_id: bytes | None = None,
    ) -> bytes:
        """Accept a message for all members and return its id; see `Device.send`."""
        profile = self._profile
        tag = GroupTag(group_id)
        row = draft(profile, "", body, message_id=message_id, reply_to=reply_to, media=media, group=tag)
        group = await profile.groups.store.load(group_id)
        others = _members(group, self._own).others(self._own)
        if not others:
            raise GroupInvalid("nobody else is in this group")
        self._sending.check_room(len(others) + 1)
        if await profile.outbox.status(row.id) is None:
            async with profile.turn():
                known = await profile.groups.load(group_id)
                unit = Unit()
                rows = self._rows(group_id, row, _members(known.group, self._own).others(self._own))
                if (cipher := known.encrypt(row.content, profile.random)) is not None:
                    profile.outbox.put_cipher(unit, row.id, cipher)
                    rows = [each._replace(cipher=cipher) if each.said else each for each in rows]
                profile.groups.save(unit, known)
                await self._accept(unit, rows, has_encrypted=cipher is not None)
        return row.id

    async def message(self, group_id: bytes, message_id: bytes) -> MessageReceived | MessageSent | None:
        """Return what was said in a group under this id; see `Device.message`."""
        profile = self._profile
        if (sent := await profile.outbox.find_said(group_id, message_id)) is not None:
            return message_sent(sent, profile.account.device)
        row = await profile.inbox.find_said(group_id, message_id)
        return message_of(row) if row is not None else None

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def settle(self, ids: Iterable[bytes]) -> None:
        """Tell the members of groups of ours who has left them."""
        for group_id in ids:
            async with self._profile.turn():
                known = await self._profile.groups.load(group_id)
                if known.group is not None and known.group.gone and known.has(self._own):
                    await self._change(known, _revised(known.group, lambda old: old))

    async def settle_all(self) -> None:
        """Settle what was not settled when it happened."""
        groups = await self._profile.groups.store.all(self._own)
        await self.settle([group.id for group in groups if group.gone])

    async def introduce(self, devices: Sequence[int]) -> None:
        """Have the first device tell others of our number, which have not heard of them yet, of our groups."""
        profile = self._profile
        if profile.account.device != 1:
            return
        new = set(devices) - await profile.groups.store.introduced() - {1}
        if not new:
            return
        unit = Unit()
        rows = []
        for group in await profile.groups.store.all():
            if group.has(self._own):
                rows += self._news_copy(group)
        for device in new:
            profile.groups.store.set_introduced(unit, device)
        await self._accept(unit, rows)

    @property
    def _own(self) -> str:
        return self._profile.account.number

    def _view(self, group: Group) -> GroupView:
        members = group.others("")
        return GroupView(group.id, group.roster.subject, group.founder, members, group.has(self._own))

    def _numbers(self, numbers: Iterable[str]) -> list[str]:
        found = list(dict.fromkeys(canonical_number(each) for each in numbers))
        if self._own in found:
            raise GroupInvalid("a founder is in his group without being said")
        return found

    async def _revise(
        self, group_id: bytes, members: Callable[[list[str]], list[str]], subject: str | None = None
    ) -> GroupView:
        """Change a group of ours, where that is a change."""
        founder = (await self.get(group_id)).founder
        if founder != self._own:
            raise GroupNotOurs("only the founder of a group changes it")
        async with self._profile.turn():
            known = await self._profile.groups.load(group_id)
            old = _members(known.group, self._own)
            new = _revised(old, members, subject)
            if (new.roster.members, new.roster.subject) != (old.roster.members, old.roster.subject):
                await self._change(known, new)
        return await self.get(group_id)

    async def _change(self, known: KnownGroup, group: Group) -> None:
        """Commit *group* with the news for everybody whom it concerns; the caller has the turn."""
        profile = self._profile
        if len(group.roster.members) > MAX_GROUP_MEMBERS:
            raise GroupInvalid(f"a group has at most {MAX_GROUP_MEMBERS} members beside its founder")
        concerned = set(group.others(self._own))
        if known.group is not None:
            concerned.update(known.group.others(self._own))
        self._sending.check_room(len(concerned) + 1)
        known.become(group, self._own)
        unit = Unit()
        news = draft(profile, "", GroupNews(), group=GroupTag(group.id))
        rows = self._posts(group.id, news, sorted(concerned)) + self._news_copy(group)
        profile.groups.save(unit, known)
        await self._accept(unit, rows)

    def _rows(self, group_id: bytes, row: OutboxRow, recipients: Iterable[str]) -> list[OutboxRow]:
        """Return *row* for each of *recipients*, and for our other devices."""
        return [*self._posts(group_id, row, recipients), *self._siblings.copies(row.id, row.at_ms, "", row.content)]

    def _posts(self, group_id: bytes, row: OutboxRow, recipients: Iterable[str]) -> list[OutboxRow]:
        return [
            row._replace(id=derive_post_id(row.id, number), recipient=number, said=row.id, group=group_id)
            for number in recipients
        ]

    def _news_copy(self, group: Group) -> list[OutboxRow]:
        """Return the roster for our other devices, without those who left since it was made."""
        here = [each for each in group.roster.members if each not in group.gone]
        tag = GroupTag(group.id, b"", msgspec.structs.replace(group.roster, members=here))
        news = draft(self._profile, group.founder, GroupNews(), group=tag)
        return self._siblings.copies(news.id, news.at_ms, news.recipient, news.content)


def _group_of(known: KnownGroup) -> Group:
    if known.group is None:
        raise GroupMissing("there is no such group")
    return known.group


def _members(group: Group | None, own_number: str) -> Group:
    """Return the group; raise unless we are in it."""
    if group is None:
        raise GroupMissing("there is no such group")
    if not group.has(own_number):
        raise GroupNotJoined("you are not in this group any more")
    return group


def _revised(group: Group, members: Callable[[list[str]], list[str]], subject: str | None = None) -> Group:
    roster = group.roster
    here = [each for each in roster.members if each not in group.gone]
    subject = roster.subject if subject is None else subject
    return Group(group.id, group.founder, Roster(roster.revision + 1, subject, members(here)))


def _subject(subject: str) -> str:
    subject = subject.strip()
    if not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
        raise GroupInvalid(f"the subject of a group has 1 to {MAX_SUBJECT_CHARACTERS} characters")
    if not subject.isprintable():
        raise GroupInvalid("the subject of a group is one line")
    return subject
