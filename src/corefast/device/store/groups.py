"""Groups: their rosters, our sender keys and those of their members, and to whom ours were given."""

from typing import NamedTuple

import msgspec

from corefast.endpoint.group import Given, Group, GroupReceiver, GroupSender
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken, SnapshotInvalid
from corefast.logs import get_logger
from corefast.native.secret import wipe
from corefast.store.database import Database, Row, Statement, Unit

log = get_logger()

_LOAD = Statement("SELECT id, content FROM known_group WHERE id = ?")
_LOAD_ALL = Statement("SELECT id, content FROM known_group")
_LOAD_OF = Statement("SELECT id, content FROM known_group WHERE founder = ?")
_COUNT = Statement("SELECT count(*), coalesce(sum(founder = ?), 0) FROM known_group")
_SAVE = Statement(
    "INSERT INTO known_group (id, founder, content) VALUES (?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET content = excluded.content"
)
_LOAD_CHAIN = Statement("SELECT is_stale, snapshot FROM group_chain WHERE id = ?")
_SAVE_CHAIN = Statement("INSERT OR REPLACE INTO group_chain (id, is_stale, snapshot) VALUES (?, ?, ?)")
_STALE = Statement(
    "UPDATE group_chain SET is_stale = 1 WHERE id IN (SELECT id FROM group_given WHERE number = ?) AND is_stale = 0"
)
_LOAD_GIVEN = Statement("SELECT number, chain_id, iteration, devices_version FROM group_given WHERE id = ?")
_SAVE_GIVEN = Statement(
    "INSERT OR REPLACE INTO group_given (number, id, chain_id, iteration, devices_version) VALUES (?, ?, ?, ?, ?)"
)
_FORGET_GIVEN = Statement("DELETE FROM group_given WHERE number = ?")
_DELETE_GIVEN = Statement("DELETE FROM group_given WHERE number = ? AND id = ?")
_LOAD_SENDER = Statement("SELECT snapshot FROM group_sender WHERE number = ? AND id = ? AND device = ?")
_SAVE_SENDER = Statement("INSERT OR REPLACE INTO group_sender (number, id, device, snapshot) VALUES (?, ?, ?, ?)")
_FORGET_SENDERS = Statement("DELETE FROM group_sender WHERE number = ? AND device = coalesce(?, device)")
_DELETE_SENDERS = Statement("DELETE FROM group_sender WHERE number = ? AND id = ?")
_DROP_CHAINS = [
    Statement("DELETE FROM group_chain"),
    Statement("DELETE FROM group_given"),
    Statement("DELETE FROM group_cipher"),
]
_INTRODUCED = Statement("SELECT device FROM group_introduced")
_SET_INTRODUCED = Statement("INSERT OR IGNORE INTO group_introduced (device) VALUES (?)")


class ChainRow(NamedTuple):
    """Our sender key in a group; *is_stale* where the next message has to begin a new one."""

    chain: GroupSender
    is_stale: bool


