"""One message on its way to every member of a group: what each gets, in one unit. Pure of waiting."""

from collections.abc import Callable
from typing import NamedTuple

from corefast.core.context import Context
from corefast.core.group.book import Chain
from corefast.core.group.ties import address, has_chain, is_other
from corefast.core.identity import is_barred
from corefast.core.send.lane import Entry, Lane, Phase
from corefast.core.send.outbox import encode_post
from corefast.core.send.status import KEY_UNACKNOWLEDGED, LANE_FULL, Statuses
from corefast.core.store.messages import Encrypted, Extra, More
from corefast.endpoint.fanout import fan_out
from corefast.endpoint.group import Group, GroupSender
from corefast.endpoint.resend import identity_mark
from corefast.errors import MessageTooLong
from corefast.limits import GROUP_TAG_BYTES, MAX_LANE_MESSAGES, MAX_PLAINTEXT_BYTES
from corefast.store.database import Unit
from corefast.wire.content import Content, encode_content
from corefast.wire.messages import Kind, Part, Post


def _add_nothing(unit: Unit, at_ms: int) -> None:
    pass


def _do_nothing() -> None:
    pass


class Announcement(NamedTuple):
    """What is said, and what goes with it.

    *write* returns it by its id and time; *also* adds what belongs into the same commit, after which *done* is called;
    *claim* is told the row of the message. *is_quiet*: of our own making, told to nobody.
    """

    write: Callable[[bytes, int], Content]
    also: Callable[[Unit, int], None] = _add_nothing
    done: Callable[[], None] = _do_nothing
    claim: Callable[[Unit, int, int], None] | None = None
    ttl_ms: int = 0
    opaque: str = ""
    is_quiet: bool = False


class Cast:
    """`encrypt` fills `unit`; the rest is what the owner does before and after its commit."""

    def __init__(self, context: Context, group: Group, announcement: Announcement, statuses: Statuses) -> None:
        self._context = context
        self._group = group
        self._announcement = announcement
        self._statuses = statuses
        self.unit = Unit()
        self.lanes: list[Lane] = []
        """Lanes with something in the unit."""
        self.entries: list[Entry] = []
        """Ciphertexts that may leave after the commit."""
        self.bare: list[tuple[Lane, int]] = []
        """Messages that wait for a session."""
        self.head_id = b""
        self._expires_ms = 0
        self._staleness: object = None

    def done(self) -> None:
        """Note that the unit is committed."""
        self._context.groups.began(self._group.id, self._staleness)
        self._announcement.done()

    def encrypt(self, chain: Chain, lanes: list[Lane]) -> None:
        """Add the message and every member's part of it; raise `MessageTooLong`."""
        context, announcement, name = self._context, self._announcement, self._group.id
        chain = self._begin(chain, lanes)
        at_ms, head = context.clock(), context.next_message.take()
        self.head_id = context.ids.said_id(head)
        self._expires_ms = at_ms + announcement.ttl_ms if announcement.ttl_ms else 0
        content = announcement.write(self.head_id, at_ms)
        plaintext = encode_content(content)
        if len(plaintext) > MAX_PLAINTEXT_BYTES - GROUP_TAG_BYTES:
            raise MessageTooLong("the message is too long for a group")
        announcement.also(self.unit, at_ms)
        if lanes:
            context.said.put(self.unit, head, name, at_ms, plaintext, is_quiet=announcement.is_quiet)
        if announcement.claim is not None:
            announcement.claim(self.unit, head, at_ms)
        given = {lane for lane in lanes if self._is_spoken_to(lane) and has_chain(lane, name, chain.serial)}
        ciphertext = chain.sender.encrypt(plaintext, context.random) if given else b""
        for lane in lanes:
            self._add(lane, (head, at_ms), content, chain, ciphertext if lane in given else b"")
        # The distributions above are behind this message, which nobody needs twice.
        context.groups.store.put_chain(self.unit, name, chain.serial, chain.sender.snapshot())

    def _begin(self, chain: Chain, lanes: list[Lane]) -> Chain:
        """Return the chain, or a new one where somebody has it who must not have the next message."""
        groups, name = self._context.groups, self._group.id
        self._staleness = groups.staleness(name)
        if groups.is_stale(name) or any(is_other(lane, name) for lane in lanes):
            return Chain(chain.serial + 1, GroupSender.new(name, self._context.random))
        return chain

    def _is_spoken_to(self, lane: Lane) -> bool:
        """Tell whether a message leaves for the peer at once, and may do so under our chain."""
        is_open = lane.phase is Phase.HOT and not is_barred(self._context, lane)
        return is_open and lane.queued < MAX_LANE_MESSAGES and not self._announcement.is_quiet

    def _add(self, lane: Lane, said: tuple[int, int], content: Content, chain: Chain, ciphertext: bytes) -> None:
        context = self._context
        head, at_ms = said
        row = context.next_message.take()
        self.lanes.append(lane)
        if lane.is_new:
            context.peers.put(self.unit, lane.peer, lane.number, lane.devices_version, lane.identity, lane.standing)
            lane.is_new = False
        code = self._refusal(lane)
        post = None
        if lane.phase is Phase.HOT and not code:
            post = self._post(lane, row, content, chain, ciphertext)
        mark = identity_mark(lane.identity) if lane.identity else None
        encrypted = None if post is None else Encrypted(encode_post(post), mark)
        context.messages.put_part(self.unit, row, lane.peer, at_ms, encrypted)
        context.said.put_part(self.unit, head, lane.peer, row)
        context.messages.put_more(self.unit, row, self._more(head))
        if code:
            self._statuses.ended(self.unit, row, lane.peer, at_ms, code)
            context.messages.take(self.unit, row)
        elif post is None:
            self.bare.append((lane, row))
        else:
            self.entries.append(Entry(row, lane, post, at_ms))

    def _refusal(self, lane: Lane) -> int:
        """Return why this member's message fails, 0 where it does not; the others' go."""
        if is_barred(self._context, lane):
            return KEY_UNACKNOWLEDGED
        return LANE_FULL if lane.queued >= MAX_LANE_MESSAGES else 0

    def _post(self, lane: Lane, row: int, content: Content, chain: Chain, ciphertext: bytes) -> Post:
        context = self._context
        if ciphertext:
            parts = [Part(device, Kind.SENDER_KEY, ciphertext) for device in sorted(lane.devices)]
        else:
            addressed = address(context, self.unit, lane, content, (self._group, chain))
            parts = fan_out(encode_content(addressed), lane.devices, context.random)
            context.peers.put_sessions(self.unit, lane.peer, lane.devices, lane.registration_ids)
        return Post(context.ids.message_id(row), lane.number, lane.devices_version, parts, self._expires_ms)

    def _more(self, head: int) -> More:
        announcement = self._announcement
        extra = None if announcement.is_quiet else Extra(announcement.opaque, self._group.id, head)
        return More(announcement.is_quiet, self._expires_ms, extra)
