"""Peers, what is known of their identity keys, and the sessions with their devices."""

from collections.abc import Mapping
from typing import Any

import msgspec

from corefast.address import CHANNEL_SIGNAL
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.selection import SessionPart
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken, SnapshotInvalid
from corefast.logs import get_logger
from corefast.native.secret import wipe
from corefast.protocol.pin import Pin
from corefast.store.database import Database, Rows, Statement, Unit

log = get_logger()


class Standing(msgspec.Struct, frozen=True):
    """How a peer stands with us, beside its identity key."""

    pin: Pin = Pin.NONE
    since_ms: int = 0
    """When its identity key was first seen; 0 where that is not known."""
    after: int = 0
    """The newest message that was accepted before that: it and older ones were meant for another key."""
    is_acknowledged: bool = True
    """False from a change of the key on until somebody has acknowledged the new one."""
    is_downgraded: bool = False
    """It was told that its keys lack the post-quantum one, and they did not have it since."""


class PeerRow(msgspec.Struct):
    """A peer as stored.

    *identity* is None until a key was seen, and empty where it is damaged; *devices_version* is 0 until a bundle was.
    """

    id: int
    devices_version: int
    identity: bytes | None
    standing: Standing
    devices: dict[int, Correspondent]
    registration_ids: dict[int, int]


class NotableRow(msgspec.Struct, frozen=True):
    """A peer that the operator may want to look at; *devices* is how many of them have a session with us."""

    id: int
    number: str
    identity: bytes | None
    standing: Standing
    devices: int


