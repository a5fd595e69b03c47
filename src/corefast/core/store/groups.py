"""Groups of an account, our chain in each, and what its peers and we have of each other's chains."""

from typing import NamedTuple, TypeVar

import msgspec

from corefast.core.store.span import row_key
from corefast.endpoint.group import Group
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Statement, Unit

log = get_logger()


class ChainRow(NamedTuple):
    """Our chain as stored; *snapshot* is None where it is damaged."""

    serial: int
    is_stale: bool
    snapshot: bytes | None


class Given(msgspec.Struct, frozen=True, array_like=True):
    """Which chain of ours the devices of a peer have: its serial, the list of devices, the mark of their identity."""

    serial: int
    devices_version: int
    identity: bytes


class Ties:
    """What one peer and we have of each other's chains; in memory as far ahead of the database as its sessions."""

    __slots__ = ("given", "receivers")

    def __init__(self) -> None:
        self.given: dict[bytes, Given] = {}
        self.receivers: dict[tuple[int, bytes], bytes] = {}
        """Snapshots of `GroupReceiver` by device and group."""


_encode = msgspec.msgpack.Encoder().encode
_T = TypeVar("_T")


class GroupStore:
    """Everything but numbers of rows and times is sealed, or a random name."""

    def __init__(self, database: Database, vault: Vault, account: int) -> None:
        self._database = database
        self._vault = vault
        self._account = account

    # ── groups ─────────────────────────────────────────────────────────────────────────────────────────────────────

    _LOAD = Statement("SELECT name, made_ms, sealed FROM chat_group WHERE account = ?")
    _LOAD_ONE = Statement("SELECT name, made_ms, sealed FROM chat_group WHERE account = ? AND name = ?")

    async def load(self, name: bytes | None = None) -> list[tuple[Group, int]]:
        """Return all groups, or that one, with the times when they were made; a damaged one is left out."""
        wanted = () if name is None else (name,)
        rows = await self._database.fetch(self._LOAD if name is None else self._LOAD_ONE, self._account, *wanted)
        found = [(self._open("chat_group", each, sealed, Group), made_ms) for each, made_ms, sealed in rows]
        return [(group, made_ms) for group, made_ms in found if group is not None]

    _PUT = Statement(
        "INSERT INTO chat_group (account, name, made_ms, sealed) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account, name) DO UPDATE SET sealed = excluded.sealed",
        "INSERT INTO chat_group (account, name, made_ms, sealed) VALUES (?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE sealed = VALUES(sealed)",
    )

    def put(self, unit: Unit, group: Group, made_ms: int) -> None:
        """Add a group, or replace its roster."""
        sealed = self._vault.seal("chat_group", self._key(group.id), _encode(group))
        unit.add(self._PUT, self._account, group.id, made_ms, sealed)

    _LEAVES = Statement("SELECT name, number FROM group_leave WHERE account = ?")
    _PUT_LEAVE = Statement(
        "INSERT OR IGNORE INTO group_leave (account, name, number) VALUES (?, ?, ?)",
        "INSERT IGNORE INTO group_leave (account, name, number) VALUES (?, ?, ?)",
    )
    _DELETE_LEAVE = Statement("DELETE FROM group_leave WHERE account = ? AND name = ? AND number = ?")

    async def load_leaves(self) -> list[tuple[bytes, str]]:
        """Return who has left which group of ours and still stands in its roster."""
        return [(name, number) for name, number in await self._database.fetch(self._LEAVES, self._account)]

    def put_leave(self, unit: Unit, name: bytes, number: str) -> None:
        unit.add(self._PUT_LEAVE, self._account, name, number)

    def delete_leave(self, unit: Unit, name: bytes, number: str) -> None:
        unit.add(self._DELETE_LEAVE, self._account, name, number)

    # ── our chains ─────────────────────────────────────────────────────────────────────────────────────────────────

    _CHAIN = Statement("SELECT serial, is_stale, sealed FROM group_chain WHERE account = ? AND name = ?")

    async def load_chain(self, name: bytes) -> ChainRow | None:
        rows = await self._database.fetch(self._CHAIN, self._account, name)
        if not rows:
            return None
        serial, is_stale, sealed = rows[0]
        return ChainRow(serial, bool(is_stale), self._open("group_chain", name, sealed, bytes))

    _PUT_CHAIN = Statement(
        "INSERT INTO group_chain (account, name, serial, is_stale, sealed) VALUES (?, ?, ?, 0, ?)"
        " ON CONFLICT (account, name) DO UPDATE SET serial = excluded.serial, is_stale = 0, sealed = excluded.sealed",
        "INSERT INTO group_chain (account, name, serial, is_stale, sealed) VALUES (?, ?, ?, 0, ?)"
        " ON DUPLICATE KEY UPDATE serial = VALUES(serial), is_stale = 0, sealed = VALUES(sealed)",
    )

    def put_chain(self, unit: Unit, name: bytes, serial: int, snapshot: bytes) -> None:
        sealed = self._vault.seal("group_chain", self._key(name), _encode(snapshot))
        unit.add(self._PUT_CHAIN, self._account, name, serial, sealed)

    _OUTDATE_CHAIN = Statement("UPDATE group_chain SET is_stale = 1 WHERE account = ? AND name = ?")

    def outdate_chain(self, unit: Unit, name: bytes) -> None:
        """Note that a new chain has to begin before the next message."""
        unit.add(self._OUTDATE_CHAIN, self._account, name)

    _DROP_CHAINS = Statement("DELETE FROM group_chain WHERE account = ?")
    _DROP_TIES = Statement("DELETE FROM group_peer WHERE account = ?")

    def drop_chains(self, unit: Unit) -> None:
        """Drop every chain, ours and our peers'."""
        unit.add(self._DROP_CHAINS, self._account)
        unit.add(self._DROP_TIES, self._account)

    # ── peers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    _TIES = Statement("SELECT device, name, sealed FROM group_peer WHERE peer = ?")

    async def load_ties(self, peer: int) -> Ties | None:
        """Return what the peer and we have of each other; None for nothing. What is damaged is left out."""
        ties = Ties()
        for device, name, sealed in await self._database.fetch(self._TIES, peer):
            key = _tie_key(peer, device, name)
            if device:
                if (snapshot := self._open("group_peer", key, sealed, bytes)) is not None:
                    ties.receivers[device, name] = snapshot
            elif (given := self._open("group_peer", key, sealed, Given)) is not None:
                ties.given[name] = given
        return ties if ties.given or ties.receivers else None

    _PUT_TIE = Statement(
        "INSERT INTO group_peer (peer, device, name, account, sealed) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (peer, device, name) DO UPDATE SET sealed = excluded.sealed",
        "INSERT INTO group_peer (peer, device, name, account, sealed) VALUES (?, ?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE sealed = VALUES(sealed)",
    )

    def put_given(self, unit: Unit, peer: int, name: bytes, given: Given) -> None:
        self._put_tie(unit, peer, 0, name, _encode(given))

    def put_receiver(self, unit: Unit, peer: int, device: int, name: bytes, snapshot: bytes) -> None:
        self._put_tie(unit, peer, device, name, _encode(snapshot))

    def _put_tie(self, unit: Unit, peer: int, device: int, name: bytes, content: bytes) -> None:
        key = _tie_key(peer, device, name)
        sealed = self._vault.seal("group_peer", self._key(key), content)
        unit.add(self._PUT_TIE, peer, device, name, self._account, sealed)

    _FORGET_GIVEN = Statement("DELETE FROM group_peer WHERE peer = ? AND device = 0")
    _FORGET_TIES = Statement("DELETE FROM group_peer WHERE peer = ?")

    def forget_given(self, unit: Unit, peer: int) -> None:
        """Note that the peer may have no chain of ours."""
        unit.add(self._FORGET_GIVEN, peer)

    _FORGET_RECEIVER = Statement("DELETE FROM group_peer WHERE peer = ? AND device = ? AND name = ?")

    def forget_receiver(self, unit: Unit, peer: int, device: int, name: bytes) -> None:
        unit.add(self._FORGET_RECEIVER, peer, device, name)

    def forget_ties(self, unit: Unit, peer: int) -> None:
        unit.add(self._FORGET_TIES, peer)

    # ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _key(self, name: bytes) -> bytes:
        return row_key(self._account, name)

    def _open(self, table: str, name: bytes, sealed: bytes, kind: type[_T]) -> _T | None:
        try:
            return msgspec.msgpack.decode(self._vault.open(table, self._key(name), sealed), type=kind)
        except (SealBroken, msgspec.DecodeError) as error:
            log.error("what is stored of a group is damaged", code=getattr(error, "code", "seal.broken"))
            return None


def _tie_key(peer: int, device: int, name: bytes) -> bytes:
    return peer.to_bytes(8, "big") + bytes([device]) + name
