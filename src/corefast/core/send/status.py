"""The states of a message: each is stored and told once, in order, and none goes back."""

from corefast import metrics
from corefast.core.context import Context
from corefast.core.store.events import Fact
from corefast.store.database import Unit
from corefast.wire.event import Failure, State

RECEIVER_INCAPABLE = 1026
EXPIRED = 410
DAMAGED = 500
USER_CHANGED = 480
LANE_FULL = 429
KEY_CHANGED, KEY_UNACKNOWLEDGED = 4801, 4802
"""480 as well, with sentences of their own."""
KEYS_UNUSABLE = 4081
"""408, with a sentence of its own."""

FAILURES = {
    RECEIVER_INCAPABLE: Failure(
        RECEIVER_INCAPABLE, "Receiver incapable", "Nobody is registered at the relay under the recipient's number."
    ),
    EXPIRED: Failure(EXPIRED, "Message expired", "No device of the recipient took the message in time."),
    LANE_FULL: Failure(LANE_FULL, "Rate limit hit", "Too many messages wait for this member of the group."),
    DAMAGED: Failure(DAMAGED, "Generic error", "The stored message is damaged and cannot be sent."),
    USER_CHANGED: Failure(
        USER_CHANGED,
        "User potentially changed",
        "The recipient's number was registered anew before its device took the message.",
    ),
    KEY_CHANGED: Failure(
        USER_CHANGED,
        "User potentially changed",
        "The recipient's identity key changed before the message left; send it again if its new holder may read it.",
    ),
    KEY_UNACKNOWLEDGED: Failure(
        USER_CHANGED,
        "User potentially changed",
        "The recipient's identity key changed; nothing is sent there until the new one is acknowledged.",
    ),
    KEYS_UNUSABLE: Failure(
        408,
        "Message is not valid",
        "For 30 days the recipient's keys could not be used: the post-quantum one was missing, or one was not signed.",
    ),
}
"""Every reason for a failure; a message's row holds only its number here."""


_COUNTED = {state: metrics.core_states.labels(state) for state in State}


class Statuses:
    """Adds what a message has reached to a unit; the SQL leaves out what was stored before, so repeats are harmless."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def sent(self, unit: Unit, row: int, peer: int, at_ms: int) -> None:
        self._context.events.put_state(unit, Fact.SENT, at_ms, peer, row)
        self._context.messages.advance(unit, row, peer, at_ms)
        _COUNTED[State.SENT].inc()

    def delivered(self, unit: Unit, row: int, peer: int, at_ms: int) -> None:
        """Store delivered, and sent before it where that is missing."""
        events = self._context.events
        events.put_state(unit, Fact.SENT, at_ms, peer, row)
        events.put_state(unit, Fact.DELIVERED, at_ms, peer, row)
        self._context.messages.advance(unit, row, peer, at_ms, at_ms)
        self._arrived(unit, row, peer)
        _COUNTED[State.DELIVERED].inc()

    def read(self, unit: Unit, row: int, peer: int, at_ms: int) -> None:
        """Store read, and what is missing before it; nothing where the message went to another peer."""
        events = self._context.events
        for fact in (Fact.SENT, Fact.DELIVERED, Fact.READ):
            events.put_state(unit, fact, at_ms, peer, row)
        self._context.messages.advance(unit, row, peer, at_ms, at_ms, at_ms)
        self._arrived(unit, row, peer)
        _COUNTED[State.READ].inc()

    def read_part(self, unit: Unit, group_message: int, peer: int, at_ms: int) -> None:
        """Store that a member has read a group's message, and what is missing before that; nothing for other rows."""
        self._context.events.put_read_part(unit, at_ms, peer, group_message)
        self._context.messages.read_part(unit, group_message, peer, at_ms)

    def _arrived(self, unit: Unit, row: int, peer: int) -> None:
        if self._context.pass_through:
            self._context.messages.forget(unit, row, peer)
            if len(self._context.groups):
                self._context.said.forget(unit, row)

    def ended(self, unit: Unit, row: int, peer: int, at_ms: int, code: int) -> None:
        """Store that the message will not be delivered, and why; nothing where it was."""
        fact = Fact.EXPIRED if code == EXPIRED else Fact.FAILED
        self._context.events.put_state(unit, fact, at_ms, peer, row)
        self._context.messages.end(unit, row, peer, at_ms, code)
        _COUNTED[State.EXPIRED if code == EXPIRED else State.FAILED].inc()
