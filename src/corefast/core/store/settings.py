"""What is set: sealed values by account and name, each with a version that every write changes."""

from collections.abc import Callable

from corefast.core.store.span import EVERY_ACCOUNT
from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Statement, Unit

log = get_logger()

_PHOTO = "photo/%"
_VERSION_BYTES = 7


class SettingStore:
    """Loads and saves values; the database shows their names and sizes."""

    def __init__(self, database: Database, vault: Vault, random: Callable[[int], bytes]) -> None:
        self._database = database
        self._vault = vault
        self._random = random

    _PUT = Statement(
        "INSERT INTO setting (account, name, version, sealed) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account, name) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
        "INSERT INTO setting (account, name, version, sealed) VALUES (?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE version = VALUES(version), sealed = VALUES(sealed)",
    )

    def put(self, unit: Unit, account: int, name: str, value: bytes) -> None:
        version = int.from_bytes(self._random(_VERSION_BYTES), "big")
        unit.add(self._PUT, account, name, version, self._vault.seal("setting", _key(account, name), value))

    _DELETE = Statement("DELETE FROM setting WHERE account = ? AND name = ?")

    def delete(self, unit: Unit, account: int, name: str) -> None:
        unit.add(self._DELETE, account, name)

    _LOAD = Statement("SELECT sealed FROM setting WHERE account = ? AND name = ?")

    async def load(self, account: int, name: str) -> bytes | None:
        """Return the value; None where there is none, or only a damaged one."""
        rows = await self._database.fetch(self._LOAD, account, name)
        if not rows:
            return None
        try:
            return self._vault.open("setting", _key(account, name), rows[0][0])
        except SealBroken as error:
            log.error("a stored setting is damaged and left out", name=name.partition("/")[0], code=error.code)
            return None

    _VERSIONS = Statement("SELECT name, version FROM setting WHERE account IN (?, ?) AND name NOT LIKE ?")

    async def versions(self, account: int) -> dict[str, int]:
        """Return the version of each value of *account* and of all accounts; pieces of photos are left out."""
        return dict(await self._database.fetch(self._VERSIONS, account, EVERY_ACCOUNT, _PHOTO))

    _PIECES = Statement("SELECT name FROM setting WHERE account = ? AND name LIKE ?")

    async def pieces(self, account: int) -> list[str]:
        """Return the names of all pieces of photos."""
        return [name for (name,) in await self._database.fetch(self._PIECES, account, _PHOTO)]


def _key(account: int, name: str) -> bytes:
    return f"{account}/{name}".encode()
