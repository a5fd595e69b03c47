"""Collects garbage when a client asks for it, and tells by an event how much there was."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from corefast.core.context import Context
from corefast.core.store.events import Fact
from corefast.core.task import end
from corefast.errors import CorefastError
from corefast.logs import get_logger
from corefast.store.database import Unit
from corefast.wire.gateway import Done
from corefast.wire.stats import Collect, Litter

log = get_logger()

FAILED = -1
"""In place of a count."""

Collector = Callable[[], Awaitable[int]]

_FACTS = {Litter.MESSAGES: Fact.MESSAGES_COLLECTED, Litter.MEDIA: Fact.MEDIA_COLLECTED}


class Collection:
    """Serves `Collect`: at most one collection of each kind runs, and a further request joins it."""

    def __init__(self, context: Context, collectors: Mapping[Litter, Collector]) -> None:
        self._context = context
        self._collectors = collectors
        self._running: dict[Litter, asyncio.Task[None]] = {}

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {Collect: self.collect}

    def collect(self, request: Collect) -> Done:
        if request.what not in self._running:
            task = asyncio.get_running_loop().create_task(self._collect(request.what))
            self._running[request.what] = task
            task.add_done_callback(lambda task: self._running.pop(request.what))
        return Done()

    async def _collect(self, what: Litter) -> None:
        try:
            count = await self._collectors[what]()
        except CorefastError as error:
            log.warning("garbage could not be collected", what=what.value, code=error.code)
            count = FAILED
        unit = Unit()
        self._context.events.put(unit, _FACTS[what], self._context.clock(), 0, count)
        with contextlib.suppress(CorefastError):  # the database that failed before
            await self._context.database.commit(unit)
            self._context.bell.ring()

    async def close(self) -> None:
        """Let go of what runs: it begins anew when somebody asks."""
        for task in list(self._running.values()):
            await end(task)
