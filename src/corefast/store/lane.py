"""The queue before one connection: what arrives while a batch runs goes into the next.

Knows the loop; no SQL and no engine.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from corefast.errors import Overloaded, StoreError
from corefast.limits import MAX_BATCH_UNITS, MAX_QUEUED_UNITS
from corefast.store.database import Op, Rows, Unit

Waiter = asyncio.Future[Any] | Callable[[Exception | None], None]


class Batch(Protocol):
    """Units of work on their way through one connection: filled, run once, read once."""

    @property
    def seconds(self) -> float: ...

    def __len__(self) -> int: ...

    def add(self, ops: list[Op]) -> None:
        """Append one unit; raise `TypeError` or `OverflowError` for a value no database takes, and append nothing."""

    def set_prelude(self, ops: list[Op]) -> None: ...

    def error(self) -> Exception | None:
        """Return a new exception that says why the transaction failed, or None."""

    def results(self) -> list[list[Rows] | None]:
        """Return for each unit the rows of each of its statements that has columns; None where none has."""


B = TypeVar("B", bound=Batch)


class Runner(Protocol[B]):
    """One connection: runs the batches it made, one at a time."""

    def new_batch(self) -> B: ...

    def start(self, batch: B, done: Callable[[], None]) -> None:
        """Begin to run *batch*; call *done* on the loop, in a later turn, when it has run."""


class _Load(Generic[B]):
    """A batch and who waits for each of its units."""

    __slots__ = ("batch", "waiters")

    def __init__(self, batch: B) -> None:
        self.batch = batch
        self.waiters: list[Waiter] = []


class Lane(Generic[B]):
    """Feeds one connection, one batch at a time, in order."""

    def __init__(self, runner: Runner[B]) -> None:
        self._loop = asyncio.get_running_loop()
        self._runner = runner
        self._queue: deque[_Load[B]] = deque()
        self._running: _Load[B] | None = None
        self._waiting = 0
        self._is_scheduled = False
        self._idle: asyncio.Future[None] | None = None

    def put(self, ops: list[Op], waiter: Waiter) -> None:
        """Queue one unit; raise, and queue nothing, when closed, too far behind or given an impossible value."""
        if self._idle is not None:
            raise StoreError("the database is closed")
        if self._waiting >= MAX_QUEUED_UNITS:
            raise Overloaded("the database is behind")
        load = self._open_load()
        load.batch.add(ops)
        if not load.waiters:
            self._queue.append(load)
        load.waiters.append(waiter)
        self._waiting += 1
        if self._running is None and not self._is_scheduled:
            # One turn of the loop: units made by the same turn share a transaction.
            self._is_scheduled = True
            self._loop.call_soon(self._start)

    def _open_load(self) -> _Load[B]:
        if not self._queue or len(self._queue[-1].waiters) >= MAX_BATCH_UNITS:
            return _Load(self._runner.new_batch())
        return self._queue[-1]

    async def close(self) -> None:
        """Refuse new units and run what is queued."""
        if self._idle is None:
            self._idle = self._loop.create_future()
            self._note_idle()
        await asyncio.shield(self._idle)

    def _note_idle(self) -> None:
        if self._idle is not None and self._running is None and not self._queue and not self._idle.done():
            self._idle.set_result(None)

    def _start(self) -> None:
        self._is_scheduled = False
        while self._running is None and self._queue:
            load = self._queue.popleft()
            try:
                self._prepare(load.batch)
            except Exception as error:
                self._fail_followers(load)
                self._waiting -= len(load.waiters)
                for waiter in load.waiters:
                    self._answer(waiter, error, [])
                continue
            self._running = load
            self._runner.start(load.batch, self._finish)

    def _finish(self) -> None:
        load, self._running = self._running, None
        assert load is not None
        self._note(load)
        self._waiting -= len(load.waiters)
        # The connection works on the next batch while the callbacks of this one run.
        self._start()
        self._settle(load.batch, load.waiters)
        self._note_idle()

    def _fail_followers(self, load: _Load[B]) -> None:
        """Let all that is queued share the fate of *load*, which has failed."""
        for follower in self._queue:
            load.waiters += follower.waiters
        self._queue.clear()

    def _prepare(self, batch: B) -> None:
        """Called before *batch* runs; an exception fails it, and what is queued behind it."""

    def _note(self, load: _Load[B]) -> None:
        """Called after *load* ran, before the next one starts."""

    def _settle(self, batch: B, waiters: list[Waiter]) -> None:
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


class CommitLane(Lane[B]):
    """Units of work; a batch of them is one transaction.

    What is queued behind one that fails fails too: it was made from a memory in which the failed units were done.
    """

    def __init__(self, runner: Runner[B]) -> None:
        super().__init__(runner)
        self.prelude: Callable[[], list[Op]] | None = None
        self.hooks: list[Callable[[int, float], None]] = []
        self.is_failing = False
        """The last transaction failed."""

    def _prepare(self, batch: B) -> None:
        if self.prelude is None:
            return
        try:
            batch.set_prelude(self.prelude())
        except Exception:
            self.is_failing = True
            raise

    def _note(self, load: _Load[B]) -> None:
        self.is_failing = load.batch.error() is not None
        if self.is_failing:
            self._fail_followers(load)
            return
        for hook in self.hooks:
            hook(len(load.batch), load.batch.seconds)

    def _settle(self, batch: B, waiters: list[Waiter]) -> None:
        if batch.error() is not None:
            for waiter in waiters:
                # Each gets its own exception: a shared one would grow a traceback per raise.
                self._answer(waiter, batch.error(), [])
            return
        for waiter, rows in zip(waiters, batch.results(), strict=True):
            self._answer(waiter, None, rows or [])


class Committing:
    """What each engine's `Database` does with units: they go to the lane of the connection that writes."""

    def __init__(self, commits: CommitLane[Any]) -> None:
        self._loop = asyncio.get_running_loop()
        self._commits = commits

    def commit(self, unit: Unit) -> asyncio.Future[list[Rows]]:
        waiter: asyncio.Future[list[Rows]] = self._loop.create_future()
        self._commits.put(unit.ops, waiter)
        return waiter

    def commit_then(self, unit: Unit, callback: Callable[[Exception | None], None]) -> None:
        self._commits.put(unit.ops, callback)

    def set_prelude(self, prelude: Callable[[], list[Op]]) -> None:
        self._commits.prelude = prelude

    @property
    def is_failing(self) -> bool:
        return self._commits.is_failing

    def on_batch(self, hook: Callable[[int, float], None]) -> None:
        self._commits.hooks.append(hook)
