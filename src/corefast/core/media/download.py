"""Fetching what customers send: after the message is stored and told, so that no event waits for a file."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from corefast import metrics
from corefast.core.context import Context
from corefast.core.media.files import Files
from corefast.core.store.events import Fact
from corefast.core.store.media import MediaRow
from corefast.errors import BusyError, CorefastError, MediaDamaged, MediaUnknown
from corefast.logs import get_logger
from corefast.store.database import Unit

log = get_logger()

WORKERS = 3
MAX_QUEUED = 10_000
"""Files remembered at a time; the others wait in the table."""

RETRY_S = 30.0

Sleep = Callable[[float], Awaitable[None]]


class Downloads:
    """Fetches and proves each wanted file once; one that cannot be had becomes an event."""

    def __init__(self, context: Context, files: Files, sleep: Sleep = asyncio.sleep) -> None:
        self._context = context
        self._files = files
        self._sleep = sleep
        self._queue: deque[str] = deque()
        self._known: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_left = False
        """Some that are wanted are in the table alone."""
        self._is_closed = False

    async def load(self) -> None:
        """Go on with what is wanted and not remembered."""
        rows = await self._context.media.load_wanted(MAX_QUEUED)
        self._has_left = self._has_left or len(rows) >= MAX_QUEUED
        self.want([row.id for row in rows])

    def want(self, ids: list[str]) -> None:
        """Fetch these soon."""
        for media_id in ids:
            if media_id in self._known:
                continue
            if len(self._known) >= MAX_QUEUED:
                self._has_left = True
            else:
                self._known.add(media_id)
                self._queue.append(media_id)
        while self._queue and len(self._tasks) < WORKERS and not self._is_closed:
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        self._is_closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while await self._has_work():
            media_id = self._queue.popleft()
            try:
                is_done = await self._fetch(media_id)
            except Exception as error:
                log.warning("a medium could not be taken in", code=getattr(error, "code", type(error).__name__))
                is_done = False
            if is_done:
                self._known.discard(media_id)
            else:
                await self._sleep(RETRY_S)
                self._queue.append(media_id)

    async def _has_work(self) -> bool:
        """Tell whether the queue holds something, after a look at the table where something is left there."""
        while self._has_left and not self._queue:
            self._has_left = False
            try:
                await self.load()
                break
            except CorefastError as error:
                log.warning("the media that are wanted could not be read", code=error.code)
                self._has_left = True
                await self._sleep(RETRY_S)
        return bool(self._queue)

    async def _fetch(self, media_id: str) -> bool:
        """Return whether it is settled: the file is here, or never will be."""
        row = await self._context.media.load(media_id)
        if row is None or not row.is_wanted:
            return True
        unit = Unit()
        try:
            await self._files.keep(row.medium)
            metrics.core_media.labels("fetched").inc()
        except (MediaUnknown, MediaDamaged) as error:
            self._give_up(unit, row, error)
        except BusyError:
            return False
        self._context.media.settle(unit, media_id)
        await self._context.database.commit(unit)
        self._context.bell.ring()
        return True

    def _give_up(self, unit: Unit, row: MediaRow, error: CorefastError) -> None:
        log.warning("a customer's medium cannot be had", code=error.code)
        metrics.core_media.labels("failed").inc()
        self._context.events.put(unit, Fact.MEDIA_FAILED, self._context.clock(), row.peer, row.inbound)
