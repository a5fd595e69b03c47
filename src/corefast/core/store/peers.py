"""Peers and the sessions with their devices."""

from collections.abc import Mapping

import msgspec

from corefast.address import CHANNEL_SIGNAL
from corefast.core.store.lease import ACCOUNT
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken, SnapshotInvalid
from corefast.logs import get_logger
from corefast.store.database import Database, Statement, Unit

log = get_logger()


class PeerRow(msgspec.Struct):
    """A peer as stored. *identity* is None until a key was seen, *devices_version* 0 until a bundle was."""

    id: int
    devices_version: int
    identity: bytes | None
    devices: dict[int, Correspondent]
    registration_ids: dict[int, int]


class PeerStore:
    """Loads and saves peers; sessions and identity keys are sealed."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    _LOAD = Statement("SELECT id, devices_version, identity FROM peer WHERE account = ? AND channel = ? AND number = ?")
    _SESSIONS = Statement("SELECT id, registration_id, sealed FROM session WHERE id BETWEEN ? AND ?")

    async def load(self, number: str) -> PeerRow | None:
        """Return the peer with all sessions.

        A damaged session or identity is left out, and `devices_version` 0 then asks for a bundle and new ones.
        """
        rows = await self._database.fetch(self._LOAD, ACCOUNT, CHANNEL_SIGNAL, number)
        if not rows:
            return None
        peer, devices_version, sealed = rows[0]
        row = PeerRow(peer, devices_version, None, {}, {})
        try:
            row.identity = self._vault.open("peer", _key(peer), sealed) if sealed else None
        except SealBroken as error:
            log.error("a stored identity is damaged", code=error.code)
            row.devices_version = 0
        for key, registration_id, snapshot in await self._database.fetch(self._SESSIONS, peer << 8, peer << 8 | 255):
            device = key & 255
            try:
                row.devices[device] = Correspondent.restore(self._vault.open("session", _key(key), snapshot))
            except (SealBroken, SnapshotInvalid) as error:
                log.error("a stored session is damaged and is replaced", code=error.code)
                row.devices_version = 0
            row.registration_ids[device] = registration_id
        return row

    _PUT = Statement(
        "INSERT INTO peer (id, account, channel, number, devices_version, identity) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET devices_version = excluded.devices_version, identity = excluded.identity",
        "INSERT INTO peer (id, account, channel, number, devices_version, identity) VALUES (?, ?, ?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE devices_version = VALUES(devices_version), identity = VALUES(identity)",
    )

    def put(self, unit: Unit, peer: int, number: str, devices_version: int, identity: bytes | None) -> None:
        sealed = self._vault.seal("peer", _key(peer), identity) if identity else b""
        unit.add(self._PUT, peer, ACCOUNT, CHANNEL_SIGNAL, number, devices_version, sealed)

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
            sealed = self._vault.seal("session", key.to_bytes(8, "big"), correspondent.snapshot())
            unit.add(self._PUT_SESSION, key, ACCOUNT, registration_ids.get(device, 0), sealed)

    _DELETE_SESSION = Statement("DELETE FROM session WHERE id = ?")

    def delete_session(self, unit: Unit, peer: int, device: int) -> None:
        unit.add(self._DELETE_SESSION, peer << 8 | device)

    _DELETE_ALL = Statement("DELETE FROM session WHERE account = ?")

    def drop_sessions(self, unit: Unit) -> None:
        """Drop every session with everybody."""
        unit.add(self._DELETE_ALL, ACCOUNT)

    _LAST = Statement("SELECT max(id) FROM peer WHERE account = ?")

    async def last_id(self) -> int:
        return (await self._database.fetch(self._LAST, ACCOUNT))[0][0] or 0


def _key(row: int) -> bytes:
    return row.to_bytes(8, "big")
