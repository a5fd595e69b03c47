"""The one connection that writes: a transaction a batch, tried again until it is known to be durable or not.

Each transaction begins with the fence: it moves the number in our row of `store_writer` up, if epoch and number there
are still ours. So a later process of the same owner takes over at once; and after a COMMIT without an answer the
number, read under the row's lock, tells whether it happened. Another node of a cluster knows no such lock: there the
commit in doubt may still arrive, and then the fence meets its number when the batch is tried again.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from corefast.errors import CorefastError, RowCountUnexpected, SetupError, StoreBusy, StoreError
from corefast.logs import get_logger
from corefast.store.database import Rows
from corefast.store.mysql.address import Address
from corefast.store.mysql.batch import Batch, CountUnproven
from corefast.store.mysql.error import Refused, Retry
from corefast.store.mysql.safety import check_settings
from corefast.store.mysql.session import WRITER, Session, Timing, connect
from corefast.store.mysql.text import Shapes, literal

BULK_ROWS = 8
"""From so many rows on a round trip of their own is cheaper than their text."""

_SCRIPT_CHARACTERS = 2_000_000
"""Text sent at once; a server takes 16 MiB, and answers while the next is made."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.5

WRITER_TABLE = (
    "CREATE TABLE IF NOT EXISTS store_writer (owner VARCHAR(64) NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL,"
    " number BIGINT NOT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
)
_TAKE = (
    "BEGIN; INSERT INTO store_writer (owner, epoch, number) VALUES ({owner}, 1, 0)"
    " ON DUPLICATE KEY UPDATE epoch = epoch + 1; SELECT epoch, number FROM store_writer WHERE owner = {owner}"
)
_FENCE = "UPDATE store_writer SET number = number + 1 WHERE owner = {owner} AND epoch = {epoch} AND number = {number}"
_READ = "SELECT epoch, number FROM store_writer WHERE owner = {owner} FOR UPDATE; ROLLBACK"
_STANDS = "SELECT 1 FROM store_writer WHERE owner = {owner} AND epoch = {epoch} AND number = {number}"

_BEGIN_ON_NODE = "SET autocommit = 0; BEGIN"
"""A node rolls a transaction back when another one was first, also between two statements that travel together, and
then may run the rest. That has to be within a transaction too, which ends when the fence does not stand."""

_log = get_logger("corefast.store")


class FenceMoved(Exception):
    """Our row of `store_writer` is not as we left it."""


