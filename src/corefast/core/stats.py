"""How much there is in the database, and what this core runs on: for those who watch and help."""

import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corefast import __version__
from corefast.core.business import Business
from corefast.core.context import Process
from corefast.core.feed.rota import Rota
from corefast.store.database import Statement
from corefast.wire.stats import Counts, GetCounts, GetSupport, Support

REUSE_MS = 30_000
"""Counting walks whole tables."""

_CONTACTS = Statement("SELECT count(*) FROM peer")
_MESSAGES = Statement("SELECT count(*) FROM message")
_PENDING = Statement("SELECT count(*) FROM outbox")
_ENGINE = Statement("SELECT 'SQLITE', sqlite_version()", "SELECT 'MYSQL', version()")
_SCHEMA = Statement("SELECT max(number) FROM schema_version")


class Stats:
    """Serves the messages of `wire.stats`; *folder* is the core's own."""

    def __init__(
        self, process: Process, all_businesses: Callable[[], list[Business]], rota: Rota, folder: Path
    ) -> None:
        self._process = process
        self._all = all_businesses
        self._rota = rota
        self._folder = folder
        self._counts: Counts | None = None
        self._counted_ms = 0

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {GetCounts: self.count, GetSupport: self.support}

    async def count(self, request: GetCounts) -> Counts:
        now_ms = self._process.clock()
        if self._counts is None or not 0 <= now_ms - self._counted_ms < REUSE_MS:
            contacts, messages, pending = [await self._number(each) for each in (_CONTACTS, _MESSAGES, _PENDING)]
            self._counts = Counts(contacts, messages, pending, await self._rota.count_waiting())
            self._counted_ms = now_ms
        return self._counts

    async def _number(self, statement: Statement) -> int:
        return int((await self._process.database.fetch(statement))[0][0])

    async def support(self, request: GetSupport) -> Support:
        businesses = self._all()
        asked = [each for each in businesses if each.context.number == request.number] or businesses
        one = asked[0] if len(asked) == 1 else None
        engine, version = (await self._process.database.fetch(_ENGINE))[0]
        return Support(
            number=one.context.number if one else "",
            gateway_status=one.place.standing.value if one else "unregistered",
            database=engine,
            database_version=str(version)[:64],
            schema=await self._number(_SCHEMA),
            system=platform.system(),
            system_version=platform.release(),
            free_bytes=shutil.disk_usage(self._folder).free,
            shards=[self._process.shard],
            version=__version__,
        )
