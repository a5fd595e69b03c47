"""Status changes that become durable together, and the events that they are afterwards."""

from corefast.device.event import StatusChanged
from corefast.device.store.inbox import What
from corefast.device.store.outbox import OutboxStore
from corefast.store.database import Rows, Unit


class Progress:
    """Collects changes of sent messages in *unit*; a state that was skipped is filled in before the later one."""

    def __init__(self, store: OutboxStore, unit: Unit) -> None:
        self._store = store
        self._unit = unit
        self._expected: list[tuple[str, int, str]] = []
        self.dropped: list[bytes] = []
        """After `events`: what `failed_all` has ended."""

    def sent(self, message_id: bytes, recipient: str | None, at_ms: int) -> None:
        self._store.set_sent(self._unit, message_id, recipient, at_ms)
        self._expected.append(("sent", at_ms, ""))

    def delivered(self, message_id: bytes, recipient: str | None, at_ms: int) -> None:
        self.sent(message_id, recipient, at_ms)
        self._store.set_delivered(self._unit, message_id, recipient, at_ms)
        self._expected.append(("delivered", at_ms, ""))

    def read(self, message_id: bytes, recipient: str, at_ms: int) -> None:
        self.delivered(message_id, recipient, at_ms)
        self._store.set_read(self._unit, message_id, recipient, at_ms)
        self._expected.append(("read", at_ms, ""))

    def failed(self, message_id: bytes, at_ms: int, code: str) -> None:
        self._store.set_failed(self._unit, message_id, code)
        self._expected.append(("failed", at_ms, code))

    def failed_all(self, recipient: str, at_ms: int, code: str) -> None:
        """Fail all messages to *recipient* that the relay does not have."""
        self._store.set_failed_all(self._unit, recipient, code)
        self._expected.append(("failed", at_ms, code))

    def expired(self, message_id: bytes, recipient: str, at_ms: int) -> None:
        self._store.set_expired(self._unit, message_id, recipient)
        self._expected.append(("expired", at_ms, ""))

    def events(self, returned: list[Rows]) -> list[StatusChanged]:
        """Return what was news, from what the commit of the unit returned; the unit has no other RETURNING."""
        events = []
        for (status, at_ms, code), rows in zip(self._expected, returned, strict=True):
            for what, recipient, message_id, group, *posts in rows:
                self.dropped += posts
                if what == What.MESSAGE:
                    events.append(StatusChanged(message_id, recipient, status, at_ms, code, group))
        return events
