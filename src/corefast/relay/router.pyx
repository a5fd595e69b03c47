"""Posts in, items out: which mailbox, whether through the disk, and who has to be told what.

Knows neither sockets nor SQL. Everything that happens in one tick of the loop leaves together in `flush`: one unit of
writes, one `PostResults` and one `Deliver` for each connection.

The order of a mailbox is the order of `seq`. An item is HELD only while its connection is drained; otherwise it is
queued for the disk at once, so rows become durable in the order of their `seq`, and a reader that remembers the last
one it saw misses none.
"""

from collections import deque
from functools import partial

from corefast.limits import (
    DIRECT_WAIT_MS as _DIRECT_WAIT_MS,
    MAX_UNACKED_BYTES as _MAX_UNACKED_BYTES,
    MAX_UNANSWERED_POSTS as _MAX_UNANSWERED_POSTS,
    MESSAGE_TTL_MS as _MESSAGE_TTL_MS,
)
from corefast.relay.ledger cimport Ledger
from corefast.relay.mailbox cimport DRAINING, GONE, HELD, LIVE, QUEUED, STORED, WRITING, are_named_by
from corefast.relay.mailbox import ITEM_OVERHEAD as _ITEM_OVERHEAD, SHARD_BITS as _SHARD_BITS
from corefast.wire.messages import Kind, PostResult, PostState

cdef int64_t DIRECT_WAIT_MS = _DIRECT_WAIT_MS
cdef int MAX_UNANSWERED_POSTS = _MAX_UNANSWERED_POSTS
cdef int64_t ITEM_OVERHEAD = _ITEM_OVERHEAD
cdef int SHARD_BITS = _SHARD_BITS

cdef int S_STORED = PostState.STORED
cdef int S_DELIVERED = PostState.DELIVERED
cdef int S_DEVICES_CHANGED = PostState.DEVICES_CHANGED
cdef int S_UNKNOWN = PostState.UNKNOWN
cdef int S_REFUSED = PostState.REFUSED
cdef int K_DELIVERED = Kind.DELIVERED

PAGE_ROWS = 256
PAGE_BYTES = _MAX_UNACKED_BYTES

# How long a write that failed waits, where there is somebody to wait for.
cdef int64_t RETRY_MS = 1_000


