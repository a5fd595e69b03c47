"""Which session with a device: the current one, and the archived ones that late messages may still need."""

from collections.abc import Iterator

from corefast.errors import SnapshotInvalid
from corefast.limits import MAX_ARCHIVED_SESSIONS
from corefast.protocol.session import Session

_VERSION = b"\x01"
_LENGTH_BYTES = 3


class Selection:
    """The sessions with one device of a peer. Archived ones rest as snapshots, newest first, until they are tried."""

    __slots__ = ("current", "_archived", "_tail")

    def __init__(self, current: Session | None = None, archived: list[bytes] | None = None) -> None:
        self.current = current
        self._archived = archived or []
        self._tail = b"".join(map(_with_length, self._archived))

    @property
    def archived_count(self) -> int:
        return len(self._archived)

    def candidates(self) -> Iterator[tuple[int, Session]]:
        """Yield the archived sessions with their places, newest first."""
        for place, snapshot in enumerate(self._archived):
            yield place, Session.restore(snapshot)

    def promote(self, place: int, session: Session) -> None:
        """Make *session*, which was archived at *place*, the current one and archive the one that was."""
        del self._archived[place]
        self.replace(session)

    def replace(self, session: Session) -> None:
        """Make *session* the current one and archive the one that was; the oldest beyond the limit are forgotten."""
        if self.current is not None:
            self._archived.insert(0, self.current.snapshot())
            del self._archived[MAX_ARCHIVED_SESSIONS:]
        self.current = session
        self._tail = b"".join(map(_with_length, self._archived))

    def clear(self) -> None:
        """Forget all sessions."""
        self.current = None
        self._archived = []
        self._tail = b""

    def snapshot(self) -> bytes:
        """Return all sessions as bytes; secret."""
        current = b"" if self.current is None else self.current.snapshot()
        return _VERSION + len(current).to_bytes(_LENGTH_BYTES, "big") + current + self._tail

    @classmethod
    def restore(cls, snapshot: bytes) -> "Selection":
        """Return what `snapshot` described; raise `SnapshotInvalid`."""
        if snapshot[:1] != _VERSION:
            raise SnapshotInvalid("a session record has an unknown version")
        records = list(_split(snapshot, 1))
        if not records or len(records) > 1 + MAX_ARCHIVED_SESSIONS:
            raise SnapshotInvalid("a session record is damaged")
        current = Session.restore(records[0]) if records[0] else None
        return cls(current, records[1:])


def _with_length(record: bytes) -> bytes:
    return len(record).to_bytes(_LENGTH_BYTES, "big") + record


def _split(records: bytes, at: int) -> Iterator[bytes]:
    while at < len(records):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(records[at:start], "big")
        if start > len(records) or at > len(records):
            raise SnapshotInvalid("a session record is cut off")
        yield records[start:at]