class GroupStore:
    """Keeps groups; what is damaged is left out and made anew, or asked for."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def load(self, group_id: bytes) -> Group | None:
        rows = await self._database.fetch(_LOAD, group_id)
        return self._open(rows[0]) if rows else None

    async def all(self, founder: str = "") -> list[Group]:
        """Return all groups, or those of one founder."""
        rows = await (self._database.fetch(_LOAD_OF, founder) if founder else self._database.fetch(_LOAD_ALL))
        return [group for group in map(self._open, rows) if group is not None]

    async def count(self, founder: str) -> tuple[int, int]:
        """Return how many groups there are, and how many of them are *founder*'s."""
        [(everybodys, theirs)] = await self._database.fetch(_COUNT, founder)
        return everybodys, theirs

    def save(self, unit: Unit, group: Group) -> None:
        sealed = self._vault.seal("known_group", group.id, msgspec.msgpack.encode(group))
        unit.add(_SAVE, group.id, group.founder, sealed, rows=1)

    async def load_chain(self, group_id: bytes) -> ChainRow | None:
        for is_stale, sealed in await self._database.fetch(_LOAD_CHAIN, group_id):
            try:
                snapshot = self._vault.open("group_chain", group_id, sealed)
                chain = GroupSender.restore(snapshot)
                wipe(snapshot)
                return ChainRow(chain, bool(is_stale))
            except (SealBroken, SnapshotInvalid) as error:
                log.error("group.chain_damaged", code=error.code)
        return None

    def save_chain(self, unit: Unit, group_id: bytes, row: ChainRow) -> None:
        snapshot = row.chain.snapshot()
        unit.add(_SAVE_CHAIN, group_id, int(row.is_stale), self._vault.seal("group_chain", group_id, snapshot))
        wipe(snapshot)

    async def load_given(self, group_id: bytes) -> dict[str, Given]:
        rows = await self._database.fetch(_LOAD_GIVEN, group_id)
        return {number: Given(*given) for number, *given in rows}

    def save_given(self, unit: Unit, group_id: bytes, number: str, given: Given) -> None:
        unit.add(_SAVE_GIVEN, number, group_id, given.chain_id, given.iteration, given.devices_version)

    def forget_given(self, unit: Unit, number: str) -> None:
        """Forget that *number* was given anything."""
        unit.add(_FORGET_GIVEN, number)

    async def load_sender(self, group_id: bytes, number: str, device: int) -> GroupReceiver | None:
        for (sealed,) in await self._database.fetch(_LOAD_SENDER, number, group_id, device):
            try:
                snapshot = self._vault.open("group_sender", _sender_row(group_id, number, device), sealed)
                receiver = GroupReceiver.restore(snapshot)
                wipe(snapshot)
                return receiver
            except (SealBroken, SnapshotInvalid) as error:
                log.error("group.sender_damaged", code=error.code)
        return None

    def save_sender(self, unit: Unit, group_id: bytes, number: str, device: int, receiver: GroupReceiver) -> None:
        snapshot = receiver.snapshot()
        sealed = self._vault.seal("group_sender", _sender_row(group_id, number, device), snapshot)
        wipe(snapshot)
        unit.add(_SAVE_SENDER, number, group_id, device, sealed)

    def renew_given(self, unit: Unit, number: str) -> None:
        """Have those of our chains begin anew that *number* was given, and forget that it was."""
        unit.add(_STALE, number)
        unit.add(_FORGET_GIVEN, number)

    def forget_senders(self, unit: Unit, number: str, device: int | None = None) -> None:
        """Forget the sender keys of *number*, or of one device of it."""
        unit.add(_FORGET_SENDERS, number, device)

    def delete_member(self, unit: Unit, group_id: bytes, number: str) -> None:
        """Forget the keys of a member who is none any more."""
        unit.add(_DELETE_GIVEN, number, group_id)
        unit.add(_DELETE_SENDERS, number, group_id)

    def drop_chains(self, unit: Unit) -> None:
        """Forget all sender keys of ours, and what is encrypted under them."""
        for statement in _DROP_CHAINS:
            unit.add(statement)

    async def introduced(self) -> set[int]:
        """Return which devices of our number were told of our groups."""
        return {device for (device,) in await self._database.fetch(_INTRODUCED)}

    def set_introduced(self, unit: Unit, device: int) -> None:
        unit.add(_SET_INTRODUCED, device)

    def _open(self, row: Row) -> Group | None:
        group_id, sealed = row
        try:
            return msgspec.msgpack.decode(self._vault.open("known_group", group_id, sealed), type=Group)
        except (SealBroken, msgspec.DecodeError) as error:
            log.error("group.damaged", code=getattr(error, "code", SealBroken.code))
            return None


def _sender_row(group_id: bytes, number: str, device: int) -> bytes:
    return group_id + f"{number}.{device}".encode()
