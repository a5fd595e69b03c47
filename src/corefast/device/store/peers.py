"""Peers, their identities and the sessions with their devices."""

from typing import NamedTuple

import structlog

from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken, SnapshotInvalid
from corefast.store.database import Database, Statement, Unit

log = structlog.get_logger()

_LOAD_PEER = Statement("SELECT devices_version, identity, is_accepted FROM peer WHERE number = ?")
_LOAD_SESSIONS = Statement("SELECT device, snapshot FROM session WHERE number = ?")
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


class PeerRow(NamedTuple):
    """What is stored of a peer. *identity* is None where it was damaged; *is_accepted* as `KnownPeer` has it."""

    devices_version: int
    identity: bytes | None
    is_accepted: bool
    devices: dict[int, Correspondent]


class PeerStore:
    """Keeps peers and session snapshots."""

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
        for device, snapshot in await self._database.fetch(_LOAD_SESSIONS, number):
            try:
                opened = self._vault.open("session", _session_row(number, device), snapshot)
                devices[device] = Correspondent.restore(opened)
            except (SealBroken, SnapshotInvalid) as error:
                log.error("session.damaged", code=error.code)
                devices_version = 0
        return PeerRow(devices_version, identity, bool(is_accepted), devices)

    def save_peer(self, unit: Unit, number: str, devices_version: int, identity: bytes, *, is_accepted: bool) -> None:
        sealed = self._vault.seal("peer", number.encode(), identity)
        unit.add(_SAVE_PEER, number, devices_version, sealed, int(is_accepted), rows=1)

    def save_session(self, unit: Unit, number: str, device: int, snapshot: bytes) -> None:
        sealed = self._vault.seal("session", _session_row(number, device), snapshot)
        unit.add(_SAVE_SESSION, number, device, sealed, rows=1)

    def delete_session(self, unit: Unit, number: str, device: int) -> None:
        unit.add(_DELETE_SESSION, number, device)


def _session_row(number: str, device: int) -> bytes:
    return f"{number}.{device}".encode()
