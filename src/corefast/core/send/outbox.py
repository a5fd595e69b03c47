"""Ciphertexts on their way to the relay, and back when the way broke.

Knows nothing of sessions. Memory holds `MAX_READY` of them; the rest waits in the table and is read when there is room.
"""

import asyncio
from collections import deque

import msgspec

from corefast.core.context import Context
from corefast.core.send.lane import Entry, Lane, Lanes
from corefast.core.store.messages import PostRow
from corefast.errors import CorefastError, SealBroken
from corefast.limits import MAX_UNANSWERED_POSTS
from corefast.logs import get_logger
from corefast.net.transport import Peer
from corefast.wire.messages import Post, PostBatch

log = get_logger()

MAX_READY = 8_192
"""Ciphertexts kept in memory for the relay."""

MAX_UNANSWERED_BYTES = 4_194_304
"""Bytes of posts without a result: a quarter of what a link may queue."""

MAX_BATCH_POSTS = 512
MAX_BATCH_BYTES = 524_288
"""Half of the largest message a link carries."""

_PAGE = 1_000
_RETRY_S = 1.0

encode_post = msgspec.msgpack.Encoder().encode
_decode_post = msgspec.msgpack.Decoder(Post).decode


class Outbox:
    """Posts committed ciphertexts in order, each until it has a result."""

    def __init__(self, context: Context, lanes: Lanes) -> None:
        self._context = context
        self._lanes = lanes
        self._loop = asyncio.get_running_loop()
        self._peer: Peer | None = None
        self._ready: deque[Entry] = deque()
        self._unanswered: dict[bytes, Entry] = {}
        self._unanswered_bytes = 0
        self._known: set[int] = set()
        """Rows that are in memory: ready, unanswered or in the backlog of their lane."""
        self._is_scheduled = False
        self._is_spilled = True
        """The table holds ciphertexts behind `_read_to` that memory does not; so it is at the start."""
        self._read_to = 0
        self._reading: asyncio.Task[None] | None = None
        self._late: list[Entry] = []
        """Added while a page was being read."""
        lanes.listeners.append(self.release)

    @property
    def unanswered(self) -> int:
        return len(self._unanswered)

    def add(self, entry: Entry) -> None:
        """Take a ciphertext whose commit is done, unless reading, which may see that before us, has brought it."""
        if entry.row in self._known:
            return
        if self._is_spilled or len(self._ready) >= MAX_READY:
            self._spill(entry)
            return
        self._keep(entry)
        self._schedule()

    def _spill(self, entry: Entry) -> None:
        """Leave it in the table, where reading goes on, or back, to it; or a read that may have missed it takes it."""
        if self._reading is not None:
            self._late.append(entry)
        else:
            self._read_to = min(self._read_to, entry.row - 1) if self._is_spilled else entry.row - 1
        self._is_spilled = True
        self._schedule()

    def answered(self, message_id: bytes) -> Entry | None:
        """Return the entry that a result is for, once."""
        entry = self._unanswered.pop(message_id, None)
        if entry is not None:
            self._unanswered_bytes -= entry.size
            self._known.discard(entry.row)
            if self._ready or self._is_spilled:
                self._schedule()
        return entry

    def again(self, entries: list[Entry]) -> None:
        """Post these again, before all others."""
        self._known.update(entry.row for entry in entries)
        self._ready.extendleft(reversed(entries))
        self._schedule()

    def block(self, entry: Entry, delay_ms: int) -> None:
        """Hold back *entry* and what follows it in its lane."""
        self._known.add(entry.row)
        entry.lane.backlog.append(entry)
        self._lanes.block(entry.lane, delay_ms)

    def release(self, lane: Lane) -> None:
        """Post what was held back."""
        if lane.backlog and not lane.is_blocked:
            entries, lane.backlog = sorted(lane.backlog, key=lambda entry: entry.row), []
            self.again(entries)

    def attached(self, peer: Peer) -> None:
        """Begin to post on a fresh link."""
        self._peer = peer
        self._schedule()

    def lost(self) -> None:
        """The link is gone: what has no result is posted again on the next one, before all others."""
        self._peer = None
        entries = list(self._unanswered.values())
        self._unanswered.clear()
        self._unanswered_bytes = 0
        self._ready.extendleft(reversed(entries))

    def clear(self) -> None:
        """Forget every ciphertext in memory; those in the table come again."""
        self._is_spilled, self._read_to = True, 0
        self._ready.clear()
        self._unanswered.clear()
        self._unanswered_bytes = 0
        self._known.clear()

    def _schedule(self) -> None:
        if not self._is_scheduled and self._peer is not None:
            self._is_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_scheduled = False
        ready = self._ready
        while ready and self._peer is not None:
            posts = self._take_batch()
            if not posts:
                break
            self._peer.notify(PostBatch(self._context.lease.commit_seq, posts))
        if self._is_spilled and len(ready) < MAX_READY // 2 and self._reading is None and self._peer is not None:
            self._reading = self._loop.create_task(self._read())

    def _take_batch(self) -> list[Post]:
        posts: list[Post] = []
        size = 0
        ready, unanswered = self._ready, self._unanswered
        while ready and len(posts) < MAX_BATCH_POSTS and size < MAX_BATCH_BYTES:
            if len(unanswered) >= MAX_UNANSWERED_POSTS or self._unanswered_bytes >= MAX_UNANSWERED_BYTES:
                break
            entry = ready.popleft()
            if entry.lane.is_blocked:
                entry.lane.backlog.append(entry)
                continue
            unanswered[entry.post.id] = entry
            self._unanswered_bytes += entry.size
            size += entry.size
            posts.append(entry.post)
        return posts

    async def _read(self) -> None:
        """Read the next ciphertexts from the table."""
        try:
            while self._is_spilled and len(self._ready) < MAX_READY:
                self._take_page(await self._context.messages.load_posts(self._read_to, _PAGE))
        except CorefastError as error:
            log.warning("the outbox could not be read", code=error.code)
            self._loop.call_later(_RETRY_S, self._schedule)
        finally:
            self._step_back()
            self._reading = None
        self._schedule()

    def _take_page(self, rows: list[PostRow]) -> None:
        for row, peer, number, post in rows:
            if row not in self._known:
                lane = self._lanes.get(number)
                lane.peer = peer
                self._load(row, lane, post)
        if rows:
            self._read_to = rows[-1][0]
        self._is_spilled = len(rows) == _PAGE
        if self._is_spilled:
            self._step_back()
            return
        late, self._late = self._late, []
        for entry in late:
            if entry.row not in self._known:
                self._keep(entry)

    def _load(self, row: int, lane: Lane, post: bytes) -> None:
        try:
            self._keep(Entry(row, lane, _decode_post(post)))
        except msgspec.DecodeError:
            log.error("a stored ciphertext is damaged; the message is encrypted anew", code=SealBroken.code)
            lane.put_back(row)
            self._lanes.tell(lane)

    def _step_back(self) -> None:
        """Have the next page begin before whatever came late."""
        if self._late:
            self._read_to = min(self._read_to, min(entry.row for entry in self._late) - 1)
            self._late = []

    def _keep(self, entry: Entry) -> None:
        self._known.add(entry.row)
        self._ready.append(entry)
