"""What a peer and we have of each other's chains: given, forgotten, ended. In a unit and in the peer's lane at once."""

import msgspec

from corefast.core.context import Context
from corefast.core.group.book import Chain
from corefast.core.send.lane import Lane
from corefast.core.store.groups import Given, Ties
from corefast.endpoint.group import Group
from corefast.endpoint.resend import identity_mark
from corefast.store.database import Unit
from corefast.wire.content import Content, GroupNews, GroupTag


def address(
    context: Context, unit: Unit, lane: Lane, content: Content, letter: tuple[Group | None, Chain | None]
) -> Content:
    """Return *content* of a group as it goes to a peer in a session: to a member with our key and the roster.

    *letter*: the group and our chain, each where there is one. The roster goes out where we are the founder, also to
    one who is not in it any more, with the news of that.
    """
    assert content.group is not None
    group, chain = letter
    tag = GroupTag(content.group.id)
    if group is not None and group.has(context.number):
        roster = group.roster if group.founder == context.number else None
        if group.has(lane.number):
            key = b"" if chain is None else chain.sender.distribution()
            if chain is not None:
                _give(context, unit, lane, group.id, chain.serial)
            tag = GroupTag(group.id, key, roster)
        elif isinstance(content.body, GroupNews):
            tag = GroupTag(group.id, b"", roster)
    return msgspec.structs.replace(content, group=tag)


def has_chain(lane: Lane, name: bytes, serial: int) -> bool:
    """Tell whether every device of the peer was given that chain of ours."""
    return lane.ties is not None and lane.ties.given.get(name) == _given(lane, serial)


def is_other(lane: Lane, name: bytes) -> bool:
    """Tell whether the peer that was given our chain had another identity key than the one of today."""
    given = None if lane.ties is None else lane.ties.given.get(name)
    return given is not None and given.identity != identity_mark(lane.identity or b"")


def forget_given(context: Context, unit: Unit, lane: Lane) -> None:
    """Note that the peer may lack what we gave it."""
    if lane.ties is not None and lane.ties.given:
        lane.ties.given.clear()
        context.groups.store.forget_given(unit, lane.peer)


def forget_ties(context: Context, unit: Unit, lane: Lane) -> None:
    """Note that the peer is somebody else: what it had of us ends, and what we had of it."""
    if lane.ties is not None:
        for name in lane.ties.given:
            context.groups.outdate(unit, name)
        context.groups.store.forget_ties(unit, lane.peer)
        lane.ties = None


def forget_devices(context: Context, unit: Unit, lane: Lane, gone: set[int]) -> None:
    """Note that these devices are none of the peer's any more: our chains that they have end, and theirs."""
    if lane.ties is None or not gone:
        return
    for name in lane.ties.given:
        context.groups.outdate(unit, name)
    forget_given(context, unit, lane)
    for device, name in [each for each in lane.ties.receivers if each[0] in gone]:
        del lane.ties.receivers[device, name]
        context.groups.store.forget_receiver(unit, lane.peer, device, name)


def _give(context: Context, unit: Unit, lane: Lane, name: bytes, serial: int) -> None:
    given = _given(lane, serial)
    if lane.ties is None:
        lane.ties = Ties()
    if lane.ties.given.get(name) != given:
        lane.ties.given[name] = given
        context.groups.store.put_given(unit, lane.peer, name, given)


def _given(lane: Lane, serial: int) -> Given:
    return Given(serial, lane.devices_version, identity_mark(lane.identity or b""))
