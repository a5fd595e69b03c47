"""The order of deliveries: conversations, what each waits for, and when a failed delivery is due again.

Pure: the clock is an argument and nothing is stored here.
"""

from collections import deque
from heapq import heappop, heappush

from corefast.core.settings.application import Backoff
from corefast.core.store.deliveries import DeliveryPhase, DeliveryRow
from corefast.limits import WEBHOOK_HOLD_MS, WEBHOOK_SCHEDULE_MS
from corefast.wire.event import Event
from corefast.wire.webhook import Outcome

FIRST_HELD_DELAY_MS = 1_000
"""Delay after a first failure; it doubles while the delivery is held, so that a short outage heals in order."""

FIRST_PARKED = 2
"""Where a parked delivery enters the schedule: holding it has covered the attempts before."""

MAX_RETRY_AFTER_MS = 86_400_000
MAX_ERROR_CHARACTERS = 200


class Pending:
    """An event that is not delivered yet; *row* once an attempt has failed."""

    __slots__ = ("event", "peer", "row", "owner")

    def __init__(self, event: Event, peer: int, row: DeliveryRow | None = None) -> None:
        self.event = event
        self.peer = peer
        self.row = row
        self.owner: object | None = None
        """The link that has claimed it."""

    @property
    def attempts(self) -> int:
        return self.row.attempts if self.row is not None else 0


class Conversation:
    """The pending events of one peer: those of the order, and those parked beside it."""

    __slots__ = ("ordered", "parked", "in_flight")

    def __init__(self) -> None:
        self.ordered: deque[Pending] = deque()
        self.parked: list[tuple[int, int, Pending]] = []
        """A heap by due time."""
        self.in_flight: Pending | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.ordered or self.parked or self.in_flight)

    def due_ms(self) -> int | None:
        """Return when the next attempt may begin (0: at once); None while one is in flight or nothing is left."""
        if self.in_flight is not None or self.is_empty:
            return None
        times = [self.parked[0][0]] if self.parked else []
        if self.ordered:
            head = self.ordered[0]
            times.append(head.row.next_ms if head.row is not None else 0)
        return min(times)

    def take(self, now_ms: int) -> Pending | None:
        """Return the next one that is due, which is in flight from now on."""
        due_ms = self.due_ms()
        if due_ms is None or due_ms > now_ms:
            return None
        head = self.ordered[0] if self.ordered else None
        if head is not None and (head.row is None or head.row.next_ms <= now_ms):
            self.in_flight = head
        else:
            self.in_flight = heappop(self.parked)[2]
        return self.in_flight

    def put_back(self) -> None:
        """End the flight without an outcome."""
        pending, self.in_flight = self.in_flight, None
        if pending is not None and pending.row is not None and pending.row.phase is DeliveryPhase.PARKED:
            self.park(pending)

    def finish(self) -> None:
        """End the flight for good."""
        pending, self.in_flight = self.in_flight, None
        if self.ordered and self.ordered[0] is pending:
            self.ordered.popleft()

    def park(self, pending: Pending) -> None:
        assert pending.row is not None
        heappush(self.parked, (pending.row.next_ms, pending.row.id, pending))


PATIENCE_MS = sum(WEBHOOK_SCHEDULE_MS)
"""How long a delivery is tried with a back-off that the operator set: as long as by the schedule."""


def fail(pending: Pending, outcome: Outcome, now_ms: int, backoff: Backoff | None = None) -> DeliveryRow:
    """Return the row of *pending* after a failed attempt: held, parked or dead; *backoff* replaces the schedule."""
    old = pending.row or DeliveryRow(pending.event.position, pending.peer, first_ms=now_ms)
    row = DeliveryRow(
        old.id,
        old.peer,
        old.phase,
        old.attempts + 1,
        old.parked,
        old.first_ms,
        last_ms=now_ms,
        status=outcome.status,
        error=outcome.error[:MAX_ERROR_CHARACTERS],
    )
    retry_after_ms = min(max(outcome.retry_after_ms, 0), MAX_RETRY_AFTER_MS)
    if row.phase is DeliveryPhase.HELD:
        delay_ms = max(_linear_ms(row, backoff) or FIRST_HELD_DELAY_MS << min(row.attempts - 1, 6), retry_after_ms)
        if now_ms + delay_ms <= row.first_ms + WEBHOOK_HOLD_MS:
            row.next_ms = now_ms + delay_ms
            return row
        row.phase, row.parked = DeliveryPhase.PARKED, FIRST_PARKED - 1
    row.parked += 1
    if backoff is not None:
        row.next_ms = now_ms + max(_linear_ms(row, backoff), retry_after_ms)
        row.phase = DeliveryPhase.PARKED if now_ms < row.first_ms + PATIENCE_MS else DeliveryPhase.DEAD
    elif row.parked < len(WEBHOOK_SCHEDULE_MS):
        row.next_ms = now_ms + max(WEBHOOK_SCHEDULE_MS[row.parked], retry_after_ms)
    else:
        row.phase = DeliveryPhase.DEAD
    return row


def _linear_ms(row: DeliveryRow, backoff: Backoff | None) -> int:
    return 0 if backoff is None else min(backoff.step_ms * row.attempts, backoff.ceiling_ms)
