"""The account row and our own private keys, all sealed."""

import msgspec

from corefast.core.store.span import row_key
from corefast.endpoint.stock import KeyKind, KeyRecord, StockChange
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.native.secret import wipe
from corefast.store.database import Database, Statement, Unit

log = get_logger()

_ACCOUNTS = Statement("SELECT account FROM account ORDER BY account")
_FIND = Statement("SELECT account FROM account WHERE number = ? ORDER BY account LIMIT 1")

PHASE_NEW, PHASE_REGISTERED, PHASE_SUPERSEDED = 0, 1, 2


class AccountRow(msgspec.Struct):
    """What the account row holds; the keys and tokens are secret.

    *attach_seq* is the commit number to attach with, None where that is the last one.
    """

    number: str
    phase: int
    own_keys: bytes
    link_key: bytes
    id_key: bytes
    token: bytes = b""
    next_token: bytes = b""
    attach_seq: int | None = None


async def load_accounts(database: Database) -> list[int]:
    """Return the accounts of a database, oldest first."""
    return [account for (account,) in await database.fetch(_ACCOUNTS)]


async def find_account(database: Database, number: str) -> int | None:
    """Return the account that has *number*, at work or not; None where there is none."""
    rows = await database.fetch(_FIND, number)
    return rows[0][0] if rows else None


class KeyStore:
    """Loads and saves the account's secrets."""

    def __init__(self, database: Database, vault: Vault, account: int) -> None:
        self._database = database
        self._vault = vault
        self.account = account

    def _seal(self, column: str, value: bytes) -> bytes:
        return self._vault.seal("account", row_key(self.account, column.encode()), value)

    def _open(self, column: str, sealed: bytes) -> bytes:
        return self._vault.open("account", row_key(self.account, column.encode()), sealed)

    _LOAD = Statement(
        "SELECT number, phase, attach_seq, own_keys, link_key, id_key, token, next_token FROM account WHERE account = ?"
    )

    async def load(self) -> AccountRow | None:
        """Return the account, None before the first start; raise `SealBroken` under another master key."""
        rows = await self._database.fetch(self._LOAD, self.account)
        if not rows:
            return None
        number, phase, attach_seq, *sealed = rows[0]
        columns = ("own_keys", "link_key", "id_key", "token", "next_token")
        secrets = {column: self._open(column, each) for column, each in zip(columns, sealed, strict=True)}
        return AccountRow(number=number, phase=phase, attach_seq=attach_seq, **secrets)

    _CREATE = Statement(
        "INSERT INTO account (account, number, phase, own_keys, link_key, id_key, token, next_token)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    )

    def create(self, unit: Unit, row: AccountRow) -> None:
        secrets = {c: getattr(row, c) for c in ("own_keys", "link_key", "id_key", "token", "next_token")}
        sealed = [self._seal(column, value) for column, value in secrets.items()]
        unit.add(self._CREATE, self.account, row.number, row.phase, *sealed)

    _PHASE = Statement("UPDATE account SET phase = ? WHERE account = ?")

    def save_phase(self, unit: Unit, phase: int) -> None:
        unit.add(self._PHASE, phase, self.account, rows=1)

    _TOKENS = Statement("UPDATE account SET token = ?, next_token = ? WHERE account = ?")

    def save_tokens(self, unit: Unit, token: bytes, next_token: bytes) -> None:
        """Store the token that the relay knows and the one that it is about to know."""
        unit.add(self._TOKENS, self._seal("token", token), self._seal("next_token", next_token), self.account, rows=1)

    _ATTACHED = Statement("UPDATE account SET attach_seq = NULL WHERE account = ?")

    def save_attached(self, unit: Unit, token: bytes) -> None:
        """Note that the relay knows us by *token* and agrees that no copy went further."""
        self.save_tokens(unit, token, b"")
        unit.add(self._ATTACHED, self.account)

    _OWN_KEYS = Statement("UPDATE account SET own_keys = ? WHERE account = ?")
    _PUT = Statement("INSERT INTO own_prekey (account, kind, id, made_ms, sealed) VALUES (?, ?, ?, ?, ?)")

    def put_change(self, unit: Unit, change: StockChange) -> None:
        """Store new private prekeys, whose plaintext is wiped, and drop those that are too old."""
        unit.add(self._OWN_KEYS, self._seal("own_keys", change.account), self.account, rows=1)
        wipe(change.account)
        for record in change.made:
            sealed = self._vault.seal("own_prekey", self._prekey(record.kind, record.id), record.private)
            wipe(record.private)
            unit.add(self._PUT, self.account, int(record.kind), record.id, record.made_ms, sealed)
        for kind, key_id in change.dropped:
            unit.add(self._DELETE, self.account, int(kind), key_id)

    _DELETE = Statement("DELETE FROM own_prekey WHERE account = ? AND kind = ? AND id = ?")

    def take(self, unit: Unit, kind: KeyKind, key_id: int) -> None:
        """Consume a one-time prekey: the commit fails unless it was still there."""
        unit.add(self._DELETE, self.account, int(kind), key_id, rows=1)

    _DROP = Statement("DELETE FROM account WHERE account = ?")
    _DROP_KEYS = Statement("DELETE FROM own_prekey WHERE account = ?")

    def drop(self, unit: Unit) -> None:
        """Forget an account that was never at work; a later one may have its place."""
        unit.add(self._DROP, self.account)
        unit.add(self._DROP_KEYS, self.account)

    _DELETE_KIND = Statement("DELETE FROM own_prekey WHERE account = ? AND kind IN (?, ?)")

    def drop_one_time(self, unit: Unit) -> None:
        """Drop every one-time prekey."""
        unit.add(self._DELETE_KIND, self.account, int(KeyKind.ONE_TIME), int(KeyKind.ONE_TIME_KEM))

    _PREKEYS = Statement("SELECT kind, id, made_ms, sealed FROM own_prekey WHERE account = ?")

    async def load_prekeys(self) -> list[KeyRecord]:
        """Return the private prekeys; damaged ones are left out, and what names one of them cannot be read."""
        records, damaged = [], 0
        for kind, key_id, made_ms, sealed in await self._database.fetch(self._PREKEYS, self.account):
            try:
                private = self._vault.open("own_prekey", self._prekey(kind, key_id), sealed)
            except (SealBroken, OverflowError):
                damaged += 1
            else:
                records.append(KeyRecord(KeyKind(kind), key_id, made_ms, private))
        if damaged:
            log.error("stored prekeys are damaged and left out", code=SealBroken.code, count=damaged)
        return records

    def _prekey(self, kind: int, key_id: int) -> bytes:
        return row_key(self.account, kind.to_bytes(1, "big") + key_id.to_bytes(4, "big"))
