"""Standard input and output of a phone, beside the loop: a slow reader must not stop the link."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator

MAX_LINE_BYTES = 65_536
"""A longer line is cut and reported as one that cannot be read."""

MAX_LINES = 1_000
_READ_BYTES = 65_536


class Lines:
    """Lines of a file descriptor, read by a thread; works with pipes, files and terminals alike."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_LINES)
        threading.Thread(target=self._read, name="phone-input", daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (line := await self._queue.get()) is not None:
            yield line

    def _read(self) -> None:
        # os.read and not sys.stdin: a thread inside a buffered reader would break the end of the program.
        rest = b""
        while data := self._read_some():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._put(line)
            rest = rest[: MAX_LINE_BYTES + 1]
        if rest:
            self._put(rest)
        self._put(None)

    def _read_some(self) -> bytes:
        try:
            return os.read(self._descriptor, _READ_BYTES)
        except OSError:
            return b""

    def _put(self, line: bytes | None) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self._queue.put(line), self._loop).result()
        except RuntimeError:
            raise SystemExit from None  # the loop is closed: the program ends


class Output:
    """Writes to stdout in the order of the calls; a call returns when the bytes have left this process."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def write(self, data: bytes) -> None:
        """Write and flush; raise `BrokenPipeError` when nobody reads any more."""
        async with self._turn:
            await asyncio.to_thread(_write, data)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
