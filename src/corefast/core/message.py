"""A stored message as clients see it, in either direction."""

from collections.abc import Callable
from typing import Any

from corefast.core.context import Context
from corefast.core.feed.events import Feed, failure_of, read_plaintext
from corefast.core.ids import parse_inbound, parse_outbound
from corefast.core.send.status import EXPIRED
from corefast.core.store.inbound import InboundKind, InboundRow
from corefast.core.store.messages import MessageRow
from corefast.errors import MessageDamaged, MessageUnknown, SealBroken
from corefast.logs import get_logger
from corefast.wire.gateway import GetMessage, MessageView, State, StateChange

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
        if (outbound := parse_outbound(request.id)) is not None and (row := context.ids.row_of(outbound)) is not None:
            if (message := await context.messages.load(row)) is not None:
                return outbound_view(message, request.id, self._feed)
        elif (inbound := parse_inbound(request.id)) is not None:
            if (received := await context.inbound.load(inbound)) is not None:
                return inbound_view(received, request.id, self._feed)
        raise MessageUnknown("no message has this id")


def outbound_view(row: MessageRow, public_id: str, feed: Feed) -> MessageView:
    body, _, reply_to, medium = read_plaintext(row.plaintext)
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
        body=body,
        state=history[-1].state,
        history=history,
        failure=failure_of(row.failure),
        reply_to=feed.quoted_id(reply_to),
        media=feed.media_of(medium),
    )


def inbound_view(row: InboundRow, public_id: str, feed: Feed) -> MessageView:
    """Return a received message; its one state is `delivered`, to us. One that could not be read has no body."""
    nothing = (None, "", None, None)
    body, _, reply_to, medium = read_plaintext(row.plaintext) if row.plaintext is not None else nothing
    return MessageView(
        id=public_id,
        direction="inbound",
        peer=row.number,
        body=body,
        state=State.DELIVERED,
        history=[StateChange(State.DELIVERED, row.at_ms)],
        reply_to=feed.quoted_id(reply_to),
        media=feed.media_of(medium, is_ready=row.kind is not InboundKind.UNDOWNLOADED),
    )
