"""What one frame of mailbox items means, gathered into one unit of work."""

from functools import partial

from corefast import metrics
from corefast.core.context import Context
from corefast.core.group.intake import Intake
from corefast.core.identity import forget_downgrade, see_downgrade, see_identity
from corefast.core.receive.media import check_medium, note_medium
from corefast.core.receive.repair import Repair
from corefast.core.send.lane import Lane
from corefast.core.send.status import EXPIRED, USER_CHANGED, Statuses
from corefast.core.store.events import Fact
from corefast.core.store.inbound import InboundKind
from corefast.endpoint.cipher import Correspondent, Opened
from corefast.endpoint.group import check_tag
from corefast.endpoint.stock import KeyKind
from corefast.endpoint.trust import Trust, identity_hash
from corefast.errors import ContentMalformed, ContentUnsupported, MessageDowngraded, PeerError
from corefast.logs import get_logger
from corefast.protocol.keys import KemKeyPair, KeyPair
from corefast.store.database import Unit
from corefast.wire.content import (
    Content,
    GroupLeave,
    GroupNews,
    Read,
    ResendRequest,
    Sent,
    Unsupported,
    encode_content,
    read_content,
)
from corefast.wire.messages import Item, Kind

log = get_logger()

MAX_DEVICE = 255
"""Devices have their number in one byte of a session's row."""