class Writer:
    """Runs batches, one at a time, and keeps the connection alive in between."""

    def __init__(self, address: Address, owner: str, timing: Timing) -> None:
        self._loop = asyncio.get_running_loop()
        self._address = address
        self._owner = literal(owner)
        self._timing = timing
        self._shapes = Shapes()
        self._session: Session | None = None
        self._busy = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._epoch = 0
        self._number = 0
        self.is_closing = False
        self._beating: asyncio.TimerHandle | None = None

    async def check(self) -> None:
        """Connect, and raise `SetupError` where the server's settings are not safe."""
        await self._connected()

    async def open(self) -> None:
        """Take over from an earlier process of the same owner."""
        give_up = time.monotonic() + self._timing.give_up_s
        while True:
            try:
                session = await self._connected()
                *_, found = await session.run(_TAKE.format(owner=self._owner))
                await session.run("COMMIT")
                if await self._is_taken(session, found.rows or []):
                    break
            except Retry:
                await self._roll_back()
                if time.monotonic() > give_up:
                    raise
            await asyncio.sleep(_FIRST_PAUSE_S)
        self._beat_later()

    async def _is_taken(self, session: Session, ours: Rows) -> bool:
        """Tell whether the epoch that we read within the transaction is there after it."""
        [found, _] = await session.run(_READ.format(owner=self._owner))
        [(self._epoch, self._number)] = ours
        rows = found.rows or []
        is_taken = bool(rows) and rows[0][0] >= self._epoch
        if not is_taken:
            self._epoch = 0
        return is_taken

    async def close(self) -> None:
        """Let go of the connection; nothing may be running."""
        self.is_closing = True
        if self._beating is not None:
            self._beating.cancel()
        async with self._busy:
            session, self._session = self._session, None
        if session is not None:
            await session.close()

    # ── as a lane sees it ──────────────────────────────────────────────────────────────────────────────────────────

    def new_batch(self) -> Batch:
        return Batch(self._shapes)

    def start(self, batch: Batch, done: Callable[[], None]) -> None:
        self._spawn(self._serve(batch, done))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, batch: Batch, done: Callable[[], None]) -> None:
        start = time.monotonic()
        try:
            async with self._busy:
                await self._decide(batch)
        except CorefastError as error:
            batch.failure = error
        except Exception as error:
            _log.error("a transaction failed", error=type(error).__name__)
            batch.failure = StoreError(f"MySQL: {type(error).__name__}")
        batch.seconds = time.monotonic() - start
        done()

    # ── a transaction ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _decide(self, batch: Batch) -> None:
        """Return when *batch* is durable; raise when it is not and will not be."""
        give_up = time.monotonic() + self._timing.give_up_s
        pause = _FIRST_PAUSE_S
        joined = True
        is_doubtful = False
        while True:
            try:
                session = await self._connected()
                await self._apply(session, batch, joined=joined)
                is_doubtful = True
                return await self._commit(session, give_up)
            except FenceMoved:
                await self._roll_back()
                if await self._has_happened(give_up) and is_doubtful:
                    return
                raise RowCountUnexpected("another process has taken this database over") from None
            except CountUnproven:
                joined = False
                await self._roll_back()
                continue
            except Retry as retry:
                failure = retry.error
            except BaseException:
                await self._roll_back()
                raise
            await self._roll_back()
            if time.monotonic() > give_up:
                raise failure
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _apply(self, session: Session, batch: Batch, *, joined: bool) -> None:
        """Run everything up to the COMMIT."""
        script = _Script(session)
        if session.is_clustered:
            script.add(_BEGIN_ON_NODE, None, 2)
        else:
            script.add("BEGIN")
        script.add(_FENCE.format(owner=self._owner, epoch=self._epoch, number=self._number), _check_fence)
        for group in batch.groups():
            if joined and session.can_bulk and group.shape.prepared and len(group.calls) >= BULK_ROWS:
                await script.send()
                changes = await session.bulk(group.shape.prepared, [call.params for call in group.calls])
                if changes is not None:
                    group.whole().finish(changes, [])
                    continue
            for run in group.runs(joined=joined):
                script.add(run.sql, run.finish, run.shape.steps)
                if script.size > _SCRIPT_CHARACTERS:
                    await script.send()
        if session.is_clustered:
            stands = _STANDS.format(owner=self._owner, epoch=self._epoch, number=self._number + 1)
            script.add(stands, _check_stands)
        await script.send()

    async def _commit(self, session: Session, give_up: float) -> None:
        """Return when the transaction is durable; raise when it was rolled back."""
        try:
            await session.run("COMMIT")
            self._number += 1
            return
        except Retry as retry:
            failure: Exception = retry
        except CorefastError as error:
            failure = error
        # An open transaction ends with its connection.
        session.drop()
        _log.warning("the outcome of a commit is unknown")
        if not await self._has_happened(give_up):
            raise failure

    async def _has_happened(self, give_up: float) -> bool:
        """Tell whether the COMMIT did; asks until the database answers, or until we are closed and it is late."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                # The row's lock is held by the transaction in doubt until that is decided.
                [found, _] = await (await self._connected()).run(_READ.format(owner=self._owner))
                break
            except Retry:
                if self.is_closing and time.monotonic() > give_up:
                    raise StoreError("whether a commit happened could not be found out") from None
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        [(epoch, number)] = found.rows or [(0, 0)]
        if epoch != self._epoch:
            raise RowCountUnexpected("another process has taken this database over")
        happened = bool(number == self._number + 1)
        self._number = int(number)
        return happened

    async def _roll_back(self) -> None:
        """Undo what is open; where even that fails the connection goes, and with it the transaction."""
        session = self._session
        if session is None:
            return
        try:
            if session.is_open:
                await session.run("ROLLBACK")
                return
        except Exception:
            session.drop()
        self._session = None

    # ── the connection ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _connected(self) -> Session:
        if self._session is None or not self._session.is_open:
            self._session = None
            try:
                session = await connect(self._address, self._timing, WRITER)
            except Refused:
                if not self._epoch:
                    raise
                raise Retry(StoreBusy("the database refuses us"), is_lost=True) from None
            try:
                await check_settings(session)
            except SetupError as error:
                session.drop()
                if not self._epoch:
                    raise
                raise Retry(StoreBusy(str(error)), is_lost=True) from None
            except BaseException:
                session.drop()
                raise
            self._session = session
        return self._session

    def _beat_later(self) -> None:
        if not self.is_closing:
            self._beating = self._loop.call_later(self._timing.heartbeat_s, lambda: self._spawn(self._beat()))

    async def _beat(self) -> None:
        """Say a word, so that the server knows that we are not frozen; a lost connection is opened again."""
        if not self._busy.locked():
            async with self._busy:
                try:
                    await (await self._connected()).ping()
                except (CorefastError, Retry):
                    self._session = None
        self._beat_later()


def _check_fence(changes: int, rows: object) -> None:
    if changes != 1:
        raise FenceMoved


def _check_stands(changes: int, rows: Rows) -> None:
    if not rows:
        raise Retry(StoreBusy("the node has rolled the transaction back"), is_lost=True)


class _Script:
    """Statements that travel together, and who looks at the answers."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._texts: list[str] = []
        self._checks: list[tuple[Callable[[int, Any], None] | None, int]] = []
        self.size = 0

    def add(self, sql: str, check: Callable[[int, Any], None] | None = None, steps: int = 1) -> None:
        self._texts.append(sql)
        self._checks.append((check, steps))
        self.size += len(sql)

    async def send(self) -> None:
        """Run what was added; raise what the checks raise."""
        if not self._texts:
            return
        answers = iter(await self._session.run(";".join(self._texts)))
        checks, self._texts, self._checks, self.size = self._checks, [], [], 0
        for check, steps in checks:
            changes, rows = 0, []
            for _ in range(steps):
                answer = next(answers)
                if answer.rows is None:
                    changes = answer.changes
                else:
                    rows = answer.rows
            if check is not None:
                check(changes, rows)
