"""What received messages mean for groups: rosters, keys, what members say. Grows beside a unit, as `Batch` does."""

import msgspec

from corefast.core.context import Context
from corefast.core.group.ties import forget_given
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
from corefast.errors import ContentMalformed, SessionMissing, SnapshotInvalid
from corefast.limits import MAX_GROUPS, MAX_GROUPS_OF_FOUNDER
from corefast.store.database import Unit
from corefast.wire.body import Saying
from corefast.wire.content import Content, GroupLeave, GroupNews, GroupTag, decode_content
from corefast.wire.messages import Item

_ID_BYTES = 16


class Intake:
    """`lanes`: those whose ties have moved. `undo` where the unit failed."""

    def __init__(self, context: Context, unit: Unit, lanes: set[Lane]) -> None:
        self._context = context
        self._unit = unit
        self._lanes = lanes
        self._heard: set[tuple[Lane, int, bytes]] = set()
        self._changed: set[bytes] = set()
        self.has_leaves = False
        """Somebody left a group of ours."""

    def hear(self, lane: Lane, item: Item) -> Content:
        """Return what an item under a sender key says; on any error, a `PeerError`, nothing is changed."""
        name, device = distribution_id_of(item.body), item.sender.device
        check_member(self._context.groups.get(name), lane.number, self._context.number)
        receiver = _receiver(lane, device, name)
        if receiver is None:
            raise SessionMissing("the sender has given us no key for this group")
        content = decode_content(receiver.decrypt(item.body))
        check_said(content, lane.number, name)
        if not isinstance(content.body, Saying) or content.resent is not None:
            raise ContentMalformed("only what is said in a group comes under a sender key")
        _check_id(content)
        self._keep(lane, device, receiver, name)
        return content

    def take(self, lane: Lane, device: int, content: Content) -> Content:
        """Take what a content of a session with a member says of its group; return it without key and roster.

        Raises `GroupUnknown` where the group is none of both, `ContentMalformed`.
        """
        tag, groups = content.group, self._context.groups
        if tag is None:
            if isinstance(content.body, GroupNews | GroupLeave):
                raise ContentMalformed("there is no group with the news of one")
            return content
        _check_id(content)
        self._take_roster(lane, tag)
        group = groups.get(tag.id)
        is_theirs = group is not None and group.has(lane.number)
        if tag.key and is_theirs:
            self._join(lane, device, tag)
        if isinstance(content.body, GroupLeave) and group is not None and is_theirs:
            self._leave(lane, group)
        if isinstance(content.body, Saying):
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

    def undo(self) -> None:
        for name in self._changed:
            self._context.groups.doubt(name)

    def _take_roster(self, lane: Lane, tag: GroupTag) -> None:
        context, groups = self._context, self._context.groups
        before = groups.get(tag.id)
        after = take_roster(before, tag, lane.number, context.number)
        is_full = len(groups) >= MAX_GROUPS or groups.count(lane.number) >= MAX_GROUPS_OF_FOUNDER
        if after is None or before is None and is_full:
            return
        self._changed.add(tag.id)
        groups.put(self._unit, after, context.clock())
        if before is not None and not set(before.others("")) <= set(after.others("")):
            groups.outdate(self._unit, tag.id)

    def _join(self, lane: Lane, device: int, tag: GroupTag) -> None:
        distribution = Distribution.parse(tag.key)
        if distribution.distribution_id != tag.id:
            raise ContentMalformed("a sender key is of another group than its message")
        receiver = _receiver(lane, device, tag.id) or GroupReceiver(tag.id)
        receiver.join(distribution)
        self._keep(lane, device, receiver, tag.id)

    def _leave(self, lane: Lane, group: Group) -> None:
        if group.founder == self._context.number:
            self._context.groups.store.put_leave(self._unit, group.id, lane.number)
            self.has_leaves = True

    def _keep(self, lane: Lane, device: int, receiver: GroupReceiver, name: bytes) -> None:
        if lane.ties is None:
            lane.ties = Ties()
        lane.ties.receivers[device, name] = receiver.snapshot()
        self._heard.add((lane, device, name))
        self._lanes.add(lane)


def _receiver(lane: Lane, device: int, name: bytes) -> GroupReceiver | None:
    snapshot = None if lane.ties is None else lane.ties.receivers.get((device, name))
    try:
        return None if snapshot is None else GroupReceiver.restore(snapshot)
    except SnapshotInvalid:
        return None


def _check_id(content: Content) -> None:
    if len(content.id) != _ID_BYTES:
        raise ContentMalformed("the id of a group's message has 16 bytes")
