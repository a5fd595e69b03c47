"""Rows on their way to the disk and off it: one unit a tick, in order, and a barrier to wait behind.

Knows how many rows each mailbox has, from what the disk says; knows nothing of connections and posts.
"""

from collections import deque
from functools import partial

from corefast.relay.mailbox cimport QUEUED, WRITING
from corefast.relay.mailbox import ITEM_OVERHEAD as _ITEM_OVERHEAD

cdef int64_t ITEM_OVERHEAD = _ITEM_OVERHEAD

# Rows to take that are kept for a database that fails; what is lost beyond is delivered again, and acked again.
cdef Py_ssize_t MAX_RETRIED = 100_000


cdef class Ledger:
    """Gives *store* what to write; *written* hears (items, whether each was new) or (items, None) where it failed.

    A row is named (seq, mailbox, size). A unit that fails leaves everything as it was: rows to take are tried again,
    items are the owner's to put again.
    """

    def __init__(self, object store not None, object written not None):
        self._store = store
        self._written = written
        self._puts, self._takes = [], []
        self._barriers = deque()

    cdef int put(self, Item item) except -1:
        """Queue *item*, and with it the row that it replaces."""
        item.state = QUEUED
        self._puts.append(item)
        return self.count(item.box, 1, len(item.body) + ITEM_OVERHEAD)

    cdef int cancel(self, Item item) except -1:
        """Leave out an item that is queued; its state has changed already."""
        return self.count(item.box, -1, len(item.body) + ITEM_OVERHEAD)

    cdef int take(self, tuple row) except -1:
        """Remove a row, whether it is there yet or not."""
        self._takes.append(row)
        return 0

    cdef int count(self, Mailbox box, int items, Py_ssize_t size) except -1:
        """Add rows of *size* bytes to what *box* has, or take them."""
        self.waiting += items
        box.items += items
        box.bytes += size if items > 0 else -size
        return 0

    cdef bint has_work(self) noexcept:
        return len(self._puts) > 0 or len(self._takes) > 0

    cdef bint is_stuck(self) noexcept:
        """True when a unit failed and its work waits for the next try."""
        return self._done == self._handed and self.has_work()

    cdef int when_written(self, object callback) except -1:
        """Call back once everything queued so far is durable or has failed; at once where nothing is."""
        needed = self._handed + (1 if self.has_work() else 0)
        if needed <= self._done:
            callback()
        else:
            self._barriers.append((needed, callback))
        return 0

    cdef int hand_over(self) except -1:
        """Make one unit of what is queued."""
        cdef Item item
        cdef list items = []
        cdef list rows = []
        cdef list replaced = []
        puts, self._puts = self._puts, []
        takes, self._takes = self._takes, []
        for entry in puts:
            item = <Item>entry
            if item.state != QUEUED:
                continue
            item.state = WRITING
            items.append(item)
            rows.append(item.row())
            if item.replaces is not None:
                replaced.append(item.replaces)
        self._handed += 1
        done = partial(self._finish, items, takes, replaced)
        try:
            self._store.write(rows, [row[0] for row in takes + replaced], done)
        except Exception as error:
            done(error, [])
        return 0

    def _finish(self, list items, list takes, list replaced, object error, list changed):
        """The unit is durable or failed; *changed* says for each row put, then for each taken, whether it was."""
        self._done += 1
        if error is not None:
            for entry in items:
                self.cancel(<Item>entry)
            if len(self._takes) < MAX_RETRIED:
                self._takes.extend(takes)
            self._written(items, None)
        else:
            for entry, is_new in zip(items, changed):
                if not is_new:
                    self.cancel(<Item>entry)
            for row, was_there in zip(takes + replaced, changed[len(items):]):
                if was_there:
                    self.count(<Mailbox>row[1], -1, row[2])
            self._written(items, changed)
        while self._barriers and self._barriers[0][0] <= self._done:
            self._barriers.popleft()[1]()
