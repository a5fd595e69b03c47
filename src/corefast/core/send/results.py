"""What the relay says became of our posts."""

from functools import partial

from corefast import metrics
from corefast.core.context import Context
from corefast.core.send.lane import Entry, Lane, Lanes
from corefast.core.send.outbox import Outbox
from corefast.core.send.preparer import Preparer
from corefast.core.send.resender import Resender
from corefast.core.send.status import RECEIVER_INCAPABLE, Statuses
from corefast.errors import CorefastError
from corefast.logs import get_logger
from corefast.store.database import Unit
from corefast.wire.messages import PostResult, PostResults, PostState

log = get_logger()

_FIRST_REFUSAL_MS, _LAST_REFUSAL_MS = 500, 60_000
_COMMIT_RETRY_MS = 500

_FREE_CHANGES = 2
"""Changes of a device list in a row that are followed at once; a relay that goes on is asked ever more seldom."""


class Results:
    """Stores the states of all results of a frame in one unit."""

    def __init__(
        self, context: Context, lanes: Lanes, outbox: Outbox, preparer: Preparer, statuses: Statuses, resender: Resender
    ) -> None:
        self._context = context
        self._lanes = lanes
        self._outbox = outbox
        self._preparer = preparer
        self._statuses = statuses
        self._resender = resender

    def take(self, message: PostResults) -> None:
        unit = Unit()
        done: list[Entry] = []
        delivered: Entry | None = None
        now_ms = self._context.clock()
        for result in message.results:
            entry = self._outbox.answered(result.id)
            if entry is None:
                self._resender.answered(result)
                continue
            if self._is_final(unit, entry, result, now_ms):
                self._context.messages.take(unit, entry.row)
                done.append(entry)
                if result.state == PostState.DELIVERED and entry.accepted_ms:
                    delivered = entry
        if done:
            if delivered is not None:
                # One of a frame stands for all: an observation costs as much as an encryption.
                metrics.core_delivery_seconds.observe(max(now_ms - delivered.accepted_ms, 0) / 1_000)
            try:
                self._context.database.commit_then(unit, partial(self._committed, done))
            except CorefastError as error:
                self._committed(done, error)

    def _is_final(self, unit: Unit, entry: Entry, result: PostResult, now_ms: int) -> bool:
        """Add what *result* means to *unit*; tell whether the ciphertext has done its work."""
        lane, state = entry.lane, result.state
        at_ms = max(entry.accepted_ms, min(result.at_ms, now_ms))
        if state == PostState.DELIVERED:
            self._statuses.delivered(unit, entry.row, lane.peer, at_ms)
        elif state == PostState.STORED:
            self._statuses.sent(unit, entry.row, lane.peer, at_ms)
        elif state == PostState.UNKNOWN:
            lane.outdate()
            self._statuses.ended(unit, entry.row, lane.peer, at_ms, RECEIVER_INCAPABLE)
        elif state == PostState.DEVICES_CHANGED:
            self._outdate(lane)
            lane.put_back(entry.row)
            self._preparer.wake(lane)
            return False
        else:
            lane.failures += 1
            self._outbox.block(entry, min(_FIRST_REFUSAL_MS << min(lane.failures, 10), _LAST_REFUSAL_MS))
            return False
        lane.failures = lane.changes = 0
        return True

    def _outdate(self, lane: Lane) -> None:
        """Have a new bundle fetched, after a pause where the last ones did not help."""
        if lane.devices_version:  # else it is the same change, told of another post
            lane.changes += 1
            if lane.changes > _FREE_CHANGES:
                doubled = min(lane.changes - _FREE_CHANGES - 1, 10)
                self._lanes.block(lane, min(_FIRST_REFUSAL_MS << doubled, _LAST_REFUSAL_MS))
        lane.outdate()

    def _committed(self, entries: list[Entry], error: Exception | None) -> None:
        if error is not None:
            # The relay answers a repeat as it answered the first; meanwhile what follows in these lanes waits.
            log.warning("states could not be stored", code=getattr(error, "code", "internal"))
            for entry in entries:
                self._outbox.block(entry, _COMMIT_RETRY_MS)
            return
        for entry in entries:
            self._lanes.count(entry.lane, -1)
            if entry.lane.waiting:
                self._preparer.wake(entry.lane)
        self._context.bell.ring()
