"""Between an HTTP body and the core's messages about files: pieces under way in both directions, few at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from api.gateway import Core
from corefast.errors import CorefastError
from corefast.limits import BLOB_CHUNK_BYTES
from corefast.wire.gateway import Done
from corefast.wire.media import (
    DropMedia,
    FetchMedia,
    KeepMedia,
    MediaInfo,
    MediaKept,
    MediaOpened,
    MediaPart,
    OpenMedia,
    PutMedia,
    ReadMedia,
)

AHEAD = 6
"""Pieces under way of one file."""

FETCH_TIMEOUT_MS = 120_000
"""How long a core may take to fetch a whole file."""


async def put_media(core: Core, account: str, mime: str, pieces: AsyncIterator[bytes]) -> MediaInfo:
    """Pass a file on to the core as it comes in; return what it became."""
    opened = await core.call(OpenMedia(account, mime), MediaOpened)
    running: deque[asyncio.Future[Any]] = deque()
    rest = bytearray()
    offset = 0
    try:
        async for piece in pieces:
            rest += piece
            while len(rest) >= BLOB_CHUNK_BYTES:
                await _put(core, running, PutMedia(account, opened.number, offset, bytes(rest[:BLOB_CHUNK_BYTES])))
                offset += BLOB_CHUNK_BYTES
                del rest[:BLOB_CHUNK_BYTES]
        if rest:
            await _put(core, running, PutMedia(account, opened.number, offset, bytes(rest)))
        while running:
            await running.popleft()
        return (await core.call(KeepMedia(account, opened.number), MediaKept)).info
    except BaseException:
        _forget(running)
        _spawn(core.call(DropMedia(account, opened.number), Done))
        raise


async def _put(core: Core, running: deque[asyncio.Future[Any]], message: PutMedia) -> None:
    while len(running) >= AHEAD:
        await running.popleft()
    running.append(asyncio.ensure_future(core.call(message, Done)))


async def fetch_media(core: Core, account: str, media_id: str) -> MediaOpened:
    """Return a file that is ready to be read: the core has proved all of it."""
    return await core.call(FetchMedia(account, media_id), MediaOpened, timeout_ms=FETCH_TIMEOUT_MS)


async def read_media(core: Core, account: str, number: int) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file."""
    running: deque[asyncio.Future[MediaPart]] = deque()
    is_last = False
    try:
        while not is_last:
            while len(running) < AHEAD:
                running.append(asyncio.ensure_future(core.call(ReadMedia(account, number), MediaPart)))
            part = await running.popleft()
            is_last = part.is_last
            if part.data:
                yield part.data
    finally:
        _forget(running)
        _spawn(core.call(DropMedia(account, number), Done))


def _forget(running: deque[asyncio.Future[Any]]) -> None:
    for future in running:
        future.add_done_callback(lambda done: done.cancelled() or done.exception())


_tasks: set[asyncio.Task[None]] = set()


def _spawn(call: Any) -> None:
    """Make a call whose answer nobody waits for."""

    async def quietly() -> None:
        try:
            await call
        except CorefastError:
            pass  # it ends by itself in a minute

    task = asyncio.get_running_loop().create_task(quietly())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
