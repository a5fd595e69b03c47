"""What people type about groups, and how news of one look in a terminal."""

from collections.abc import Awaitable, Callable

from rich.text import Text as Styled

from corefast.address import display_number
from corefast.device.client import Device
from corefast.device.event import GroupChanged
from corefast.device.groups import GroupView
from corefast.device.view import one_line
from corefast.errors import ParameterInvalid

MAX_NAMED = 8
"""Numbers that a line of news names; the others are counted."""


def label(subject: str) -> str:
    """Return what stands for a group on the screen."""
    return f"[{one_line(subject) or 'a group'}]"


def describe(event: GroupChanged, own_number: str) -> str:
    """Return news of a group as one line."""
    who, where = _name(event.author, own_number), label(event.subject)
    parts = []
    if event.added:
        parts.append(f"{who} added {_names(event.added, own_number)} to {where}")
    if event.removed:
        parts.append(f"{who} removed {_names(event.removed, own_number)} from {where}")
    if event.left:
        parts.append(f"{_names(event.left, own_number)} left {where}")
    if event.is_renamed:
        parts.append(f"{who} renamed the group to {where}")
    return "; ".join(parts)


class GroupCommands:
    """The commands that begin, list and change groups.

    *current* says whom or which group the user talks with, *enter* turns to a group.
    """

    def __init__(
        self,
        device: Device,
        show: Callable[[Styled], None],
        current: Callable[[], str | bytes],
        enter: Callable[[GroupView, str], Awaitable[None]],
    ) -> None:
        self._device = device
        self._show = show
        self._current = current
        self._enter = enter
        self.commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "/groups": self._list,
            "/group": self._turn_to,
            "/new": self._found,
            "/members": self._members,
            "/add": self._add,
            "/remove": self._remove,
            "/rename": self._rename,
            "/leave": self._leave,
        }

    async def _list(self, rest: str) -> None:
        for at, group in enumerate(await self._device.groups.known(), 1):
            about = f"{len(group.members)} members" if group.is_member else "you are not in it"
            self._show(Styled(f"{at:>2}  {label(group.subject)}  {about}"))

    async def _turn_to(self, rest: str) -> None:
        number, _, text = rest.partition(" ")
        groups = await self._device.groups.known()
        is_number = number.isascii() and number.isdecimal() and len(number) < 6
        if not is_number or not 0 < int(number) <= len(groups):
            raise ParameterInvalid("write /group and the number of a group; /groups lists them")
        await self._enter(groups[int(number) - 1], text.strip())

    async def _found(self, rest: str) -> None:
        subject, colon, numbers = rest.rpartition(":")
        if not colon:
            raise ParameterInvalid("write /new, a subject and numbers: /new Dinner: +49 30 23125000, +49 171 3920001")
        await self._enter(await self._device.groups.found(subject, _split(numbers)), "")

    async def _members(self, rest: str) -> None:
        group = await self._device.groups.get(self._group())
        for number in group.members:
            about = " (founder)" if number == group.founder else ""
            self._show(Styled(f"{display_number(number)}{about}{' (you)' if number == self._device.number else ''}"))

    async def _add(self, rest: str) -> None:
        self._tell(await self._device.groups.add(self._group(), _split(rest)))

    async def _remove(self, rest: str) -> None:
        self._tell(await self._device.groups.remove(self._group(), _split(rest)))

    async def _rename(self, rest: str) -> None:
        self._tell(await self._device.groups.rename(self._group(), rest))

    async def _leave(self, rest: str) -> None:
        group = await self._device.groups.leave(self._group())
        self._show(Styled(f"you left {label(group.subject)}", style="bold yellow"))

    def _tell(self, group: GroupView) -> None:
        self._show(Styled(f"{label(group.subject)} has {len(group.members)} members", style="dim"))

    def _group(self) -> bytes:
        current = self._current()
        if isinstance(current, str):
            raise ParameterInvalid("in which group? /group N says so, and /groups lists them")
        return current


def _split(numbers: str) -> list[str]:
    found = [each.strip() for each in numbers.split(",") if each.strip()]
    if not found:
        raise ParameterInvalid("write numbers in international form, with commas between them")
    return found


def _name(number: str, own_number: str) -> str:
    return "you" if number == own_number else display_number(number)


def _names(numbers: list[str], own_number: str) -> str:
    named = [_name(each, own_number) for each in numbers[:MAX_NAMED]]
    more = len(numbers) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
