"""A stored message as clients see it, in either direction."""

from collections.abc import Callable
from typing import Any

from corefast.core.context import Context
from corefast.core.feed.events import Feed, failure_of, read_plaintext
from corefast.core.ids import group_id, parse_inbound, parse_outbound
from corefast.core.send.status import EXPIRED
from corefast.core.store.group_messages import GroupMessageRow
from corefast.core.store.inbound import InboundKind, InboundRow
from corefast.core.store.messages import MessageRow
from corefast.errors import MessageDamaged, MessageUnknown, SealBroken
from corefast.logs import get_logger
from corefast.wire.event import State
from corefast.wire.gateway import GetMessage, MessageView, StateChange

log = get_logger()


class Messages:
    """Serves `GetMessage`."""

    def __init__(self, context: Context, feed: Feed) -> None:
        self._context = context
        self._feed = feed

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {GetMessage: self.get}

    async def get(self, request: GetMessage) -> MessageView:
        """Return a message; raise `MessageUnknown` where it is none of this account's."""
        try:
            return await self._load(request)
        except SealBroken as error:
            log.error("a stored message is damaged", code=error.code)
            raise MessageDamaged("the stored message is damaged") from None

    async def _load(self, request: GetMessage) -> MessageView:
        context = self._context
        if (outbound := parse_outbound(request.id)) is not None:
            if (row := context.ids.row_of(outbound)) is not None:
                if (message := await context.messages.load(row)) is not None:
                    return outbound_view(message, request.id, self._feed)
            elif (row := context.ids.said_of(outbound)) is not None:
                if (said := await context.said.load(row)) is not None:
                    return group_view(said, request.id, self._feed)
        elif (inbound := parse_inbound(request.id)) is not None:
            if (received := await context.inbound.load(inbound)) is not None:
                return inbound_view(received, request.id, self._feed)
        raise MessageUnknown("no message has this id")


def outbound_view(row: MessageRow, public_id: str, feed: Feed) -> MessageView:
    said = read_plaintext(row.plaintext)
    times = [
        (State.ACCEPTED, row.accepted_ms),
        (State.SENT, row.sent_ms),
        (State.DELIVERED, row.delivered_ms),
        (State.READ, row.read_ms),
        (State.EXPIRED if row.failure == EXPIRED else State.FAILED, row.ended_ms),
    ]
    history = [StateChange(state, at_ms) for state, at_ms in times if at_ms is not None]
    return MessageView(
        id=public_id,
        direction="outbound",
        peer=row.number,
        body=said.body,
        state=history[-1].state,
        history=history,
        failure=failure_of(row.failure),
        reply_to=feed.quoted_id(said.reply_to),
        media=feed.media_of(said.medium),
    )


def group_view(row: GroupMessageRow, public_id: str, feed: Feed) -> MessageView:
    """Return a message to a group: a state is reached when the last member for whom it has not failed has reached it.

    Where it has failed for all of them, it has failed.
    """
    said = read_plaintext(row.plaintext)
    history = [StateChange(State.ACCEPTED, row.accepted_ms)]
    going = [member for member in row.members if member.ended_ms is None]
    for state, at in ((State.SENT, 0), (State.DELIVERED, 1), (State.READ, 2)):
        times = [member[at] for member in going]
        if times and None not in times:
            history.append(StateChange(state, max(at_ms for at_ms in times if at_ms is not None)))
    failed = row.members[0] if row.members and not going else None
    if failed is not None:
        state = State.EXPIRED if all(member.failure == EXPIRED for member in row.members) else State.FAILED
        history.append(StateChange(state, max(member.ended_ms or 0 for member in row.members)))
    return MessageView(
        id=public_id,
        direction="outbound",
        peer="",
        body=said.body,
        state=history[-1].state,
        history=history,
        failure=None if failed is None else failure_of(failed.failure),
        reply_to=feed.quoted_id(said.reply_to),
        media=feed.media_of(said.medium),
        group=group_id(row.name),
    )


def inbound_view(row: InboundRow, public_id: str, feed: Feed) -> MessageView:
    """Return a received message; its one state is `delivered`, to us. One that could not be read has no body."""
    said = read_plaintext(row.plaintext or b"")
    return MessageView(
        id=public_id,
        direction="inbound",
        peer=row.number,
        body=said.body,
        state=State.DELIVERED,
        history=[StateChange(State.DELIVERED, row.at_ms)],
        reply_to=feed.quoted_id(said.reply_to),
        media=feed.media_of(said.medium, is_ready=row.kind is not InboundKind.UNDOWNLOADED),
        group=group_id(row.group) if row.group else "",
    )
