"""Accounts, their mailboxes, what lies in them, and the window of one connection.

These objects know neither the store nor the network nor the clock; the router moves them.
"""

from collections import deque

from corefast.address import shard_of
from corefast.limits import (
    MAX_ENVELOPE_BYTES as _MAX_ENVELOPE_BYTES,
    MAX_MAILBOX_BYTES as _MAX_MAILBOX_BYTES,
    MAX_MAILBOX_ITEMS as _MAX_MAILBOX_ITEMS,
    MAX_UNACKED_BYTES as _MAX_UNACKED_BYTES,
    MAX_UNACKED_ITEMS as _MAX_UNACKED_ITEMS,
)
from corefast.wire.messages import Deliver, Drained, PostResults
from corefast.wire.messages import Item as WireItem

cdef int64_t MAX_ITEMS = _MAX_MAILBOX_ITEMS
cdef int64_t MAX_BYTES = _MAX_MAILBOX_BYTES
cdef int64_t WINDOW_ITEMS = _MAX_UNACKED_ITEMS
cdef int64_t WINDOW_BYTES = _MAX_UNACKED_BYTES

cdef Py_ssize_t MAX_ENVELOPE = _MAX_ENVELOPE_BYTES

ID_BYTES = 16
SHARD_BITS = 6
MAX_SHARDS = 32

# One `Deliver` and one `PostResults` stay well below MAX_MESSAGE_BYTES.
cdef int64_t CHUNK_BYTES = 262_144
cdef Py_ssize_t CHUNK_RESULTS = 4_096

ITEM_OVERHEAD = 128
"""What an item costs beside its body, so that a million empty ones fill a mailbox too."""


cdef class Account:
    """A number, and the devices that a post to it has to name, in order of their device ids."""

    def __init__(self, str number not None, int devices_version, int shards):
        self.number = number
        self.devices_version = devices_version
        self.shards = shards
        self.devices = []

    cdef bint could_take(self, object post):
        """True for a post that any mailbox could take: form, kinds and sizes are right."""
        if len(post.id) != ID_BYTES:
            return False
        for part in post.parts:
            if part.kind not in (2, 3, 7) or len(part.body) > MAX_ENVELOPE:
                return False
        return True

    cdef list others(self, Device device):
        """Return the devices that a post of *device* has to name: all, but itself where it is one of them."""
        if device.account is not self:
            return self.devices
        return [each for each in self.devices if each is not device]


cdef bint are_named_by(list devices, list parts):
    """True when *parts* are for exactly these devices, in order."""
    if len(parts) != len(devices):
        return False
    for device, part in zip(devices, parts):
        if (<Device>device).address.device != part.device:
            return False
    return True


cdef class Device:
    """One device of an account; `row` is its id in the store and never used again for another."""

    def __init__(self, int64_t row, object address not None, Account account not None):
        self.row = row
        self.address = address
        self.account = account
        self.is_gone = False
        self._boxes = None

    cpdef Mailbox box(self, int shard):
        """Return the mailbox of *shard*."""
        if self._boxes is None:
            self._boxes = [None] * self.account.shards
        box = self._boxes[shard]
        if box is None:
            box = self._boxes[shard] = Mailbox(self, (self.row << SHARD_BITS) + shard)
        return <Mailbox>box

    cdef Mailbox box_for(self, str peer):
        """Return the mailbox for items that come from or are about *peer*."""
        return self.box(0 if self.account.shards == 1 else shard_of(peer, self.account.shards))


cdef class Mailbox:
    """What waits for one shard of one device; `items` and `bytes` count its rows, durable or on their way."""

    def __init__(self, Device owner not None, int64_t key):
        self.owner = owner
        self.key = key
        self.phase = AWAY

    cdef void open(self, Outlet outlet):
        """Belong to *outlet*, with everything in the store still to be read."""
        self.outlet = outlet
        self.phase = DRAINING
        self.unacked = {}
        self.page, self.tail = deque(), deque()
        self.cursor = 0
        self.has_gap = True
        self.is_tail_cut = self.is_reading = False

    cdef void shut(self):
        """Belong to nobody; only the store counts from here."""
        self.outlet = None
        self.phase = AWAY
        self.unacked = self.page = self.tail = None
        self.is_reading = False

    cdef void fall_behind(self, int64_t cursor):
        """The window is full: what follows *cursor* goes through the store."""
        self.phase = DRAINING
        self.cursor = cursor
        self.has_gap = self.is_tail_cut = False
        self.outlet.draining += 1

    cdef void keep_in_tail(self, Item item):
        """Remember what was accepted while draining; beyond a window's worth it is read from the store instead."""
        if self.is_tail_cut:
            return
        if len(self.tail) >= WINDOW_ITEMS:
            self.tail.clear()
            self.is_tail_cut = self.has_gap = True
        else:
            self.tail.append(item)

    cdef Item find(self, bytes id, Device author):
        """Return the unacked message of this connection that *author* gave this id."""
        if self.unacked is None:
            return None
        found = self.unacked.get(id)
        if found is not None and (<Item>found).sender is author:
            return <Item>found
        return None

    cdef bint has_room(self, Py_ssize_t size) noexcept:
        return self.items < MAX_ITEMS and self.bytes + size <= MAX_BYTES