class PeerStore:
    """Loads and saves peers; sessions and identity keys are sealed."""

    def __init__(self, database: Database, vault: Vault, account: int) -> None:
        self._database = database
        self._vault = vault
        self._account = account

    _STANDING = "pin, identity_ms, identity_after, is_acknowledged, is_downgraded"
    _LOAD = Statement(
        f"SELECT id, devices_version, identity, {_STANDING} FROM peer"  # noqa: S608
        " WHERE account = ? AND channel = ? AND number = ?"
    )
    _SESSIONS = Statement("SELECT id, registration_id, sealed FROM session WHERE id BETWEEN ? AND ?")
    _PARTS = Statement(
        "SELECT session, kind, number, sealed FROM session_part WHERE session BETWEEN ? AND ?"
        " ORDER BY session, kind, number"
    )

    async def load(self, number: str) -> PeerRow | None:
        """Return the peer with all sessions.

        A damaged session or identity is left out, and `devices_version` 0 then asks for a bundle and new ones. A
        damaged part costs the late messages that needed it.
        """
        rows = await self._database.fetch(self._LOAD, self._account, CHANNEL_SIGNAL, number)
        if not rows:
            return None
        peer, devices_version, sealed, *standing = rows[0]
        row = PeerRow(peer, devices_version, None, _standing(standing), {}, {})
        try:
            row.identity = self._open_identity(peer, sealed)
        except SealBroken as error:
            log.error("a stored identity is damaged", code=error.code)
            row.identity = b""  # nobody knows which it was: the next one counts as a change
            row.devices_version = 0
        keys = peer << 8, peer << 8 | 255
        parts = self._open_parts(await self._database.fetch(self._PARTS, *keys))
        for key, registration_id, sealed in await self._database.fetch(self._SESSIONS, *keys):
            device = key & 255
            try:
                record = self._vault.open("session", _key(key), sealed)
                row.devices[device] = Correspondent.restore(record, parts.pop(key, []))
                wipe(record)
            except (SealBroken, SnapshotInvalid) as error:
                log.error("a stored session is damaged and is replaced", code=error.code)
                row.devices_version = 0
            row.registration_ids[device] = registration_id
        return row

    def _open_parts(self, rows: Rows) -> dict[int, list[tuple[int, int, bytes]]]:
        parts: dict[int, list[tuple[int, int, bytes]]] = {}
        for key, kind, number, sealed in rows:
            try:
                content = self._vault.open("session_part", _part_key(key, kind, number), sealed)
            except SealBroken as error:
                log.error("a part of a stored session is damaged and is left out", code=error.code)
                continue
            parts.setdefault(key, []).append((kind, number, content))
        return parts

    def _open_identity(self, peer: int, sealed: bytes) -> bytes | None:
        return self._vault.open("peer", _key(peer), sealed) if sealed else None

    _NOTABLE = Statement(
        f"SELECT id, number, identity, {_STANDING},"  # noqa: S608
        " (SELECT count(*) FROM session WHERE session.id BETWEEN peer.id * 256 AND peer.id * 256 + 255) FROM peer"
        " WHERE account = ? AND id > ? AND (pin <> 0 OR is_acknowledged = 0 OR is_downgraded <> 0) ORDER BY id LIMIT ?"
    )

    async def notable(self, after: int, limit: int) -> list[NotableRow]:
        """Return the peers behind row *after* that are pinned, unacknowledged or downgraded."""
        found = []
        for peer, number, sealed, *standing, devices in await self._database.fetch(
            self._NOTABLE, self._account, after, limit
        ):
            try:
                identity = self._open_identity(peer, sealed)
            except SealBroken:
                identity = None
            found.append(NotableRow(peer, number, identity, _standing(standing), devices))
        return found

    _INSERT = (
        f"INSERT INTO peer (id, account, channel, number, devices_version, identity, {_STANDING})"  # noqa: S608
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    _PUT = Statement(
        _INSERT + " ON CONFLICT (id) DO UPDATE SET devices_version = excluded.devices_version,"
        " identity = excluded.identity, pin = excluded.pin, identity_ms = excluded.identity_ms,"
        " identity_after = excluded.identity_after, is_acknowledged = excluded.is_acknowledged,"
        " is_downgraded = excluded.is_downgraded",
        _INSERT + " ON DUPLICATE KEY UPDATE devices_version = VALUES(devices_version),"
        " identity = VALUES(identity), pin = VALUES(pin), identity_ms = VALUES(identity_ms),"
        " identity_after = VALUES(identity_after), is_acknowledged = VALUES(is_acknowledged),"
        " is_downgraded = VALUES(is_downgraded)",
    )

    def put(
        self, unit: Unit, peer: int, number: str, devices_version: int, identity: bytes | None, standing: Standing
    ) -> None:
        sealed = self._vault.seal("peer", _key(peer), identity) if identity else b""
        row = (peer, self._account, CHANNEL_SIGNAL, number, devices_version, sealed)
        unit.add(self._PUT, *row, *_columns(standing))

    _PUT_SESSION = Statement(
        "INSERT INTO session (id, account, registration_id, sealed) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET registration_id = excluded.registration_id, sealed = excluded.sealed",
        "INSERT INTO session (id, account, registration_id, sealed) VALUES (?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE registration_id = VALUES(registration_id), sealed = VALUES(sealed)",
    )

    def put_sessions(
        self, unit: Unit, peer: int, devices: Mapping[int, Correspondent], registration_ids: Mapping[int, int]
    ) -> None:
        for device, correspondent in devices.items():
            key = peer << 8 | device
            for part in correspondent.take_changes():
                self._put_part(unit, key, part)
            record = correspondent.record()
            sealed = self._vault.seal("session", key.to_bytes(8, "big"), record)
            wipe(record)
            unit.add(self._PUT_SESSION, key, self._account, registration_ids.get(device, 0), sealed)

    _PUT_PART = Statement(
        "INSERT INTO session_part (session, kind, number, account, sealed) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (session, kind, number) DO UPDATE SET sealed = excluded.sealed",
        "INSERT INTO session_part (session, kind, number, account, sealed) VALUES (?, ?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE sealed = VALUES(sealed)",
    )
    _DELETE_PARTS = Statement("DELETE FROM session_part WHERE session = ? AND kind = ? AND number BETWEEN ? AND ?")

    def _put_part(self, unit: Unit, key: int, part: SessionPart) -> None:
        kind = int(part.kind)
        if part.content is None:
            unit.add(self._DELETE_PARTS, key, kind, part.number, part.last)
        else:
            sealed = self._vault.seal("session_part", _part_key(key, kind, part.number), part.content)
            wipe(part.content)
            unit.add(self._PUT_PART, key, kind, part.number, self._account, sealed)

    _DELETE_SESSION = Statement("DELETE FROM session WHERE id = ?")
    _DELETE_SESSION_PARTS = Statement("DELETE FROM session_part WHERE session = ?")

    def delete_session(self, unit: Unit, peer: int, device: int) -> None:
        unit.add(self._DELETE_SESSION, peer << 8 | device)
        unit.add(self._DELETE_SESSION_PARTS, peer << 8 | device)

    _DELETE_ALL = Statement("DELETE FROM session WHERE account = ?")
    _DELETE_ALL_PARTS = Statement("DELETE FROM session_part WHERE account = ?")

    def drop_sessions(self, unit: Unit) -> None:
        """Drop every session with everybody."""
        unit.add(self._DELETE_ALL, self._account)
        unit.add(self._DELETE_ALL_PARTS, self._account)

    _LAST = Statement("SELECT max(id) FROM peer")

    async def last_id(self) -> int:
        """Return the highest row of all accounts: peers are numbered together, as sessions are by their peer."""
        return (await self._database.fetch(self._LAST))[0][0] or 0


_PINS = (Pin.NONE, Pin.WITHOUT_SPQR, Pin.X3DH)
"""By the number that a row has."""


def _standing(columns: list[Any]) -> Standing:
    pin, since_ms, after, is_acknowledged, is_downgraded = columns
    allowed = _PINS[pin] if 0 <= pin < len(_PINS) else Pin.NONE
    return Standing(allowed, since_ms, after, bool(is_acknowledged), bool(is_downgraded))


def _columns(standing: Standing) -> tuple[int, int, int, int, int]:
    pin = _PINS.index(standing.pin)
    return pin, standing.since_ms, standing.after, int(standing.is_acknowledged), int(standing.is_downgraded)


def _key(row: int) -> bytes:
    return row.to_bytes(8, "big")


def _part_key(session: int, kind: int, number: int) -> bytes:
    return session.to_bytes(8, "big") + bytes([kind]) + number.to_bytes(8, "big")
