"""Founds groups and changes them: the roster is ours alone, and every change of it is told in its commit."""

import asyncio
from collections.abc import Callable
from typing import Any

from corefast.address import canonical_number
from corefast.core.context import Context
from corefast.core.group.broadcast import Broadcast
from corefast.core.ids import group_id, parse_group
from corefast.core.task import end
from corefast.endpoint.group import LAST_REVISION, Group
from corefast.errors import (
    CorefastError,
    GroupInvalid,
    GroupNotJoined,
    GroupNotOurs,
    ParameterInvalid,
    ParameterMissing,
)
from corefast.limits import MAX_GROUP_MEMBERS, MAX_GROUPS, MAX_SUBJECT_CHARACTERS
from corefast.logs import get_logger
from corefast.store.database import Unit
from corefast.wire.content import Roster
from corefast.wire.group import ChangeGroup, GetGroup, GroupList, GroupView, ListGroups, NewGroup

log = get_logger()

_NAME_BYTES = 16
_RETRY_S = 60.0


class Founding:
    """Serves what fronts ask of groups, and lets go of members that leave."""

    def __init__(self, context: Context, broadcast: Broadcast) -> None:
        self._context = context
        self._broadcast = broadcast
        self._leaving: asyncio.Task[None] | None = None
        self._has_more_leaves = False
        self._timer: asyncio.TimerHandle | None = None

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {ListGroups: self.list_all, GetGroup: self.get, NewGroup: self.found, ChangeGroup: self.change}

    async def list_all(self, request: ListGroups) -> GroupList:
        """Return the groups that we are in, the oldest first."""
        groups = self._context.groups
        ours = [name for name in groups.names() if (group := groups.get(name)) and group.has(self._context.number)]
        return GroupList([group_id(name) for name in sorted(ours, key=groups.made_ms)])

    async def get(self, request: GetGroup) -> GroupView:
        return self._view(self._broadcast.joined(parse_group(request.id)))

    async def found(self, request: NewGroup) -> GroupView:
        """Found a group and tell its members."""
        context = self._context
        roster = Roster(1, _subject(request.subject), self._members(request.members))
        if context.groups.count(context.number) >= MAX_GROUPS:
            raise GroupInvalid(f"this account has {MAX_GROUPS} groups already")
        group = Group(context.random(_NAME_BYTES), context.number, roster)
        async with self._broadcast.turn(group.id):
            await self._tell(group, roster.members, context.clock())
        return self._view(group)

    async def change(self, request: ChangeGroup) -> GroupView:
        """Give the group another subject or other members, and tell everybody whom it concerns."""
        name = self._ours(parse_group(request.id)).id
        async with self._broadcast.turn(name):
            group = self._ours(name)
            leaving = _numbers(request.remove)
            if strangers := [each for each in leaving if each not in group.roster.members]:
                raise GroupNotJoined(f"{len(strangers)} of the numbers are not in the group")
            members = [each for each in group.roster.members if each not in leaving]
            members = self._members([*members, *request.add])
            subject = group.roster.subject if request.subject is None else _subject(request.subject)
            group = await self._change(group, subject, members)
        return self._view(group)

    # ── members that leave ─────────────────────────────────────────────────────────────────────────────────────────

    def wake(self) -> None:
        """Let go of those who have left, unless that is being done."""
        self._has_more_leaves = True
        if self._leaving is None:
            self._leaving = asyncio.get_running_loop().create_task(self._let_go())

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._leaving is not None:
            await end(self._leaving)

    async def _let_go(self) -> None:
        try:
            while self._has_more_leaves:
                self._has_more_leaves = False
                for name, number in await self._context.groups.store.load_leaves():
                    await self._let_go_of(name, number)
        except CorefastError as error:
            log.warning("who left a group could not be let go", code=error.code)
            self._timer = asyncio.get_running_loop().call_later(_RETRY_S, self.wake)
        except Exception:
            log.exception("who left a group could not be let go")
        finally:
            self._leaving = None

    async def _let_go_of(self, name: bytes, number: str) -> None:
        async with self._broadcast.turn(name):
            group = self._context.groups.get(name)
            if group is None or number not in group.roster.members:
                unit = Unit()
                self._context.groups.store.delete_leave(unit, name, number)
                await self._context.database.commit(unit)
                return
            members = [each for each in group.roster.members if each != number]
            await self._change(group, group.roster.subject, members)

    # ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _change(self, group: Group, subject: str, members: list[str]) -> Group:
        """Make it so and tell everybody concerned; the caller has the turn."""
        old = group.roster
        if (subject, members) == (old.subject, old.members):
            return group
        if old.revision >= LAST_REVISION:
            raise GroupInvalid("the group was changed too often; found another one")
        left = [each for each in group.gone if each in members]
        changed = Group(group.id, group.founder, Roster(old.revision + 1, subject, members), left)
        gone = [each for each in old.members if each not in members]
        if gone:
            self._context.groups.end_chain(group.id)
        await self._tell(changed, [*members, *gone], self._context.groups.made_ms(group.id))
        return changed

    async def _tell(self, group: Group, numbers: list[str], made_ms: int) -> None:
        groups, members = self._context.groups, set(group.roster.members)

        def also(unit: Unit, at_ms: int) -> None:
            groups.store.put(unit, group, made_ms)
            for number in numbers:
                if number not in members:
                    groups.store.delete_leave(unit, group.id, number)

        await self._broadcast.tell(group, numbers, also, lambda: groups.keep(group, made_ms))

    def _ours(self, name: bytes | None) -> Group:
        group = self._broadcast.joined(name)
        if group.founder != self._context.number:
            raise GroupNotOurs("somebody else founded this group; only he changes it")
        return group

    def _members(self, numbers: list[str]) -> list[str]:
        """Return the canonical numbers, each once; raise `NumberInvalid` or `GroupInvalid`."""
        members = list(dict.fromkeys(_numbers(numbers)))
        if self._context.number in members:
            raise GroupInvalid("this account founds the group and is no other member of it")
        if len(members) > MAX_GROUP_MEMBERS:
            raise GroupInvalid(f"a group has at most {MAX_GROUP_MEMBERS} members besides its founder")
        return members

    def _view(self, group: Group) -> GroupView:
        everybody = group.others("")
        made_ms = self._context.groups.made_ms(group.id)
        return GroupView(group_id(group.id), made_ms, group.founder, group.roster.subject, everybody)


def _numbers(texts: list[str]) -> list[str]:
    """Return the canonical numbers; raise `GroupInvalid` for more than could be meant, before any is looked at."""
    if len(texts) > 2 * MAX_GROUP_MEMBERS:
        raise GroupInvalid(f"a group has at most {MAX_GROUP_MEMBERS} members besides its founder")
    return [canonical_number(each) for each in texts]


def _subject(text: str) -> str:
    if not text.strip():
        raise ParameterMissing("`subject` is missing or empty")
    if len(text) > MAX_SUBJECT_CHARACTERS or not text.isprintable():
        raise ParameterInvalid(f"`subject` has at most {MAX_SUBJECT_CHARACTERS} printable characters")
    return text
