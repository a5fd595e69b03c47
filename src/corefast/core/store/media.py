"""Files by their ids: where each lies, and what opens it."""

from enum import IntEnum

import msgspec

from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Row, Statement, Unit
from corefast.wire.content import Medium

log = get_logger()


class Direction(IntEnum):
    OUT = 1
    IN = 2


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    medium: Medium
    flaw: str = ""


class MediaRow(msgspec.Struct, frozen=True):
    """A file; *flaw*: why it is no sticker. *inbound* and *peer* are rows of the message that brought it, 0 for ours.

    *used_ms*: when it was put, sent last, or came; *is_wanted*: it is still to be fetched and proved.
    """

    id: str
    direction: Direction
    medium: Medium
    made_ms: int
    used_ms: int
    inbound: int = 0
    peer: int = 0
    flaw: str = ""
    is_wanted: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Sealed).decode


class MediaStore:
    """One row a file. The key and all that names the file are sealed."""

    def __init__(self, database: Database, vault: Vault, account: int) -> None:
        self._database = database
        self._vault = vault
        self._account = account

    _VALUES = (
        "INTO media (id, direction, sealed, made_ms, used_ms, inbound, peer, is_wanted, account)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    _PUT = Statement("INSERT OR IGNORE " + _VALUES, "INSERT IGNORE " + _VALUES)

    def put(self, unit: Unit, row: MediaRow) -> None:
        """Add a file; one that is there already stays as it is."""
        sealed = self._vault.seal("media", row.id.encode(), _encode(_Sealed(row.medium, row.flaw)))
        facts = (int(row.direction), sealed, row.made_ms, row.used_ms, row.inbound, row.peer, int(row.is_wanted))
        unit.add(self._PUT, row.id, *facts, self._account)

    _SELECT = "SELECT id, direction, sealed, made_ms, used_ms, inbound, peer, is_wanted FROM media"
    _LOAD = Statement(_SELECT + " WHERE id = ? AND account = ?")

    async def load(self, media_id: str) -> MediaRow | None:
        rows = await self._database.fetch(self._LOAD, media_id, self._account)
        return self._row(rows[0]) if rows else None

    _WANTED = Statement(_SELECT + " WHERE account = ? AND is_wanted = 1 ORDER BY made_ms LIMIT ?")

    async def load_wanted(self, limit: int) -> list[MediaRow]:
        """Return the oldest files that are still to be fetched."""
        found = [self._row(row) for row in await self._database.fetch(self._WANTED, self._account, limit)]
        return [row for row in found if row is not None]

    _SETTLE = Statement("UPDATE media SET is_wanted = 0 WHERE id = ? AND account = ?")

    def settle(self, unit: Unit, media_id: str) -> None:
        """Note that a file was fetched, or cannot be."""
        unit.add(self._SETTLE, media_id, self._account)

    _USE = Statement("UPDATE media SET used_ms = ? WHERE id = ? AND account = ?")

    def use(self, unit: Unit, media_id: str, now_ms: int) -> None:
        unit.add(self._USE, now_ms, media_id, self._account)

    _DELETE = Statement("DELETE FROM media WHERE id = ? AND account = ?")

    def delete(self, unit: Unit, media_id: str) -> None:
        unit.add(self._DELETE, media_id, self._account)

    _OLD = Statement("SELECT id FROM media WHERE account = ? AND direction = ? AND used_ms < ? LIMIT ?")

    async def old(self, direction: Direction, before_ms: int, limit: int) -> list[str]:
        """Return the ids of files that nobody used since *before_ms*."""
        rows = await self._database.fetch(self._OLD, self._account, int(direction), before_ms, limit)
        return [row[0] for row in rows]

    def _row(self, row: Row) -> MediaRow | None:
        media_id, direction, sealed, made_ms, used_ms, inbound, peer, is_wanted = row
        try:
            opened = _decode(self._vault.open("media", media_id.encode(), sealed))
        except (SealBroken, msgspec.DecodeError):
            log.error("the key of a medium is damaged", code=SealBroken.code)
            return None
        direction = Direction(direction)
        facts = (media_id, direction, opened.medium, made_ms, used_ms, inbound, peer, opened.flaw)
        return MediaRow(*facts, is_wanted=bool(is_wanted))
