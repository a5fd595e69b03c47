"""Connections that read; each query stands for itself, and may be repeated."""

import asyncio
import time

from corefast.errors import Overloaded, StoreBusy, StoreError
from corefast.limits import MAX_QUEUED_UNITS
from corefast.store.database import Rows
from corefast.store.mysql.address import Address
from corefast.store.mysql.error import Refused, Retry
from corefast.store.mysql.session import READER, Session, Timing, connect

MAX_READERS = 4

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.5


class Pool:
    """A few read-only connections, opened when they are needed; who finds none waits in line."""

    def __init__(self, address: Address, timing: Timing) -> None:
        self._address = address
        self._timing = timing
        self._turn = asyncio.Semaphore(MAX_READERS)
        self._idle: list[Session] = []
        self._waiting = 0
        self._is_closed = False

    async def fetch(self, sql: str) -> Rows:
        """Return the rows of one query; raise `Overloaded` where too many wait."""
        if self._is_closed:
            raise StoreError("the database is closed")
        if self._waiting >= MAX_QUEUED_UNITS:
            raise Overloaded("the database is behind")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._insist(sql)
        finally:
            self._waiting -= 1

    async def _insist(self, sql: str) -> Rows:
        give_up = time.monotonic() + self._timing.give_up_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return await self._fetch(sql)
            except Retry as retry:
                failure: StoreError = retry.error
            except Refused:
                failure = StoreBusy("the database refuses us")
            if time.monotonic() > give_up or self._is_closed:
                raise failure
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _fetch(self, sql: str) -> Rows:
        session = await self._take()
        try:
            answers = await session.run(sql)
        finally:
            if session.is_open and not self._is_closed:
                self._idle.append(session)
            else:
                session.drop()
        return next((answer.rows for answer in answers if answer.rows is not None), [])

    async def _take(self) -> Session:
        while self._idle:
            session = self._idle.pop()
            if session.is_open:
                return session
            session.drop()
        return await connect(self._address, self._timing, READER)

    async def close(self) -> None:
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close()
