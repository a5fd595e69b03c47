"""What is set: sealed values by account and name, each with a version that every write changes."""

from collections.abc import Callable

from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Statement, Unit

log = get_logger()

Versions = dict[str, int]
"""The version of each value of an account, by name."""

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

    _CLEAR = Statement("DELETE FROM setting WHERE account = ?")

    def clear(self, unit: Unit, account: int) -> None:
        """Forget all that was set for *account*."""
        unit.add(self._CLEAR, account)

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

    _VERSIONS = Statement("SELECT account, name, version FROM setting WHERE name NOT LIKE ?")

    async def versions(self) -> dict[int, Versions]:
        """Return the versions of all values by account; pieces of photos are left out."""
        found: dict[int, Versions] = {}
        for account, name, version in await self._database.fetch(self._VERSIONS, _PHOTO):
            found.setdefault(account, {})[name] = version
        return found

    _VERSIONS_OF = Statement("SELECT name, version FROM setting WHERE account = ? AND name NOT LIKE ?")

    async def versions_of(self, account: int) -> Versions:
        return dict(await self._database.fetch(self._VERSIONS_OF, account, _PHOTO))

    _PIECES = Statement("SELECT name FROM setting WHERE account = ? AND name LIKE ?")

    async def pieces(self, account: int) -> list[str]:
        """Return the names of all pieces of photos."""
        return [name for (name,) in await self._database.fetch(self._PIECES, account, _PHOTO)]


def _key(account: int, name: str) -> bytes:
    return f"{account}/{name}".encode()
