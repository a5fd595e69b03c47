"""Users with their password hashes, the tokens that were revoked, and the key that signs tokens."""

import msgspec

from corefast.core.store.span import EVERY_ACCOUNT
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Row, Statement, Unit
from corefast.wire.access import Role

log = get_logger()


class UserRow(msgspec.Struct, frozen=True):
    """A user. *password* is an argon2 hash; *epoch* (16 random bytes) is in each valid token; *is_first*: the
    password is the one that everybody knows, and only good for changing it."""

    username: str
    account: int
    role: Role
    password: str
    epoch: bytes
    is_first: bool
    made_ms: int


class UserStore:
    """Hashes and the signing key are sealed."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    _PUT = Statement(
        "INSERT INTO api_user (username, account, role, password, epoch, is_first, made_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
    )

    def put(self, unit: Unit, row: UserRow) -> None:
        sealed = self._seal(row.username, row.password)
        unit.add(
            self._PUT, row.username, row.account, row.role.value, sealed, row.epoch, int(row.is_first), row.made_ms
        )

    _PASSWORD = Statement("UPDATE api_user SET password = ?, epoch = ?, is_first = 0 WHERE username = ?")

    def set_password(self, unit: Unit, username: str, password: str, epoch: bytes) -> None:
        unit.add(self._PASSWORD, self._seal(username, password), epoch, username)

    _DELETE = Statement("DELETE FROM api_user WHERE username = ?")

    def delete(self, unit: Unit, username: str) -> None:
        unit.add(self._DELETE, username)

    _COLUMNS = "SELECT username, account, role, password, epoch, is_first, made_ms FROM api_user"
    _LOAD = Statement(_COLUMNS + " WHERE username = ?")
    _LIST = Statement(_COLUMNS + " ORDER BY username")

    async def load(self, username: str) -> UserRow | None:
        rows = await self._database.fetch(self._LOAD, username)
        return self._row(rows[0]) if rows else None

    async def load_all(self) -> list[UserRow]:
        return [self._row(row) for row in await self._database.fetch(self._LIST)]

    _REVOKE = Statement(
        "INSERT OR IGNORE INTO revoked_token (id, account, until_ms) VALUES (?, ?, ?)",
        "INSERT IGNORE INTO revoked_token (id, account, until_ms) VALUES (?, ?, ?)",
    )

    def revoke(self, unit: Unit, token: bytes, until_ms: int) -> None:
        """Remember a token until it would have ended by itself."""
        unit.add(self._REVOKE, token, EVERY_ACCOUNT, until_ms)

    _IS_REVOKED = Statement("SELECT 1 FROM revoked_token WHERE id = ?")

    async def is_revoked(self, token: bytes) -> bool:
        return bool(await self._database.fetch(self._IS_REVOKED, token))

    _SWEEP = Statement("DELETE FROM revoked_token WHERE until_ms < ?")

    def sweep(self, unit: Unit, now_ms: int) -> None:
        unit.add(self._SWEEP, now_ms)

    _KEY = Statement("SELECT sealed FROM token_key WHERE id = 1")
    _PUT_KEY = Statement(
        "INSERT INTO token_key (id, account, sealed) VALUES (1, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
        "INSERT INTO token_key (id, account, sealed) VALUES (1, ?, ?) ON DUPLICATE KEY UPDATE sealed = VALUES(sealed)",
    )

    async def load_key(self) -> bytes | None:
        """Return the key that signs tokens; None where there is none, or a damaged one: its tokens have ended then."""
        rows = await self._database.fetch(self._KEY)
        try:
            return self._vault.open("token_key", b"1", rows[0][0]) if rows else None
        except SealBroken as error:
            log.error("the key that signs tokens is damaged and is replaced", code=error.code)
            return None

    def put_key(self, unit: Unit, key: bytes) -> None:
        unit.add(self._PUT_KEY, EVERY_ACCOUNT, self._vault.seal("token_key", b"1", key))

    def _seal(self, username: str, password: str) -> bytes:
        return self._vault.seal("api_user", username.encode(), password.encode())

    def _row(self, row: Row) -> UserRow:
        username, account, role, sealed, epoch, is_first, made_ms = row
        try:
            password = self._vault.open("api_user", username.encode(), sealed).decode()
        except SealBroken as error:
            log.error("the password of a user is damaged; set a new one", code=error.code)
            password = ""
        return UserRow(username, account, Role(role), password, epoch, bool(is_first), made_ms)
