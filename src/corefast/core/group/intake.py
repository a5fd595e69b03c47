"""What received messages mean for groups: rosters, keys, what members say. Grows beside a unit, as `Batch` does."""

import msgspec

from corefast.core.context import Context
from corefast.core.group.ties import forget_given
from corefast.core.identity import is_barred
from corefast.core.send.lane import Lane
from corefast.core.store.groups import Ties
from corefast.endpoint.group import (
    Distribution,
    Group,
    GroupReceiver,
    check_member,
    check_said,
    distribution_id_of,
    take_roster,
)
from corefast.errors import SessionMissing, SnapshotInvalid
from corefast.limits import MAX_GROUPS, MAX_GROUPS_OF_FOUNDER
from corefast.store.database import Unit
from corefast.wire.content import Content, GroupLeave, GroupNews, GroupTag, read_content
from corefast.wire.messages import Item

MAX_RECEIVER_BYTES = 4_194_304
"""Of one peer's sender keys, in all groups and of all its devices. What gives way is asked for when it is missed."""


class Intake:
    """`lanes`: those whose ties have moved. `done` after the commit of the unit, `undo` where it failed."""

    def __init__(self, context: Context, unit: Unit, lanes: set[Lane]) -> None:
        self._context = context
        self._unit = unit
        self._lanes = lanes
        self._heard: set[tuple[Lane, int, bytes]] = set()
        self._changed: dict[bytes, Group] = {}
        self.has_leaves = False
        """Somebody left a group of ours."""

    def hear(self, lane: Lane, item: Item) -> Content:
        """Return what an item under a sender key says; on any error, a `PeerError`, nothing is changed."""
        name, device = distribution_id_of(item.body), item.sender.device
        check_member(self._context.groups.get(name), lane.number, self._context.number)
        receiver = _receiver(lane, device, name)
        if receiver is None:
            raise SessionMissing("the sender has given us no key for this group")
        content = read_content(receiver.decrypt(item.body), lane.number)
        check_said(content, lane.number, name)
        self._keep(lane, device, receiver, name)
        return content

    def take(self, lane: Lane, device: int, content: Content, tag: GroupTag) -> Content:
        """Take what a content of a session with a member says of its group; return it without key and roster.

        Raises `GroupUnknown` where it is said in a group that one of both is not in.
        """
        groups = self._context.groups
        tag = self._take_roster(lane, tag)
        group = groups.get(tag.id)
        is_theirs = group is not None and group.has(lane.number)
        if tag.key and is_theirs:
            self._join(lane, device, tag)
        if isinstance(content.body, GroupLeave) and group is not None and is_theirs:
            self._leave(lane, group)
        if not isinstance(content.body, GroupNews | GroupLeave):
            check_member(group, lane.number, self._context.number)
        return msgspec.structs.replace(content, group=GroupTag(tag.id))

    def forget_given(self, lane: Lane) -> None:
        """Note that the peer may lack our chains."""
        forget_given(self._context, self._unit, lane)
        self._lanes.add(lane)

    def seal(self) -> None:
        """Add the receivers as they are after the last item."""
        for lane, device, name in self._heard:
            if lane.ties is not None and (snapshot := lane.ties.receivers.get((device, name))) is not None:
                self._context.groups.store.put_receiver(self._unit, lane.peer, device, name, snapshot)

    def done(self) -> None:
        """Note that the unit is committed; look again where memory says something else, be it newer or older."""
        for name, group in self._changed.items():
            if self._context.groups.get(name) != group:
                self._context.groups.doubt(name)

    def undo(self) -> None:
        for name in self._changed:
            self._context.groups.doubt(name)

    def _take_roster(self, lane: Lane, tag: GroupTag) -> GroupTag:
        """Take a roster that counts; return what of the tag counts besides.

        Under an identity key that bars its owner a roster would decide who reads us. Its key is not taken either, so
        that once the identity is acknowledged, what is missing is asked for and comes with both.
        """
        context, groups = self._context, self._context.groups
        before = groups.get(tag.id)
        after = take_roster(before, tag, lane.number, context.number)
        if after is None or before is None and not self._has_room(lane.number):
            return tag
        if is_barred(context, lane):
            return GroupTag(tag.id)
        self._put(after)
        if before is not None and not set(before.others("")) <= set(after.others("")):
            groups.outdate(self._unit, tag.id)
        return tag

    def _put(self, group: Group) -> None:
        self._changed[group.id] = group
        self._context.groups.put(self._unit, group, self._context.clock())

    def _has_room(self, founder: str) -> bool:
        """Tell whether another group of that founder is taken; what we found ourselves counts apart."""
        groups = self._context.groups
        theirs = len(groups) - groups.count(self._context.number)
        return theirs < MAX_GROUPS and groups.count(founder) < MAX_GROUPS_OF_FOUNDER

    def _join(self, lane: Lane, device: int, tag: GroupTag) -> None:
        receiver = _receiver(lane, device, tag.id) or GroupReceiver(tag.id)
        receiver.join(Distribution.parse(tag.key))
        self._keep(lane, device, receiver, tag.id)

    def _leave(self, lane: Lane, group: Group) -> None:
        groups = self._context.groups
        self._put(group.without(lane.number))
        groups.outdate(self._unit, group.id)
        if group.founder == self._context.number:
            groups.store.put_leave(self._unit, group.id, lane.number)
            self.has_leaves = True

    def _keep(self, lane: Lane, device: int, receiver: GroupReceiver, name: bytes) -> None:
        if lane.ties is None:
            lane.ties = Ties()
        receivers = lane.ties.receivers
        receivers.pop((device, name), None)
        receivers[device, name] = receiver.snapshot()
        size = sum(map(len, receivers.values()))
        while size > MAX_RECEIVER_BYTES:
            size -= len(receivers.pop(oldest := next(iter(receivers))))
            self._context.groups.store.forget_receiver(self._unit, lane.peer, *oldest)
        self._heard.add((lane, device, name))
        self._lanes.add(lane)


def _receiver(lane: Lane, device: int, name: bytes) -> GroupReceiver | None:
    snapshot = None if lane.ties is None else lane.ties.receivers.get((device, name))
    try:
        return None if snapshot is None else GroupReceiver.restore(snapshot)
    except SnapshotInvalid:
        return None
