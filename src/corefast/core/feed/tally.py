"""What is counted of attempts to post events: how many, how long, by what they told of and what came of them."""

from http import HTTPStatus

from corefast.metrics import core_callback_seconds
from corefast.wire.event import EventKind
from corefast.wire.webhook import Outcome

_STATUS_CHANGES = (EventKind.SENT, EventKind.DELIVERED, EventKind.READ, EventKind.FAILED, EventKind.EXPIRED)
_TYPES = {EventKind.MESSAGE: "inbound_message"} | dict.fromkeys(_STATUS_CHANGES, "status_change")
_STATUSES = {int(status): str(int(status)) for status in HTTPStatus}


def count(kind: EventKind, outcome: Outcome) -> None:
    """Count one attempt; a receiver that makes statuses up does not make up labels."""
    result = "success" if outcome.delivered else _STATUSES.get(outcome.status, "none")
    core_callback_seconds.labels(_TYPES.get(kind, "other"), result).observe(max(outcome.took_ms, 0) / 1_000)
