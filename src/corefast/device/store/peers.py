"""Peers, their identities and the sessions with their devices."""

from typing import NamedTuple

from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.selection import SessionPart
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken, SnapshotInvalid
from corefast.logs import get_logger
from corefast.native.secret import wipe
from corefast.store.database import Database, Statement, Unit

log = get_logger()

_LOAD_PEER = Statement("SELECT devices_version, identity, is_accepted FROM peer WHERE number = ?")
_LOAD_SESSIONS = Statement("SELECT device, snapshot FROM session WHERE number = ?")
_LOAD_PARTS = Statement(
    "SELECT device, kind, number, content FROM session_part WHERE peer = ? ORDER BY device, kind, number"
)
_IDENTITIES = Statement("SELECT number, identity, is_accepted FROM peer LIMIT ?")
_SAVE_PEER = Statement(
    "INSERT INTO peer (number, devices_version, identity, is_accepted) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (number) DO UPDATE SET devices_version = excluded.devices_version, identity = excluded.identity,"
    " is_accepted = excluded.is_accepted"
)
_SAVE_SESSION = Statement(
    "INSERT INTO session (number, device, snapshot) VALUES (?, ?, ?)"
    " ON CONFLICT (number, device) DO UPDATE SET snapshot = excluded.snapshot"
)
_DELETE_SESSION = Statement("DELETE FROM session WHERE number = ? AND device = ?")
_SAVE_PART = Statement(
    "INSERT INTO session_part (peer, device, kind, number, content) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (peer, device, kind, number) DO UPDATE SET content = excluded.content"
)
_DELETE_PARTS = Statement(
    "DELETE FROM session_part WHERE peer = ? AND device = ? AND kind = ? AND number BETWEEN ? AND ?"
)
_DELETE_ALL_PARTS = Statement("DELETE FROM session_part WHERE peer = ? AND device = ?")
_DROP_SESSIONS = [Statement("DELETE FROM session"), Statement("DELETE FROM session_part")]


class PeerRow(NamedTuple):
    """What is stored of a peer. *identity* is None where it was damaged; *is_accepted* as `KnownPeer` has it."""

    devices_version: int
    identity: bytes | None
    is_accepted: bool
    devices: dict[int, Correspondent]


class PeerStore:
    """Keeps peers and sessions."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def load(self, number: str) -> PeerRow | None:
        """Return the peer with all sessions.

        A damaged session or identity is left out, and `devices_version` 0 then asks for a bundle and new ones.
        """
        rows = await self._database.fetch(_LOAD_PEER, number)
        if not rows:
            return None
        devices_version, sealed, is_accepted = rows[0]
        identity: bytes | None = None
        try:
            identity = self._vault.open("peer", number.encode(), sealed)
        except SealBroken as error:
            log.error("identity.damaged", code=error.code)
            devices_version = 0
        devices = {}
        parts = await self._load_parts(number)
        for device, snapshot in await self._database.fetch(_LOAD_SESSIONS, number):
            try:
                record = self._vault.open("session", _session_row(number, device), snapshot)
                devices[device] = Correspondent.restore(record, parts.pop(device, []))
                wipe(record)
            except (SealBroken, SnapshotInvalid) as error:
                log.error("session.damaged", code=error.code)
                devices_version = 0
        return PeerRow(devices_version, identity, bool(is_accepted), devices)

    async def _load_parts(self, number: str) -> dict[int, list[tuple[int, int, bytes]]]:
        """Return the parts of the sessions by device; damaged ones are left out, and cost the late messages."""
        parts: dict[int, list[tuple[int, int, bytes]]] = {}
        for device, kind, part, sealed in await self._database.fetch(_LOAD_PARTS, number):
            try:
                content = self._vault.open("session_part", _part_row(number, device, kind, part), sealed)
            except SealBroken as error:
                log.error("session.part_damaged", code=error.code)
                continue
            parts.setdefault(device, []).append((kind, part, content))
        return parts

    async def identities(self, limit: int) -> list[tuple[str, bytes, bool]]:
        """Return number, identity key and whether it is accepted, of at most *limit* peers; no damaged one."""
        found = []
        for number, sealed, is_accepted in await self._database.fetch(_IDENTITIES, limit):
            try:
                found.append((number, self._vault.open("peer", number.encode(), sealed), bool(is_accepted)))
            except SealBroken as error:
                log.error("identity.damaged", code=error.code)
        return found

    def save_peer(self, unit: Unit, number: str, devices_version: int, identity: bytes, *, is_accepted: bool) -> None:
        sealed = self._vault.seal("peer", number.encode(), identity)
        unit.add(_SAVE_PEER, number, devices_version, sealed, int(is_accepted), rows=1)

    def drop_sessions(self, unit: Unit) -> None:
        """Forget the sessions with everybody, and who has which identity not."""
        for statement in _DROP_SESSIONS:
            unit.add(statement)

    def save_session(self, unit: Unit, number: str, device: int, correspondent: Correspondent) -> None:
        """Add the sessions with a device, and of their parts what changed."""
        for part in correspondent.take_changes():
            self._save_part(unit, number, device, part)
        record = correspondent.record()
        sealed = self._vault.seal("session", _session_row(number, device), record)
        wipe(record)
        unit.add(_SAVE_SESSION, number, device, sealed, rows=1)

    def _save_part(self, unit: Unit, number: str, device: int, part: SessionPart) -> None:
        kind = int(part.kind)
        if part.content is None:
            unit.add(_DELETE_PARTS, number, device, kind, part.number, part.last)
        else:
            sealed = self._vault.seal("session_part", _part_row(number, device, kind, part.number), part.content)
            wipe(part.content)
            unit.add(_SAVE_PART, number, device, kind, part.number, sealed, rows=1)

    def delete_session(self, unit: Unit, number: str, device: int) -> None:
        unit.add(_DELETE_SESSION, number, device)
        unit.add(_DELETE_ALL_PARTS, number, device)


def _session_row(number: str, device: int) -> bytes:
    return f"{number}.{device}".encode()


def _part_row(number: str, device: int, kind: int, part: int) -> bytes:
    return f"{number}.{device}.{kind}.{part}".encode()
