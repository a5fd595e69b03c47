"""The queue before one connection: what arrives while a batch runs goes into the next.

Knows the loop and no SQL. A lane's connection is owned by its thread while a batch runs and by the loop in between.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from corefast.errors import Overloaded, StoreError
from corefast.limits import MAX_BATCH_UNITS, MAX_QUEUED_UNITS
from corefast.store.commit import Batch, Connection
from corefast.store.database import Op

Waiter = asyncio.Future[Any] | Callable[[Exception | None], None]


class _Load:
    """A batch and who waits for each of its units."""

    __slots__ = ("batch", "waiters")

    def __init__(self, connection: Connection) -> None:
        self.batch = Batch(connection)
        self.waiters: list[Waiter] = []


class Lane:
    """Feeds one connection, one batch at a time, in order."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._queue: deque[_Load] = deque()
        self._running: _Load | None = None
        self._waiting = 0
        self._is_scheduled = False
        self._idle: asyncio.Future[None] | None = None
        self._thread = threading.Thread(target=connection.serve, name=name, daemon=True)
        self._thread.start()
        self._loop.add_reader(connection.done_fd, self._finish)

    def put(self, ops: list[Op], waiter: Waiter) -> None:
        """Queue one unit; raise, and queue nothing, when closed, too far behind or given an impossible value."""
        if self._idle is not None:
            raise StoreError("the database is closed")
        if self._waiting >= MAX_QUEUED_UNITS:
            raise Overloaded("the database is behind")
        load = self._open_load()
        load.batch.add(ops)
        load.waiters.append(waiter)
        self._waiting += 1
        if self._running is None and not self._is_scheduled:
            # One turn of the loop: units made by the same turn share a transaction.
            self._is_scheduled = True
            self._loop.call_soon(self._start)

    def _open_load(self) -> _Load:
        if not self._queue or len(self._queue[-1].waiters) >= MAX_BATCH_UNITS:
            self._queue.append(_Load(self._connection))
        return self._queue[-1]

    async def close(self) -> None:
        """Refuse new units, run what is queued, end the thread."""
        if self._idle is None:
            self._idle = self._loop.create_future()
            self._note_idle()
            await asyncio.shield(self._idle)
            self._loop.remove_reader(self._connection.done_fd)
            self._connection.stop()
            self._thread.join()
        await asyncio.shield(self._idle)

    def _note_idle(self) -> None:
        if self._idle is not None and self._running is None and not self._queue and not self._idle.done():
            self._idle.set_result(None)

    def _start(self) -> None:
        self._is_scheduled = False
        while self._running is None and self._queue:
            load = self._queue.popleft()
            if not load.waiters:
                continue
            try:
                self._prepare(load.batch)
            except Exception as error:
                self._waiting -= len(load.waiters)
                for waiter in load.waiters:
                    self._answer(waiter, error, [])
                continue
            self._running = load
            self._connection.start(load.batch)

    def _finish(self) -> None:
        load, self._running = self._running, None
        assert load is not None
        self._connection.take()
        self._waiting -= len(load.waiters)
        self._note(load.batch)
        # The thread works on the next batch while the callbacks of this one run.
        self._start()
        self._settle(load.batch, load.waiters)
        self._note_idle()

    def _prepare(self, batch: Batch) -> None:
        """Called before *batch* runs; an exception fails it."""

    def _note(self, batch: Batch) -> None:
        """Called after *batch* ran, before the next one starts."""

    def _settle(self, batch: Batch, waiters: list[Waiter]) -> None:
        """Answer everyone who waits for *batch*."""
        raise NotImplementedError

    def _answer(self, waiter: Waiter, error: Exception | None, result: Any) -> None:
        if not isinstance(waiter, asyncio.Future):
            try:
                waiter(error)
            except Exception as raised:
                self._loop.call_exception_handler({"message": "a commit callback raised", "exception": raised})
        elif waiter.done():
            return
        elif error is None:
            waiter.set_result(result)
        else:
            waiter.set_exception(error)


class ReadLane(Lane):
    """Queries; each stands for itself."""

    def _settle(self, batch: Batch, waiters: list[Waiter]) -> None:
        results = batch.results()
        for waiter, error, rows in zip(waiters, batch.errors(), results, strict=True):
            self._answer(waiter, error, rows[0] if rows else [])


class CommitLane(Lane):
    """Units of work; a batch of them is one transaction."""

    def __init__(self, connection: Connection, name: str) -> None:
        super().__init__(connection, name)
        self.prelude: Callable[[], list[Op]] | None = None
        self.hooks: list[Callable[[int, float], None]] = []

    def _prepare(self, batch: Batch) -> None:
        if self.prelude is not None:
            batch.set_prelude(self.prelude())

    def _note(self, batch: Batch) -> None:
        if batch.error() is None:
            for hook in self.hooks:
                hook(len(batch), batch.seconds)

    def _settle(self, batch: Batch, waiters: list[Waiter]) -> None:
        if batch.error() is not None:
            for waiter in waiters:
                # Each gets its own exception: a shared one would grow a traceback per raise.
                self._answer(waiter, batch.error(), [])
            return
        for waiter, rows in zip(waiters, batch.results(), strict=True):
            self._answer(waiter, None, rows or [])