class Batch:
    """A unit that grows by items; nothing in it is done before its commit, and `undo` is for one that failed."""

    def __init__(self, context: Context, statuses: Statuses) -> None:
        self._context = context
        self._statuses = statuses
        self.unit = Unit()
        self.repair = Repair(context, self.unit)
        self.lanes: set[Lane] = set()
        """Lanes whose sessions have moved."""
        self.groups = Intake(context, self.unit, self.lanes)
        self.media: list[str] = []
        """Ids of what is to be fetched after the commit."""
        self._sessions: dict[tuple[Lane, int], Correspondent] = {}
        self._taken: list[tuple[int, KeyPair | None, int | None, KemKeyPair | None]] = []

    def add(self, lane: Lane, item: Item) -> None:
        """Add one item, whatever it holds: none is an error to the mailbox."""
        at_ms = min(item.at_ms, self._context.clock())
        if item.kind in (Kind.WHISPER, Kind.PREKEY, Kind.SENDER_KEY):
            self._add_message(lane, item, at_ms)
        else:
            self._add_status(lane, item, at_ms)

    def seal(self) -> None:
        """Add the sessions as they are after the last item."""
        for lane in self.lanes:
            devices = {device: each for (owner, device), each in self._sessions.items() if owner is lane}
            self._context.peers.put_sessions(self.unit, lane.peer, devices, lane.registration_ids)
        self.groups.seal()

    def undo(self) -> None:
        """Give back the one-time prekeys of a failed commit, and what it answered."""
        self.repair.undo()
        self.groups.undo()
        own = self._context.own
        for one_time_id, one_time, kem_id, kem in self._taken:
            if one_time is not None:
                own.one_time[one_time_id] = one_time
            if kem is not None and kem_id is not None:
                own.one_time_kem[kem_id] = kem

    def _add_status(self, lane: Lane, item: Item, at_ms: int) -> None:
        row = self._context.ids.row_of(item.id)
        if row is None:
            metrics.core_received.labels("stray").inc()
        elif item.kind == Kind.DELIVERED:
            self._statuses.delivered(self.unit, row, lane.peer, at_ms)
        elif item.kind in (Kind.EXPIRED, Kind.FAILED):
            code = EXPIRED if item.kind == Kind.EXPIRED else USER_CHANGED
            self._statuses.ended(self.unit, row, lane.peer, at_ms, code)
            self.groups.forget_given(lane)  # our key may have been in it
        else:
            metrics.core_received.labels("stray").inc()

    def _add_message(self, lane: Lane, item: Item, at_ms: int) -> None:
        if lane.is_new:
            self._put_peer(lane)
        try:
            read = self._read(lane, item)
        except Exception as error:
            if not isinstance(error, PeerError):
                log.exception("a message could not be taken in")
            if isinstance(error, MessageDowngraded) and see_downgrade(self._context, self.unit, lane):
                self._put_peer(lane)
            if self.repair.is_known_loss(lane, item, error):
                self._put_mark(lane, item, at_ms)
            else:
                self._put_unreadable(lane, item, at_ms, error)
            return
        self._put_content(lane, item, at_ms, read)

    def _read(self, lane: Lane, item: Item) -> tuple[Content, bytes]:
        """Return an item's content, and the plaintext to be stored; raise a `PeerError`."""
        device = item.sender.device
        if not 0 < device <= MAX_DEVICE:
            raise ContentMalformed("a device number is out of range")
        if item.kind == Kind.SENDER_KEY:
            content = self.groups.hear(lane, item)
            check_medium(content)
            return content, encode_content(content)
        plaintext = self._decrypt(lane, item)
        content = read_content(plaintext, item.sender.id)
        if isinstance(content.body, Sent):
            raise ContentMalformed("a message is for another device of its author")
        check_tag(content, item.sender.id, item.id)
        check_medium(content)
        if content.group is None:
            return content, plaintext
        content = self.groups.take(lane, device, content, content.group)
        return content, encode_content(content)

    def _decrypt(self, lane: Lane, item: Item) -> bytes:
        device = item.sender.device
        correspondent = lane.devices.get(device) or Correspondent.new()
        context = self._context
        admit = partial(read_content, sender=item.sender.id)
        pin = lane.standing.pin
        opened = correspondent.decrypt(context.own, item.kind, item.body, context.random, pin, admit=admit)
        self._take_prekeys(opened)
        self._take_identity(lane, correspondent)
        if lane.standing.is_downgraded:
            forget_downgrade(lane)
            self._put_peer(lane)
        lane.devices[device] = correspondent
        self._sessions[lane, device] = correspondent
        self.lanes.add(lane)
        return opened.plaintext

    def _take_prekeys(self, opened: Opened) -> None:
        """Consume one-time prekeys at once, so that no second message can name them."""
        keys, own = self._context.keys, self._context.own
        one_time = kem = None
        if opened.used_one_time is not None:
            one_time = own.one_time.pop(opened.used_one_time, None)
            keys.take(self.unit, KeyKind.ONE_TIME, opened.used_one_time)
        if opened.used_one_time_kem is not None:
            kem = own.one_time_kem.pop(opened.used_one_time_kem, None)
            keys.take(self.unit, KeyKind.ONE_TIME_KEM, opened.used_one_time_kem)
        if one_time is not None or kem is not None:
            self._taken.append((opened.used_one_time or 0, one_time, opened.used_one_time_kem, kem))

    def _take_identity(self, lane: Lane, correspondent: Correspondent) -> None:
        """Take a new identity key: what comes under it is read, whatever the policy says of what leaves."""
        seen = correspondent.their_identity
        assert seen is not None
        trust = see_identity(self._context, self.unit, lane, seen)
        if trust is Trust.SAME:
            return
        if trust is Trust.CHANGED:
            for owner, other in list(self._sessions):
                if owner is lane:
                    del self._sessions[owner, other]
        self._put_peer(lane)

    def _put_content(self, lane: Lane, item: Item, at_ms: int, read: tuple[Content, bytes]) -> None:
        content, plaintext = read
        body = content.body
        if content.resent is not None:
            self._put_resent(lane, item, at_ms, read)
        elif isinstance(body, Read):
            self._put_mark(lane, item, at_ms)
            self._put_read(lane, body, at_ms)
        elif isinstance(body, ResendRequest):
            self._put_mark(lane, item, at_ms)
            self.repair.owe(lane, item.sender.device, body)
            self.groups.forget_given(lane)
            metrics.core_received.labels("resend_request").inc()
        elif isinstance(body, GroupNews | GroupLeave):
            self._put_mark(lane, item, at_ms)
        elif isinstance(body, Unsupported):
            self._put_unreadable(lane, item, at_ms, ContentUnsupported(body.kind))
        else:
            self._put_message(lane, item, at_ms, read)

    def _put_message(self, lane: Lane, item: Item, at_ms: int, read: tuple[Content, bytes]) -> None:
        context = self._context
        content, plaintext = read
        row = context.next_inbound.take()
        kind = self._note_medium(lane, row, content)
        context.inbound.put(self.unit, row, lane.peer, kind, (item.id, at_ms, plaintext), _flag(lane))
        self._tell(lane, row, at_ms, content)

    def _tell(self, lane: Lane, row: int, at_ms: int, content: Content) -> None:
        """Add the event of a message that *row* holds; what a member has said in a group is told once."""
        context, tag = self._context, content.group
        if tag is None:
            context.events.put(self.unit, Fact.MESSAGE, at_ms, lane.peer, row)
        else:
            context.said.take_said(self.unit, lane.peer, tag.id, content.id, row)
            context.events.put_said(self.unit, at_ms, row)
        metrics.core_received.labels("message").inc()

    def _note_medium(self, lane: Lane, row: int, content: Content) -> InboundKind:
        """Return how the message that has *row* is stored."""
        kind, media_id = note_medium(self._context, self.unit, (lane.peer, row), content)
        if media_id is not None:
            self.media.append(media_id)
        return kind

    def _put_read(self, lane: Lane, body: Read, at_ms: int) -> None:
        for message_id in dict.fromkeys(body.ids):
            message = self._context.ids.row_of(message_id)
            if message is not None:
                self._statuses.read(self.unit, message, lane.peer, at_ms)
            elif (said := self._context.ids.said_of(message_id)) is not None:
                self._statuses.read_part(self.unit, said, lane.peer, at_ms)
        metrics.core_received.labels("read").inc()

    def _put_mark(self, lane: Lane, item: Item, at_ms: int) -> None:
        """Remember an item that shows nothing: it may be delivered once more."""
        row = self._context.next_inbound.take()
        self._context.inbound.put(self.unit, row, lane.peer, InboundKind.READ, (item.id, at_ms, None))

    def _put_resent(self, lane: Lane, item: Item, at_ms: int, read: tuple[Content, bytes]) -> None:
        """Put a message that came once more in the place of its record, where we asked for it."""
        content, plaintext = read
        self._put_mark(lane, item, at_ms)
        assert content.resent is not None
        body = content.body
        if isinstance(body, ResendRequest | GroupNews | GroupLeave):
            return
        ask = self.repair.answer(lane, content.resent)
        if ask is None:
            return
        if isinstance(body, Read):
            self._put_read(lane, body, at_ms)
            self.repair.put_nothing(ask)
        elif not isinstance(body, Unsupported):  # a record of such a one says what it says already
            kind = self._note_medium(lane, ask.row, content)
            self.repair.put_message(ask, kind, plaintext, _flag(lane))
            self._tell(lane, ask.row, at_ms, content)

    def _put_unreadable(self, lane: Lane, item: Item, at_ms: int, error: Exception) -> None:
        context = self._context
        row = context.next_inbound.take()
        context.inbound.put(self.unit, row, lane.peer, InboundKind.UNREADABLE, (item.id, at_ms, None))
        context.events.put(self.unit, Fact.UNREADABLE, at_ms, lane.peer, row)
        self.repair.ask(lane, item, row, error)
        metrics.core_received.labels("unreadable").inc()
        log.warning("a message from a peer cannot be read", code=getattr(error, "code", "internal"))

    def _put_peer(self, lane: Lane) -> None:
        peers = self._context.peers
        peers.put(self.unit, lane.peer, lane.number, lane.devices_version, lane.identity, lane.standing)
        lane.is_new = False
        self.lanes.add(lane)


def _flag(lane: Lane) -> tuple[str, int] | None:
    """Return hash and time of an identity key that nobody has acknowledged, to go with a message under it."""
    if lane.standing.is_acknowledged or not lane.identity:
        return None
    return identity_hash(lane.identity), lane.standing.since_ms
