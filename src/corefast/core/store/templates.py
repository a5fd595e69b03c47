"""The templates of an account."""

import msgspec

from corefast.endpoint.vault import Vault
from corefast.errors import SealBroken
from corefast.logs import get_logger
from corefast.store.database import Database, Statement, Unit
from corefast.wire.template import Definition

log = get_logger()

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Definition).decode


class TemplateStore:
    """Definitions are sealed as a whole."""

    def __init__(self, database: Database, vault: Vault, account: int) -> None:
        self._database = database
        self._vault = vault
        self._account = account

    _PUT = Statement(
        "INSERT INTO template (account, id, sealed) VALUES (?, ?, ?)"
        " ON CONFLICT (account, id) DO UPDATE SET sealed = excluded.sealed",
        "INSERT INTO template (account, id, sealed) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE sealed = VALUES(sealed)",
    )

    def put(self, unit: Unit, template: int, definition: Definition) -> None:
        """Store a template, in place of the one that had this id."""
        unit.add(
            self._PUT,
            self._account,
            template,
            self._vault.seal("template", self._row_key(template), _encode(definition)),
        )

    _DELETE = Statement("DELETE FROM template WHERE account = ? AND id = ?")

    def delete(self, unit: Unit, template: int) -> None:
        unit.add(self._DELETE, self._account, template)

    _LOAD = Statement("SELECT id, sealed FROM template WHERE account = ? ORDER BY id")

    async def load(self) -> dict[int, Definition]:
        """Return all by id, oldest first, but those that are damaged."""
        found = {}
        for template, sealed in await self._database.fetch(self._LOAD, self._account):
            try:
                found[template] = _decode(self._vault.open("template", self._row_key(template), sealed))
            except (SealBroken, msgspec.DecodeError) as error:
                log.error("a template is damaged; hand it in anew", code=getattr(error, "code", "malformed"))
        return found

    def _row_key(self, template: int) -> bytes:
        return self._account.to_bytes(4, "big") + template.to_bytes(8, "big")
