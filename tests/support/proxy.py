"""A TCP proxy before a MySQL server that can lose a COMMIT, or the answer to it."""

import asyncio
import contextlib
from enum import Enum


class Fault(Enum):
    NONE = 0
    CUT_BEFORE = 1
    """The COMMIT does not reach the server, and the connection ends."""
    CUT_AFTER = 2
    """The server commits, and the connection ends before it can say so."""
    SILENT = 3
    """The server commits, and its answer gets lost; the connection stays."""
    LATE = 4
    """The connection ends, and the server gets the COMMIT some time after that."""


_COMMIT = b"\x07\x00\x00\x00\x03COMMIT"


class Proxy:
    """Forwards bytes; the next COMMIT meets *fault*, once. With *is_last* nobody gets through after that."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.fault = Fault.NONE
        self.late_s = 0.3
        self.is_last = False
        self.port = 0
        self.faults = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there = await asyncio.open_connection("127.0.0.1", self._target)
        silence = asyncio.Event()
        answers = asyncio.ensure_future(self._answer(there[0], writer, silence))
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                fault, self.fault = (self.fault, Fault.NONE) if _COMMIT in data else (Fault.NONE, self.fault)
                self.faults += fault is not Fault.NONE
                if fault is not Fault.NONE and self.is_last:
                    assert self._server is not None
                    self._server.close()
                if fault is Fault.CUT_BEFORE:
                    break
                if fault is Fault.LATE:
                    writer.close()
                    await asyncio.sleep(self.late_s)
                if fault is not Fault.NONE:
                    silence.set()
                there[1].write(data)
                if fault in (Fault.CUT_AFTER, Fault.LATE):
                    await asyncio.sleep(0.1)  # the server has long committed
                    break
        answers.cancel()
        writer.close()
        there[1].close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, silence: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if not silence.is_set():
                    writer.write(data)
        writer.close()
