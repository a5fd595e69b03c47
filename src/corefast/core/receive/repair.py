"""What a batch of received items means for messages that could not be read, ours and theirs (docs/protocol.md)."""

from corefast.core.context import Context
from corefast.core.send.lane import Lane
from corefast.core.send.resender import count
from corefast.core.store.inbound import InboundKind
from corefast.endpoint.resend import Ask, Draft, Outcome, identity_mark, is_curable
from corefast.store.database import Unit
from corefast.wire.content import ResendRequest
from corefast.wire.messages import Item


class Repair(Draft):
    """The draft of the book that grows beside a unit."""

    def __init__(self, context: Context, unit: Unit) -> None:
        super().__init__(context.book)
        self._context = context
        self._unit = unit

    def is_known_loss(self, lane: Lane, item: Item, error: Exception) -> bool:
        """Take an unreadable *item* that was to bring a message which is recorded as unreadable: ask once more."""
        ask = self.awaited(lane.number, item.id)
        if ask is None or not is_curable(error):
            return False
        self._context.resends.set_ask(self._unit, ask.row, ask.identity, is_due=True)
        self.add_again(ask)
        return True

    def ask(self, lane: Lane, item: Item, row: int, error: Exception) -> None:
        """Ask for the message that *row* records as unreadable, where another copy of it could help."""
        context = self._context
        if not is_curable(error) or not context.book.life_ms:
            return
        if not self.may_ask(lane.number):
            count(Outcome.LIMITED)
            return
        identity = identity_mark(lane.identity) if lane.identity else b""
        ask = Ask(lane.number, item.sender.device, item.id, row, identity, context.clock())
        context.resends.put_ask(self._unit, lane.peer, ask)
        self.add(ask)
        count(Outcome.DUE)

    def answer(self, lane: Lane, original: bytes) -> Ask | None:
        """Return the ask that a message resent answers, once; None where it is to be passed over."""
        context = self._context
        ask = self.take(lane.number, original, lane.identity or b"")
        if ask is None:
            count(Outcome.UNASKED)
            return None
        context.resends.delete_ask(self._unit, ask.row)
        count(Outcome.REPAIRED)
        return ask

    def put_message(self, ask: Ask, kind: InboundKind, plaintext: bytes, flag: tuple[str, int] | None) -> None:
        """Turn the record of an unreadable message into the message; its event is the caller's."""
        self._context.inbound.replace(self._unit, ask.row, kind, plaintext, flag)

    def put_nothing(self, ask: Ask) -> None:
        """Turn the record into a mark: what came shows nothing."""
        self._context.inbound.replace(self._unit, ask.row, InboundKind.READ, None, None)

    def owe(self, lane: Lane, device: int, request: ResendRequest) -> None:
        """Note which of our messages a device could not read."""
        context = self._context
        now_ms = context.clock()
        ids, outcome = context.book.take_request(lane.number, request.ids, now_ms)
        if outcome is not None:
            count(outcome)
        for message_id in ids:
            message = context.ids.row_of(message_id)
            if message is None:
                count(Outcome.UNKNOWN)
                continue
            context.resends.owe(self._unit, lane.peer, device, message, now_ms)
            self.add_debtor(lane.number)