cdef class Post:
    """One post of a sender, until it has its one result."""

    def __init__(self, bytes id not None, Outlet sender not None):
        self.id = id
        self.sender = sender


cdef class Item:
    """One item of one mailbox on its way.

    HELD: forwarded, not written. QUEUED, WRITING: on its way to the disk. STORED: durable. GONE: acked or not needed.
    *replaces* is the row whose removal this item reports; both happen in one unit.
    """

    def __init__(self, Mailbox box not None, Device sender not None, bytes id not None, int kind, bytes body not None):
        self.box = box
        self.sender = sender
        self.id = id
        self.kind = kind
        self.body = body
        self.state = QUEUED

    cpdef tuple row(self):
        """Return the values of the item's row, in the order of its columns."""
        return (
            self.seq,
            self.box.key,
            self.kind,
            self.sender.row,
            self.at_ms,
            self.expires_ms or None,
            len(self.body) + ITEM_OVERHEAD,
            1 if self.kind >= 16 else 0,
            self.id,
            self.body,
        )

    cdef tuple taken(self):
        """Return what names the item's row when it is to be removed."""
        return (self.seq, self.box, len(self.body) + ITEM_OVERHEAD)


cdef class Outlet:
    """What flows to one connection: its window of unacked items, and what leaves at the end of this tick."""

    def __init__(self, Device device not None, object send not None, object owner=None, int64_t last_mark=0):
        self.device = device
        self.owner = owner
        self._send = send
        self.boxes = []
        self.is_open = True
        self.in_flight = {}
        self.last_mark = last_mark
        self.results = []
        self.pending = []

    @property
    def mark(self):
        """The last number given to an item of this connection."""
        return self.last_mark

    cdef bint has_window(self) noexcept:
        return len(self.in_flight) < WINDOW_ITEMS and self.in_flight_bytes < WINDOW_BYTES

    cdef void forward(self, Item item):
        """Give *item* to the connection at the end of this tick."""
        self.last_mark += 1
        item.mark = self.last_mark
        self.in_flight[self.last_mark] = item
        self.in_flight_bytes += len(item.body)
        if item.kind < 16:
            item.box.unacked[item.id] = item
        self.pending.append(item)

    cdef Item settle(self, object mark):
        """Return the item that the connection knows as *mark* and forget it; None for a number that is not open."""
        cdef Item item
        found = self.in_flight.pop(mark, None)
        if found is None:
            return None
        item = <Item>found
        self.in_flight_bytes -= len(item.body)
        if item.kind < 16 and item.box.unacked is not None and item.box.unacked.get(item.id) is item:
            del item.box.unacked[item.id]
        return item

    cdef void flush(self):
        """Send what this tick brought: results, items, and once that the backlog is through."""
        cdef Item item
        cdef int64_t size = 0
        cdef list chunk
        self.is_dirty = False
        if not self.is_open:
            return
        if self.results:
            results, self.results = self.results, []
            for start in range(0, len(results), CHUNK_RESULTS):
                self._send(PostResults(results[start:start + CHUNK_RESULTS]))
        if self.pending:
            pending, self.pending = self.pending, []
            chunk = []
            for item in pending:
                chunk.append(WireItem(item.mark, item.id, item.kind, item.sender.address, item.at_ms, item.body))
                size += len(item.body) + ITEM_OVERHEAD
                if size >= CHUNK_BYTES:
                    self._send(Deliver(chunk))
                    chunk, size = [], 0
            if chunk:
                self._send(Deliver(chunk))
        if self.draining == 0 and not self.has_told_drained:
            self.has_told_drained = True
            self._send(Drained())
