"""The business reads: marks a customer's messages as read and tells the customer, in one commit."""

from collections.abc import Callable
from typing import Any

from corefast.core.context import Context
from corefast.core.ids import parse_inbound
from corefast.core.send.sender import Sender
from corefast.errors import MessageUnknown
from corefast.limits import MAX_READ_MARKS
from corefast.store.database import Unit
from corefast.wire.content import Read
from corefast.wire.gateway import Done, MarkRead


class Reading:
    """Serves `MarkRead`."""

    def __init__(self, context: Context, sender: Sender) -> None:
        self._context = context
        self._sender = sender

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {MarkRead: self.mark}

    async def mark(self, request: MarkRead) -> Done:
        """Mark the message and the customer's earlier ones; a repeat has nothing left to do."""
        remote_id = parse_inbound(request.id)
        inbound = self._context.inbound
        unread = None if remote_id is None else await inbound.unread(remote_id, MAX_READ_MARKS)
        if unread is None:
            raise MessageUnknown("no message of a customer has this id")
        if unread.messages:
            rows = [row for row, _ in unread.messages]
            read = Read([message_id for _, message_id in reversed(unread.messages)])

            def also(unit: Unit, at_ms: int) -> None:
                inbound.set_read(unit, rows, at_ms)

            await self._sender.note(unread.number, read, also)
        return Done()
