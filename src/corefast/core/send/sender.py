"""Takes messages of the business: checked, encrypted and durable before they are answered.

The hot path: callbacks, no task and no future for a message.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from corefast import metrics
from corefast.address import canonical_number
from corefast.core.context import Context
from corefast.core.group.broadcast import Broadcast
from corefast.core.group.cast import Announcement
from corefast.core.identity import is_barred
from corefast.core.ids import outbound_id, parse_group, parse_inbound, parse_outbound
from corefast.core.send.check import check_body, check_more
from corefast.core.send.idempotency import Claim, Claims
from corefast.core.send.lane import Entry, Lane, Lanes, Phase
from corefast.core.send.media import Resolve, check_ref, kind_of
from corefast.core.send.outbox import Outbox, encode_post
from corefast.core.send.preparer import Preparer
from corefast.core.store.messages import Encrypted, Extra, More
from corefast.core.template.templates import Templates
from corefast.endpoint.fanout import fan_out
from corefast.endpoint.resend import identity_mark
from corefast.errors import (
    AccountStopped,
    CorefastError,
    IdentityUnacknowledged,
    MediaUnfit,
    Overloaded,
    ParameterInvalid,
    RecipientIsSender,
    TemplateMediaUnsupported,
)
from corefast.limits import MAX_LANE_MESSAGES, MAX_WAITING_MESSAGES
from corefast.logs import get_logger
from corefast.net.transport import Peer
from corefast.store.database import Unit
from corefast.wire.body import Attachment, Template
from corefast.wire.content import Body, Content, GroupTag, Medium, decode_content, encode_content
from corefast.wire.gateway import Accepted, Send
from corefast.wire.media import MediaRef
from corefast.wire.messages import Post
from corefast.wire.template import TemplateCall

log = get_logger()


class Order:
    """A send on its way to an answer."""

    __slots__ = ("peer", "call", "message", "claim", "medium", "started")

    def __init__(self, peer: Peer, call: int, message: Send) -> None:
        self.peer = peer
        self.call = call
        self.message = message
        self.claim: Claim | None = None
        self.medium: Medium | None = None
        self.started = time.perf_counter()

    def write(self, message_id: bytes, at_ms: int, business: Context) -> bytes:
        """Return the plaintext."""
        message = self.message
        assert not isinstance(message.body, TemplateCall), "filled in by now"
        reply_to = _reply_to(message.reply_to) if message.reply_to else None
        name, author = business.name, business.number
        return encode_content(Content(message_id, at_ms, message.body, name, reply_to, self.medium, None, None, author))

    def more(self, at_ms: int) -> More | None:
        message = self.message
        if not (message.ttl_ms or message.opaque):
            return None
        return More(
            expires_ms=at_ms + message.ttl_ms if message.ttl_ms else 0,
            extra=Extra(message.opaque) if message.opaque else None,
        )

    def also(self, unit: Unit, at_ms: int) -> None:
        """Add what belongs into the commit of the message besides it."""

    def answer(self, accepted: Accepted) -> None:
        self.peer.answer(self.call, accepted)

    def fail(self, error: Exception) -> None:
        self.peer.fail(self.call, error)


class Note(Order):
    """A message of the core's own making, such as a read mark: sent like any other and told to nobody."""

    __slots__ = ("body", "done", "_also")

    def __init__(self, body: Body, also: Callable[[Unit, int], None]) -> None:
        self.body = body
        self._also = also
        self.claim = None
        self.started = time.perf_counter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(self, message_id: bytes, at_ms: int, business: Context) -> bytes:
        return encode_content(Content(message_id, at_ms, self.body, author=business.number))

    def more(self, at_ms: int) -> More | None:
        return More(is_quiet=True)

    def also(self, unit: Unit, at_ms: int) -> None:
        self._also(unit, at_ms)

    def answer(self, accepted: Accepted) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Sender:
    """Serves `Send`."""

    def __init__(
        self,
        context: Context,
        lanes: Lanes,
        outbox: Outbox,
        preparer: Preparer,
        claims: Claims,
        templates: Templates,
        broadcast: Broadcast,
    ) -> None:
        self._context = context
        self._lanes = lanes
        self._outbox = outbox
        self._preparer = preparer
        self._claims = claims
        self._templates = templates
        self._broadcast = broadcast
        self.resolve: Resolve
        """Finds the medium of a message."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepted = 0
        """Messages accepted in this turn of the loop."""
        self.refusal = ""
        """Why nothing is accepted; empty while all is well."""

    def accept(self, peer: Peer, call: int, message: Send) -> None:
        """Answer *call* with `Accepted` once the message is durable, or fail it."""
        order = Order(peer, call, message)
        try:
            number = self._check(message)
            if message.idempotency is not None or message.media is not None or message.group:
                self._spawn(self._prepare(number, order))
            else:
                self._fill(order)
                self._route(self._lanes.get(number), order)
        except Exception as error:
            self._fail(order, error)

    async def note(self, number: str, body: Body, also: Callable[[Unit, int], None]) -> None:
        """Send *body* as a message that nobody is told of; return once it is durable, together with what *also* adds.

        Raises what keeps it from being accepted.
        """
        self.check_room()
        order = Note(body, also)
        self._route(self._lanes.get(number), order)
        await order.done

    def check_room(self) -> None:
        if self.refusal:
            raise AccountStopped(self.refusal, retry_after_ms=60_000)
        if self._lanes.queued >= MAX_WAITING_MESSAGES:
            raise Overloaded("too many messages wait for the relay", retry_after_ms=5_000)

    def _check(self, message: Send) -> str:
        """Return the recipient's number; raise what the sender has to change."""
        self.check_room()
        if not isinstance(message.body, TemplateCall):
            check_body(message.body, message.reply_to)
            if message.media is not None or type(message.body) is Attachment:
                check_ref(message.body, message.media)
        if message.ttl_ms or message.opaque:
            check_more(message.ttl_ms, message.opaque)
        if message.reply_to:
            _reply_to(message.reply_to)
        if message.group:
            return ""
        number = canonical_number(message.to)
        if number == self._context.number:
            raise RecipientIsSender("the recipient is this account's own number")
        return number

    async def _prepare(self, number: str, order: Order) -> None:
        """Do what cannot be done at once: claim an idempotency key, find the medium."""
        message = order.message
        try:
            if message.idempotency is not None:
                claim = await self._claims.begin(message.idempotency)
                if isinstance(claim, Accepted):
                    order.answer(claim)
                    return
                order.claim = claim
            self._fill(order)
            if message.media is not None:
                await self._find_medium(order, message.media)
                self.check_room()
            if message.group:
                await self._say(order)
            else:
                self._route(self._lanes.get(number), order)
        except Exception as error:
            self._fail(order, error)

    async def _say(self, order: Order) -> None:
        """Say it in a group; the answer tells the id that is the same for all members."""
        message, name = order.message, parse_group(order.message.to)

        def write(head_id: bytes, at_ms: int) -> Content:
            assert name is not None, "the group is known"
            content = decode_content(order.write(head_id, at_ms, self._context))
            return msgspec.structs.replace(content, group=GroupTag(name))

        def claim(unit: Unit, row: int, at_ms: int) -> None:
            if order.claim is not None:
                self._claims.put(unit, order.claim, row, 0, at_ms)

        announcement = Announcement(write, claim=claim, ttl_ms=message.ttl_ms, opaque=message.opaque)
        accepted = await self._broadcast.say(name, announcement)
        if order.claim is not None:
            self._claims.end(order.claim)
        order.answer(accepted)
        metrics.core_accepted.inc()

    def _fill(self, order: Order) -> None:
        """Put a template in its place; here, so that a repetition finds its answer whatever became of the template."""
        body, media = order.message.body, order.message.media
        if isinstance(body, TemplateCall):
            filled = self._templates.render(body)
            if media is not None:
                check_ref(filled, media)
            order.message = msgspec.structs.replace(order.message, body=filled)

    async def _find_medium(self, order: Order, media: MediaRef) -> None:
        body = order.message.body
        try:
            order.medium = await self.resolve(media, kind_of(body, media))
        except MediaUnfit as error:
            if isinstance(body, Template):
                raise TemplateMediaUnsupported(str(error)) from None
            raise

    def _route(self, lane: Lane, order: Order) -> None:
        if lane.queued >= MAX_LANE_MESSAGES:
            raise Overloaded("too many messages wait for this recipient", retry_after_ms=5_000)
        if not lane.is_loaded:
            self._lanes.when_loaded(lane, partial(self._resume, lane, order))
            return
        if is_barred(self._context, lane):
            raise IdentityUnacknowledged(
                "the recipient's identity key changed; compare the safety number and acknowledge the new one"
            )
        try:
            if lane.phase is Phase.HOT:
                self._send(lane, order)
            else:
                self._store(lane, order)
        except Exception:
            self._lanes.spoil(lane)  # nothing was queued, but the sessions may have moved
            raise

    def _resume(self, lane: Lane, order: Order, error: Exception | None) -> None:
        try:
            if error is not None:
                raise error
            self._route(lane, order)
        except Exception as raised:
            self._fail(order, raised)

    def _send(self, lane: Lane, order: Order) -> None:
        """Encrypt, and store the message with its ciphertext and the sessions that made it."""
        context = self._context
        at_ms = context.clock()
        row = context.next_message.take()
        message_id = context.ids.message_id(row)
        plaintext, more = order.write(message_id, at_ms, context), order.more(at_ms)
        parts = fan_out(plaintext, lane.devices, context.random)
        post = Post(message_id, lane.number, lane.devices_version, parts, more.expires_ms if more else 0)
        unit = Unit()
        encrypted = Encrypted(encode_post(post), identity_mark(lane.identity) if lane.identity else None)
        context.messages.put(unit, row, lane.peer, at_ms, plaintext, encrypted)
        if more is not None:
            context.messages.put_more(unit, row, more)
        order.also(unit, at_ms)
        context.peers.put_sessions(unit, lane.peer, lane.devices, lane.registration_ids)
        if order.claim is not None:
            self._claims.put(unit, order.claim, row, lane.peer, at_ms)
        entry = Entry(row, lane, post, at_ms)
        context.database.commit_then(unit, partial(self._sent, order, entry))
        lane.units += 1
        self._lanes.count(lane, 1)

    def _sent(self, order: Order, entry: Entry, error: Exception | None) -> None:
        self._lanes.ended(entry.lane, error)
        if error is not None:
            self._lanes.count(entry.lane, -1)
            self._fail(order, error)
            return
        self._answer(order, entry.post.id, entry.lane)
        self._outbox.add(entry)

    def _store(self, lane: Lane, order: Order) -> None:
        """Store the message alone; the ciphertext follows when there is a session."""
        context = self._context
        at_ms = context.clock()
        row = context.next_message.take()
        message_id = context.ids.message_id(row)
        unit = Unit()
        if lane.is_new:
            context.peers.put(unit, lane.peer, lane.number, lane.devices_version, lane.identity, lane.standing)
            lane.is_new = False
        context.messages.put(unit, row, lane.peer, at_ms, order.write(message_id, at_ms, context))
        if (more := order.more(at_ms)) is not None:
            context.messages.put_more(unit, row, more)
        order.also(unit, at_ms)
        if order.claim is not None:
            self._claims.put(unit, order.claim, row, lane.peer, at_ms)
        context.database.commit_then(unit, partial(self._stored, order, lane, row))
        lane.units += 1
        lane.storing += 1
        self._lanes.count(lane, 1)

    def _stored(self, order: Order, lane: Lane, row: int, error: Exception | None) -> None:
        if error is not None:
            self._lanes.count(lane, -1)
            self._fail(order, error)
        else:
            lane.put_back(row)
            self._answer(order, self._context.ids.message_id(row), lane)
        lane.stored()
        self._lanes.ended(lane, error)
        self._preparer.wake(lane)

    def _answer(self, order: Order, message_id: bytes, lane: Lane) -> None:
        if order.claim is not None:
            self._claims.end(order.claim)
        order.answer(Accepted(outbound_id(message_id), lane.number))
        self._accepted += 1
        if self._accepted == 1:
            # Once a turn of the loop: an observation costs as much as an encryption.
            asyncio.get_running_loop().call_soon(self._count)
            metrics.core_accept_seconds.observe(time.perf_counter() - order.started)

    def _count(self) -> None:
        metrics.core_accepted.inc(self._accepted)
        self._accepted = 0

    def _fail(self, order: Order, error: Exception) -> None:
        if order.claim is not None:
            self._claims.end(order.claim)
        if not isinstance(error, CorefastError):
            log.error("a message could not be accepted", exc_info=error)
        order.fail(error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _reply_to(text: str) -> bytes:
    quoted = parse_outbound(text) or parse_inbound(text)
    if quoted is None:
        raise ParameterInvalid("context.message_id is not the id of a message")
    return quoted
