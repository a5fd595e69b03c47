"""Reads of a store that is far away: pieces that lie together come in one request."""

import asyncio
from collections.abc import Awaitable, Callable

SPAN_BYTES = 524_288
MAX_SPANS = 32
"""Spans held for readers that are in the middle of them; with more readers some are fetched again."""

Fetch = Callable[[bytes, int, int], Awaitable[bytes]]
"""Returns bytes of a file: its name, the offset, how many."""


class Spans:
    """Asks *fetch* for whole spans, once for all who read them at a time; the last piece of one lets go of it."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._held: dict[tuple[bytes, int], asyncio.Future[bytes]] = {}

    async def read(self, name: bytes, offset: int, length: int, size: int) -> bytes:
        """Return *length* bytes from *offset* of a file of *size* bytes; all of them are in it."""
        pieces, end = [], offset + length
        while offset < end:
            start = offset - offset % SPAN_BYTES
            stop = min(start + SPAN_BYTES, size)
            span = await self._span(name, start, stop - start)
            pieces.append(span[offset - start : end - start])
            offset = min(stop, end)
            if offset == stop:
                self._held.pop((name, start), None)
        return b"".join(pieces)

    async def _span(self, name: bytes, start: int, length: int) -> bytes:
        key = (name, start)
        span = self._held.get(key)
        if span is None:
            if len(self._held) >= MAX_SPANS:
                del self._held[next(iter(self._held))]
            span = self._held[key] = asyncio.ensure_future(self._fetch(name, start, length))
            span.add_done_callback(lambda done: self._settle(key, done))
        return await asyncio.shield(span)

    def _settle(self, key: tuple[bytes, int], done: asyncio.Future[bytes]) -> None:
        """Remember no failure: the next who asks tries again."""
        if (done.cancelled() or done.exception() is not None) and self._held.get(key) is done:
            del self._held[key]
