"""The account and its private prekeys."""

from typing import NamedTuple

from corefast.endpoint.stock import KeyKind, KeyRecord, OwnKeys, StockChange
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken, SetupError, SnapshotInvalid
from corefast.logs import get_logger
from corefast.native.secret import wipe
from corefast.store.database import Database, Statement, Unit

log = get_logger()

_LOAD_ACCOUNT = Statement(
    "SELECT number, registered_ms, link_key, own_keys, device, meeting, name, others, token, next_token, commit_seq"
    " FROM account"
)
_LOAD_PREKEYS = Statement("SELECT kind, id, made_ms, private FROM prekey ORDER BY made_ms, id")
_CREATE = Statement(
    "INSERT INTO account (slot, number, registered_ms, link_key, own_keys, device, meeting, name)"
    " VALUES (1, ?, 0, ?, ?, ?, ?, ?)"
)
_SAVE_KEYS = Statement("UPDATE account SET own_keys = ?")
_SAVE_REGISTERED = Statement("UPDATE account SET registered_ms = ?, device = ?, meeting = x''")
_SAVE_OTHERS = Statement("UPDATE account SET others = ?")
_SAVE_TOKENS = Statement("UPDATE account SET token = ?, next_token = ?")
_SAVE_COMMIT_SEQ = Statement("UPDATE account SET commit_seq = ?")
_ABANDON = [
    Statement("DELETE FROM account WHERE device = 0"),
    Statement("DELETE FROM prekey"),
    Statement("DELETE FROM peer"),
]
_PUT_PREKEY = Statement("INSERT INTO prekey (kind, id, made_ms, private) VALUES (?, ?, ?, ?)")
_DELETE_PREKEY = Statement("DELETE FROM prekey WHERE kind = ? AND id = ?")
_DROP_ONE_TIME = Statement("DELETE FROM prekey WHERE kind IN (3, 4)")


class Account(NamedTuple):
    """Who this device is. `registered_ms` is 0 until the relay has agreed.

    *device* is 0 for one that is being linked, in the slot *meeting*; *others* counts the number's further devices.
    The relay knows this copy of it by *token*, or by *next_token* while that is on its way, and by *commit_seq*.
    """

    number: str
    registered_ms: int
    link_key: bytes
    own: OwnKeys
    device: int = 1
    meeting: bytes = b""
    name: str = ""
    others: int = 0
    token: bytes = b""
    next_token: bytes = b""
    commit_seq: int = 0


class KeyStore:
    """Keeps the account row and the prekeys."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def load(self) -> Account | None:
        """Return the account with all private keys; None in a new home.

        Damaged prekeys are left out; a damaged account cannot go on and is a `SetupError`.
        """
        rows = await self._database.fetch(_LOAD_ACCOUNT)
        if not rows:
            return None
        number, registered_ms, link_key, own_keys, device, meeting, name, *place = rows[0]
        records = await self._load_prekeys()
        try:
            opened = self._vault.open("account", b"own_keys", own_keys)
            own = OwnKeys.restore(opened, records)
            wipe(opened)
            private = self._vault.open("account", b"link_key", link_key)
            shown = self._vault.open("account", b"name", name).decode() if name else ""
            return Account(number, registered_ms, private, own, device, meeting, shown, *place)
        except (SealBroken, SnapshotInvalid) as error:
            raise SetupError(
                f"the phone's keys cannot be opened: {error}. Put its own master key file in place, or restore a backup"
            ) from None

    def create(self, unit: Unit, account: Account) -> None:
        seal = self._vault.seal
        own_keys = account.own.encode_account()
        sealed_keys = seal("account", b"own_keys", own_keys)
        wipe(own_keys)
        link_key = seal("account", b"link_key", account.link_key)
        name = seal("account", b"name", account.name.encode()) if account.name else b""
        unit.add(_CREATE, account.number, link_key, sealed_keys, account.device, account.meeting, name, rows=1)

    def abandon(self, unit: Unit) -> None:
        """Forget an account whose linking came to nothing, and all that came with it."""
        for statement in _ABANDON:
            unit.add(statement)

    def save_change(self, unit: Unit, change: StockChange) -> None:
        """Add new prekeys, whose plaintext is wiped, and drop old ones."""
        unit.add(_SAVE_KEYS, self._vault.seal("account", b"own_keys", change.account), rows=1)
        wipe(change.account)
        for record in change.made:
            sealed = self._vault.seal("prekey", _prekey_row(record.kind, record.id), record.private)
            wipe(record.private)
            unit.add(_PUT_PREKEY, int(record.kind), record.id, record.made_ms, sealed, rows=1)
        for kind, key_id in change.dropped:
            unit.add(_DELETE_PREKEY, int(kind), key_id)

    def take(self, unit: Unit, kind: KeyKind, key_id: int) -> None:
        """Delete a one-time prekey that a message consumed; the commit fails unless it is there."""
        unit.add(_DELETE_PREKEY, int(kind), key_id, rows=1)

    def save_registered(self, unit: Unit, at_ms: int, device: int) -> None:
        unit.add(_SAVE_REGISTERED, at_ms, device, rows=1)

    def save_others(self, unit: Unit, others: int) -> None:
        unit.add(_SAVE_OTHERS, others, rows=1)

    def save_tokens(self, unit: Unit, token: bytes, next_token: bytes) -> None:
        unit.add(_SAVE_TOKENS, token, next_token, rows=1)

    def save_commit_seq(self, unit: Unit, commit_seq: int) -> None:
        unit.add(_SAVE_COMMIT_SEQ, commit_seq, rows=1)

    def drop_one_time(self, unit: Unit) -> None:
        """Delete all one-time prekeys."""
        unit.add(_DROP_ONE_TIME)

    async def _load_prekeys(self) -> list[KeyRecord]:
        records, damaged = [], 0
        for kind, key_id, made_ms, sealed in await self._database.fetch(_LOAD_PREKEYS):
            try:
                private = self._vault.open("prekey", _prekey_row(kind, key_id), sealed)
            except (SealBroken, OverflowError, ValueError):
                damaged += 1
            else:
                records.append(KeyRecord(KeyKind(kind), key_id, made_ms, private))
        if damaged:
            log.error("prekeys.damaged", code=SealBroken.code, count=damaged)
        return records


def _prekey_row(kind: int, key_id: int) -> bytes:
    return bytes([kind]) + key_id.to_bytes(4, "big")
