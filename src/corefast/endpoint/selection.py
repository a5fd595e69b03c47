"""Which session with a device: the current one, and the archived ones that late messages may still need.

All of them are stored as one *record* of the current session, and *parts* that are written only when they change: each
archived session, and blocks of the current one's skipped keys.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from corefast.errors import SnapshotInvalid
from corefast.limits import MAX_ARCHIVED_BYTES, MAX_ARCHIVED_SESSIONS
from corefast.native.secret import wipe
from corefast.protocol.session import Session

_WHOLE_LEAD, _RECORD_LEAD = b"\1", b"\2"
_LENGTH_BYTES = 3
_LAST_NUMBER = 2**63 - 1


class PartKind(IntEnum):
    """What a part is; the numbers are stored."""

    ARCHIVED = 1
    SKIPPED = 2


class SessionPart(NamedTuple):
    """A part as it is to be stored, or all parts of a kind from `number` to `last` that are to be deleted."""

    kind: PartKind
    number: int
    last: int
    content: bytes | None


class Selection:
    """The sessions with one device of a peer. Archived ones rest as snapshots, newest first, until they are tried.

    An archived session never changes: it is written when it is archived and deleted when it is promoted.
    """

    __slots__ = ("_current", "_resting", "_archived", "_changes")

    def __init__(self) -> None:
        self._current: Session | None = None
        self._resting = b""
        # Tuples: most correspondents have nothing in them, and the empty one takes no memory.
        self._archived: tuple[tuple[int, bytes], ...] = ()
        self._changes: tuple[SessionPart, ...] = _EVERYTHING  # whatever is stored under this name is not ours

    @property
    def current(self) -> Session | None:
        if self._resting:
            self._current = Session.restore(self._resting)
            self._current.settle()
            wipe(self._resting)
            self._resting = b""
        return self._current

    @property
    def archived_count(self) -> int:
        return len(self._archived)

    def candidates(self) -> Iterator[tuple[int, Session]]:
        """Yield the archived sessions with their places, newest first."""
        for place in range(len(self._archived)):
            try:
                session = Session.restore(self._archived[place][1])
            except SnapshotInvalid:
                continue
            yield place, session

    def promote(self, place: int, session: Session) -> None:
        """Make *session*, which was archived at *place*, the current one and archive the one that was."""
        self._forget(place)
        self.replace(session)

    def replace(self, session: Session) -> None:
        """Make *session* the current one and archive the one that was; the oldest beyond the limits are forgotten."""
        if self.current is not None:
            self._archive(self.current.snapshot())
        self._current = session

    def clear(self) -> None:
        """Forget all sessions."""
        self._current = None
        self._wipe()
        self._changes = _EVERYTHING

    def __del__(self) -> None:
        self._wipe()

    def _wipe(self) -> None:
        wipe(self._resting)
        self._resting = b""
        archived, self._archived = list(self._archived), ()
        while archived:
            wipe(archived.pop()[1])

    def rest(self) -> None:
        """Keep the current session as bytes until it is used again: half the memory. All changes must be taken."""
        if self._current is not None and not self._changes and not self._current.has_changes:
            self._resting = self._current.snapshot()
            self._current = None

    def record(self) -> bytes:
        """Return what is always stored of the sessions; secret: wipe it."""
        current = self.current
        return _RECORD_LEAD if current is None else current.record(_RECORD_LEAD)

    def take_changes(self) -> list[SessionPart]:
        """Return what changed in the parts since the last call, to be stored in order and together with `record`.

        Wipe their contents then.
        """
        current = self.current
        if not self._changes and (current is None or not current.has_changes):
            return []
        changes, self._changes = list(self._changes), ()
        if current is not None:
            changes += (SessionPart(PartKind.SKIPPED, *change) for change in current.take_changes())
        return changes

    @classmethod
    def restore(cls, record: bytes, parts: list[tuple[int, int, bytes]] | None = None) -> "Selection":
        """Return the sessions of a record and its parts (kind, number, content), which are in order of both.

        Raises `SnapshotInvalid` for the record; parts that do not fit it are left out. *parts* is empty then: what is
        not kept of them is wiped. A record of the first form holds everything, and all parts of it are changes.
        """
        sessions = cls()
        if record[:1] == _WHOLE_LEAD:
            sessions._take_whole(record)
            return sessions
        if record[:1] != _RECORD_LEAD:
            raise SnapshotInvalid("a session record has an unknown version")
        sessions._changes = ()
        if len(record) > 1:
            sessions._current = Session.restore(record, 1)
        while parts:
            kind, number, content = parts.pop(0)
            sessions._take_part(kind, number, content)
            wipe(content)
        return sessions

    def _take_whole(self, record: bytes) -> None:
        snapshots = list(_split(record, 1))
        if not snapshots or len(snapshots) > 1 + MAX_ARCHIVED_SESSIONS:
            raise SnapshotInvalid("a session record is damaged")
        for snapshot in reversed(snapshots[1:]):
            self._archive(snapshot)
        self._current = Session.restore(snapshots[0]) if snapshots[0] else None

    def _take_part(self, kind: int, number: int, content: bytes) -> None:
        if kind == PartKind.ARCHIVED:
            self._archived = ((number, content), *self._archived)
        elif kind == PartKind.SKIPPED and self._current is not None:
            try:
                self._current.load_block(content)
            except SnapshotInvalid:
                self._changes += (SessionPart(PartKind.SKIPPED, number, number, None),)

    def _archive(self, snapshot: bytes) -> None:
        number = self._archived[0][0] + 1 if self._archived else 1
        self._archived = ((number, snapshot), *self._archived)
        self._changes += (_all_of(PartKind.SKIPPED), SessionPart(PartKind.ARCHIVED, number, number, snapshot))
        size = sum(len(each) for _, each in self._archived)
        while len(self._archived) > MAX_ARCHIVED_SESSIONS or size > MAX_ARCHIVED_BYTES:
            size -= len(self._archived[-1][1])
            self._forget(len(self._archived) - 1)

    def _forget(self, place: int) -> None:
        number, snapshot = self._archived[place]
        self._archived = self._archived[:place] + self._archived[place + 1 :]
        wipe(snapshot)
        self._changes += (SessionPart(PartKind.ARCHIVED, number, number, None),)


def _all_of(kind: PartKind) -> SessionPart:
    return SessionPart(kind, 0, _LAST_NUMBER, None)


_EVERYTHING = tuple(_all_of(kind) for kind in PartKind)


def _split(records: bytes, at: int) -> Iterator[bytes]:
    while at < len(records):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(records[at:start], "big")
        if start > len(records) or at > len(records):
            raise SnapshotInvalid("a session record is cut off")
        yield records[start:at]
