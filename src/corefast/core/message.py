"""A stored message as clients see it, in either direction."""

from corefast.core.feed.events import Feed, failure_of, read_plaintext
from corefast.core.send.status import EXPIRED
from corefast.core.store.inbound import InboundRow
from corefast.core.store.messages import MessageRow
from corefast.wire.gateway import MessageView, State, StateChange


def outbound_view(row: MessageRow, public_id: str, feed: Feed) -> MessageView:
    body, _, reply_to = read_plaintext(row.plaintext)
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
    )


def inbound_view(row: InboundRow, public_id: str, feed: Feed) -> MessageView:
    """Return a received message; its one state is `delivered`, to us. One that could not be read has no body."""
    body, _, reply_to = read_plaintext(row.plaintext) if row.plaintext is not None else (None, "", None)
    return MessageView(
        id=public_id,
        direction="inbound",
        peer=row.number,
        body=body,
        state=State.DELIVERED,
        history=[StateChange(State.DELIVERED, row.at_ms)],
        reply_to=feed.quoted_id(reply_to),
    )
