"""API keys: digests of what the clients hold."""

import msgspec

from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Statement, Unit
from corefast.wire.gateway import Scope

log = get_logger()


class ApiKeyRow(msgspec.Struct, frozen=True):
    """One key; *digest* is the SHA-256 of the 256-bit secret, which is kept nowhere."""

    id: str
    account: int
    digest: bytes
    name: str
    scopes: tuple[Scope, ...]
    made_ms: int


class ApiKeyStore:
    """Keeps the keys; names are sealed."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    _PUT = Statement("INSERT INTO api_key (id, account, digest, name, scopes, made_ms) VALUES (?, ?, ?, ?, ?, ?)")

    def put(self, unit: Unit, row: ApiKeyRow) -> None:
        name = self._vault.seal("api_key", row.id.encode(), row.name.encode())
        unit.add(self._PUT, row.id, row.account, row.digest, name, " ".join(row.scopes), row.made_ms)

    _DELETE = Statement("DELETE FROM api_key WHERE id = ?")

    def delete(self, unit: Unit, key_id: str) -> None:
        unit.add(self._DELETE, key_id, rows=1)

    _LOAD = Statement("SELECT id, account, digest, name, scopes, made_ms FROM api_key ORDER BY made_ms, id")

    async def load(self) -> list[ApiKeyRow]:
        rows = await self._database.fetch(self._LOAD)
        return [
            ApiKeyRow(
                key_id,
                account,
                digest,
                self._name(key_id, name),
                tuple(Scope(scope) for scope in scopes.split()),
                made_ms,
            )
            for key_id, account, digest, name, scopes, made_ms in rows
        ]

    def _name(self, key_id: str, sealed: bytes) -> str:
        try:
            return self._vault.open("api_key", key_id.encode(), sealed).decode()
        except SealBroken as error:
            log.error("the name of an API key is damaged", code=error.code)
            return ""
