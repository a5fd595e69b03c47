"""The end of a background task, for certain."""

import asyncio

_PATIENCE_S = 0.1


async def end(task: asyncio.Task[None]) -> None:
    """Cancel *task* and wait for its end.

    Some code that a task waits for takes a cancellation for a failure of its own (a database driver whose answer comes
    just then, `asyncio.wait_for` before Python 3.12) and goes on: then it is cancelled once more.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_PATIENCE_S)
    if not task.cancelled():
        task.exception()