cdef class Router:
    """Moves items between connections, mailboxes and the store.

    *store* has `write(rows, removals, done)` and `read(mailbox, after, now_ms, limit, done)`; *clock* tells unix
    milliseconds; *wake* asks that `flush` be called at the end of this tick; *journal* is told of each envelope taken.
    """

    def __init__(self, object store not None, object clock not None, object wake not None, *,
                 int64_t next_seq=1, object journal=None):
        self.accounts = {}
        self.devices = {}
        self._store = store
        self._ledger = Ledger(store, self._written)
        self._clock = clock
        self._wake = wake
        self._journal = journal
        self._next_seq = next_seq
        self._held = deque()
        self._dirty = []
        self._states = [0] * 6

    # ── connections ────────────────────────────────────────────────────────────────────────────────────────────────

    def attach(self, Outlet outlet not None, list shards not None):
        """Open the mailboxes of *shards* to *outlet*; nobody else may hold one of them."""
        cdef Mailbox box
        for shard in shards:
            box = outlet.device.box(shard)
            if box.outlet is not None:
                raise ValueError("the mailbox belongs to another connection")
            outlet.boxes.append(box)
            outlet.draining += 1
            box.open(outlet)
            self._read(box)

    def detach(self, Outlet outlet not None):
        """Forget the connection; what it had not acked and is on no disk goes there at once."""
        cdef Item item
        cdef Mailbox box
        outlet.is_open = False
        for entry in outlet.in_flight.values():
            item = <Item>entry
            if item.state == HELD:
                self._queue(item)
        outlet.in_flight = {}
        outlet.in_flight_bytes = 0
        outlet.results, outlet.pending = [], []
        for entry in outlet.boxes:
            box = <Mailbox>entry
            box.shut()
        outlet.boxes.clear()

    def restore(self, int64_t mailbox, int64_t items, int64_t size):
        """Say how many rows a mailbox has in the store, once at the start."""
        cdef Mailbox box = self.box(mailbox)
        self._ledger.count(box, items, size)

    def box(self, int64_t mailbox):
        """Return the mailbox with this key; its device has to be known."""
        return (<Device>self.devices[mailbox >> SHARD_BITS]).box(mailbox & ((1 << SHARD_BITS) - 1))

    # ── what clients say ───────────────────────────────────────────────────────────────────────────────────────────

    def post(self, Outlet sender not None, list posts not None):
        """Take *posts*; each gets its one result, now or later, in any order."""
        cdef int64_t now_ms = self._clock()
        for wire in posts:
            self._post(sender, wire, now_ms)

    def ack(self, Outlet outlet not None, list marks not None):
        """The connection's client has these items for good. Unknown numbers are ignored: acks may be repeated."""
        cdef int64_t now_ms = self._clock()
        cdef Item item
        for mark in marks:
            item = outlet.settle(mark)
            if item is not None:
                self._settle(item, now_ms)
        if outlet.draining:
            for box in outlet.boxes:
                self._pump(<Mailbox>box)

    cdef int _post(self, Outlet sender, object wire, int64_t now_ms) except -1:
        found = self.accounts.get(wire.to)
        if found is None:
            return self._answer(sender, wire.id, S_UNKNOWN, now_ms)
        if not (<Account>found).could_take(wire) or sender.unanswered >= MAX_UNANSWERED_POSTS:
            return self._answer(sender, wire.id, S_REFUSED, now_ms)
        devices = (<Account>found).others(sender.device)
        if (<Account>found).devices_version != wire.devices_version or not are_named_by(devices, wire.parts):
            return self._answer(sender, wire.id, S_DEVICES_CHANGED, now_ms)
        return self._accept(sender, devices, wire, now_ms)

    cdef int _accept(self, Outlet sender, list devices, object wire, int64_t now_ms) except -1:
        """Take the post as a whole or not at all."""
        cdef bytes id = wire.id
        cdef Post post = Post(id, sender)
        cdef Mailbox box
        cdef Item item
        cdef list fresh = []
        cdef int64_t expires_ms = min(max(wire.expires_ms, 0), now_ms + _MESSAGE_TTL_MS)
        for device, part in zip(devices, wire.parts):
            box = (<Device>device).box_for(sender.device.account.number)
            item = box.find(id, sender.device)
            if item is None:
                if not box.has_room(len(part.body) + ITEM_OVERHEAD):
                    return self._answer(sender, id, S_REFUSED, now_ms)
                item = Item(box, sender.device, id, part.kind, part.body)
                item.expires_ms = expires_ms
                item.post = post
                fresh.append(item)
            elif item.post is not None and not item.post.is_answered:
                return self._repeat(item.post, sender)
            else:
                post.is_stored = True
        if not fresh:
            return self._answer(sender, id, S_STORED, now_ms)
        post.waiting = len(fresh)
        post.acked_by = [] if len(devices) > 1 else None
        post.asked = 1
        sender.unanswered += 1
        for entry in fresh:
            self._take(<Item>entry, now_ms)
            if self._journal is not None:
                self._journal(entry)
        return 0

    cdef int _repeat(self, Post post, Outlet sender) except -1:
        """Answer a post that is still on its way to whoever asked last, as often as it asked."""
        if post.sender is not sender:
            post.sender.unanswered -= post.asked
            post.sender = sender
            post.asked = 0
        post.asked += 1
        sender.unanswered += 1
        return 0

    # ── items on their way ─────────────────────────────────────────────────────────────────────────────────────────

    cdef int _take(self, Item item, int64_t now_ms) except -1:
        """Append *item* to its mailbox: to a drained connection at once, else to the disk."""
        cdef Mailbox box = item.box
        item.seq = self._next_seq
        self._next_seq += 1
        item.at_ms = now_ms
        if box.phase == LIVE and not box.outlet.has_window():
            box.fall_behind(item.seq - 1)
        if box.phase == LIVE:
            item.state = HELD
            item.due_ms = now_ms + DIRECT_WAIT_MS
            self._held.append(item)
            box.outlet.forward(item)
            return self._touch(box.outlet)
        self._queue(item)
        if box.phase == DRAINING:
            box.keep_in_tail(item)
        return 0

    cdef int _queue(self, Item item) except -1:
        self._ledger.put(item)
        return self._rouse()

    cdef int _settle(self, Item item, int64_t now_ms) except -1:
        """*item* was acked: cancel its write, or take it from the disk and tell its author."""
        cdef int state = item.state
        item.state = GONE
        if state == GONE:
            return 0
        self.acked += 1
        if state == STORED:
            if item.kind < 16:
                return self._report(K_DELIVERED, item.box, item.taken(), item.id, item.sender, None, now_ms)
            return self._remove(item.taken())
        self.direct += 1
        if state == WRITING:
            self._remove(item.taken())
        elif state == QUEUED:
            self._ledger.cancel(item)
        if state != WRITING and item.replaces is not None:
            self._remove(item.replaces)
        return self._resolve(item, False, now_ms)

    cdef int _resolve(self, Item item, bint is_stored, int64_t now_ms) except -1:
        """One part of a post is safe; answer when all are. Until then nothing was promised."""
        cdef Post post = item.post
        if post is None or post.is_answered:
            return 0
        post.waiting -= 1
        if is_stored:
            post.is_stored = True
        elif post.acked_by is not None:
            post.acked_by.append(item.box.owner)
        if post.waiting > 0:
            return 0
        if post.is_stored and post.acked_by and not post.sender.device.is_gone:
            return self._report_acked(post, now_ms)
        post.is_answered = True
        post.sender.unanswered -= post.asked
        for _ in range(post.asked):
            self._answer(post.sender, post.id, S_STORED if post.is_stored else S_DELIVERED, now_ms)
        return 0

    cdef int _report_acked(self, Post post, int64_t now_ms) except -1:
        """Some devices acked before any write and others did not: their receipts join the post's promise."""
        cdef list devices = post.acked_by
        post.acked_by = None
        post.waiting = len(devices)
        for device in devices:
            self._report(K_DELIVERED, (<Device>device).box_for(post.sender.device.account.number), None, post.id,
                         post.sender.device, post, now_ms)
        return 0

    cdef int _report(self, int kind, Mailbox box, tuple row, bytes id, Device author, Post post,
                     int64_t now_ms) except -1:
        """Tell *author* what became of its message in *box*; its *row*, where there is one, goes in the same unit."""
        cdef Mailbox to = author.box_for(box.owner.account.number)
        cdef Item item
        if author.is_gone or post is None and not to.has_room(ITEM_OVERHEAD):
            return self._remove(row)
        item = Item(to, box.owner, id, kind, b"")
        item.replaces = row
        item.post = post
        return self._take(item, now_ms)

    cdef int _answer(self, Outlet sender, bytes id, int state, int64_t now_ms) except -1:
        self._states[state] += 1
        if sender.is_open:
            sender.results.append(PostResult(id, state, now_ms))
            self._touch(sender)
        return 0

    cdef int _remove(self, tuple row) except -1:
        self._ledger.take(row)
        return self._rouse()

    cdef int _touch(self, Outlet outlet) except -1:
        if not outlet.is_dirty:
            outlet.is_dirty = True
            self._dirty.append(outlet)
            self._rouse()
        return 0

    # ── the disk ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def next_due_ms(self):
        """When `tick` has work to do; 0 for never."""
        cdef Item item
        if self._ledger.is_stuck():
            return self._clock() + RETRY_MS
        if not self._held:
            return 0
        item = self._held[0]
        return item.due_ms

    @property
    def states(self):
        """Results given so far, by `PostState`."""
        return list(self._states)

    @property
    def waiting(self):
        """Rows in all mailboxes, those on their way to the disk too."""
        return self._ledger.waiting

    def tick(self):
        """Write what was forwarded and not acked in time."""
        cdef int64_t now_ms = self._clock()
        cdef Item item
        while self._held:
            item = self._held[0]
            if item.state == HELD:
                if item.due_ms > now_ms:
                    break
                self._queue(item)
            self._held.popleft()
        if self._ledger.is_stuck():
            self._rouse()

    cdef int _rouse(self) except -1:
        if not self._is_awake:
            self._is_awake = True
            self._wake()
        return 0

    def flush(self):
        """Hand this tick's writes to the store and this tick's messages to the connections."""
        cdef Outlet outlet
        self._is_awake = False
        if self._ledger.has_work():
            self._ledger.hand_over()
        dirty, self._dirty = self._dirty, []
        for entry in dirty:
            outlet = <Outlet>entry
            outlet.flush()

    def _written(self, list items, list changed):
        """A unit is durable and *changed* says which items were new to the disk; None: it failed."""
        cdef int64_t now_ms = self._clock()
        cdef Item item
        for index, entry in enumerate(items):
            item = <Item>entry
            if item.state != WRITING:
                continue
            if changed is None:
                self._unwritten(item, now_ms)
            else:
                item.state = STORED if changed[index] or item.mark else GONE
                self._resolve(item, True, now_ms)
        for entry in items:
            if (<Item>entry).box.phase == DRAINING:
                self._pump((<Item>entry).box)

    cdef int _unwritten(self, Item item, int64_t now_ms) except -1:
        """The write failed and nobody was promised anything: keep what a device may still ack, and what we have to
        report; refuse the rest."""
        if item.box.outlet is not None and item.box.outlet.in_flight.get(item.mark) is item:
            item.state = HELD
            item.due_ms = now_ms + RETRY_MS
            self._held.append(item)
            return 0
        if item.kind >= 16:
            return self._ledger.put(item)
        item.state = GONE
        if item.post is not None and not item.post.is_answered:
            item.post.is_answered = True
            item.post.sender.unanswered -= item.post.asked
            return self._answer(item.post.sender, item.post.id, S_REFUSED, now_ms)
        return 0

    # ── the backlog ────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int _pump(self, Mailbox box) except -1:
        """Forward what a draining mailbox may send: rows that were read, then what came meanwhile and is stored."""
        cdef Item item
        cdef Outlet outlet = box.outlet
        while box.phase == DRAINING and outlet.has_window():
            if box.page:
                outlet.forward(<Item>box.page.popleft())
                self._touch(outlet)
            elif box.has_gap:
                return self._read(box)
            elif box.tail:
                item = <Item>box.tail[0]
                if item.state == QUEUED or item.state == WRITING:
                    return 0
                box.tail.popleft()
                if item.state == STORED and item.seq > box.cursor:
                    box.cursor = item.seq
                    outlet.forward(item)
                    self._touch(outlet)
            else:
                box.phase = LIVE
                outlet.draining -= 1
                self._touch(outlet)
        return 0

    cdef int _read(self, Mailbox box) except -1:
        """Read the next rows once everything accepted so far is durable; what comes from now on is kept in the tail."""
        if box.is_reading:
            return 0
        box.is_reading = True
        box.is_tail_cut = False
        return self._ledger.when_written(partial(self._start_read, box, box.outlet))

    def when_written(self, callback not None):
        """Call back once everything accepted so far is durable or has failed; at once where nothing waits."""
        self._ledger.when_written(callback)

    def _start_read(self, Mailbox box, Outlet outlet):
        """Ask for a page of about a window's bytes, judging by the mailbox's mean."""
        cdef int64_t limit
        if box.outlet is not outlet:
            return
        limit = PAGE_BYTES * box.items // box.bytes if box.bytes > 0 and box.items > 0 else PAGE_ROWS
        limit = max(8, min(limit, PAGE_ROWS))
        self._store.read(box.key, box.cursor, self._clock(), limit, partial(self._page, box, outlet, limit))

    def _page(self, Mailbox box, Outlet outlet, int64_t limit, object error, list rows):
        """Take rows (seq, kind, sender, at_ms, id, body) that the store has after the cursor."""
        cdef Item item
        if box.outlet is not outlet or not box.is_reading:
            return
        box.is_reading = False
        if error is not None:
            outlet.owner.cut(error)
            return
        for seq, kind, sender, at_ms, id, body in rows:
            item = Item(box, self.devices[sender], id, kind, body)
            item.seq, item.at_ms, item.state = seq, at_ms, STORED
            box.cursor = seq
            box.page.append(item)
        if len(rows) < limit and not box.is_tail_cut:
            box.has_gap = False
        self._pump(box)

    # ── what others decide ─────────────────────────────────────────────────────────────────────────────────────────

    def discard(self, int kind, list rows):
        """Take rows (seq, mailbox, kind, sender, size, id) from the store and tell their authors *kind*; 0: nobody.

        A message that is in flight to an open connection stays: its ack may be on the way.
        """
        cdef int64_t now_ms = self._clock()
        cdef Mailbox box
        for seq, mailbox, row_kind, sender, size, id in rows:
            box = self.box(mailbox)
            author = self.devices[sender]
            if row_kind < 16 and box.find(id, author) is not None:
                continue
            if row_kind < 16 and kind:
                self._report(kind, box, (seq, box, size), id, author, None, now_ms)
            else:
                self._remove((seq, box, size))
