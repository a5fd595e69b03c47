"""Who may call: API keys, known by their digest."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from corefast.core.account.directory import Directory
from corefast.core.context import Process
from corefast.core.store.apikeys import ApiKeyRow, ApiKeyStore
from corefast.errors import Overloaded, ParameterInvalid, ParameterMissing, TokenInvalid
from corefast.limits import MAX_API_KEYS
from corefast.store.database import Unit
from corefast.wire.gateway import CheckKey, Done, Keys, KeyView, ListKeys, NewKey, NewKeyMade, RevokeKey

PREFIX = "cf_"
_MIN_CHARACTERS = 32
_MAX_CHARACTERS = 128
_MAX_NAME_CHARACTERS = 100


class ApiKeys:
    """All keys of all accounts in memory, by digest; each opens one account."""

    def __init__(self, process: Process, store: ApiKeyStore, directory: Directory) -> None:
        self._process = process
        self._store = store
        self._directory = directory
        self._views: dict[bytes, KeyView] = {}

    async def load(self) -> None:
        self._views = {row.digest: self._view(row) for row in await self._store.load()}

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {CheckKey: self.check, NewKey: self.make, ListKeys: self.list, RevokeKey: self.revoke}

    def check(self, request: CheckKey) -> KeyView:
        """Return whose key has this digest; raise `TokenInvalid`."""
        view = self._views.get(request.digest)
        if view is None:
            raise TokenInvalid("no key has this digest")
        return view

    async def make(self, request: NewKey) -> NewKeyMade:
        """Make a key, or take over one that exists elsewhere."""
        account = self._directory.account_of(request.account)
        key = request.key or PREFIX + urlsafe_b64encode(self._process.random(32)).rstrip(b"=").decode()
        self._check_new(request, key)
        digest = hashlib.sha256(key.encode()).digest()
        if (known := self._views.get(digest)) is not None:
            if known.account != self._directory.number_of(account):
                raise ParameterInvalid("this key is another number's")
            return NewKeyMade(known, key)
        if len(self._views) >= MAX_API_KEYS:
            raise Overloaded(f"there are {MAX_API_KEYS} keys already; revoke some", retry_after_ms=60_000)
        scopes = tuple(dict.fromkeys(request.scopes))
        row = ApiKeyRow(self._process.random(8).hex(), account, digest, request.name, scopes, self._process.clock())
        unit = Unit()
        self._store.put(unit, row)
        await self._process.database.commit(unit)
        self._views[digest] = self._view(row)
        return NewKeyMade(self._views[digest], key)

    def _check_new(self, request: NewKey, key: str) -> None:
        if not request.name or len(request.name) > _MAX_NAME_CHARACTERS:
            raise ParameterMissing(f"a key needs a name of 1 to {_MAX_NAME_CHARACTERS} characters")
        if not request.scopes:
            raise ParameterMissing("a key needs at least one scope")
        if not (key.startswith(PREFIX) and key.isascii() and _MIN_CHARACTERS <= len(key) <= _MAX_CHARACTERS):
            raise ParameterInvalid(f"a key is {PREFIX} and at least {_MIN_CHARACTERS - len(PREFIX)} random characters")

    def list(self, request: ListKeys) -> Keys:
        number = self._directory.resolve(request.account) if request.account else ""
        views = [view for view in self._views.values() if number in ("", view.account)]
        return Keys(sorted(views, key=lambda view: (view.created_ms, view.id)))

    async def revoke(self, request: RevokeKey) -> Done:
        """Delete a key; raise `TokenInvalid` where none has this id. It stops working before this returns."""
        digest = next((digest for digest, view in self._views.items() if view.id == request.id), None)
        if digest is None:
            raise TokenInvalid("no key has this id")
        view = self._views.pop(digest)
        unit = Unit()
        self._store.delete(unit, request.id)
        try:
            await self._process.database.commit(unit)
        except BaseException:
            self._views[digest] = view
            raise
        return Done()

    def _view(self, row: ApiKeyRow) -> KeyView:
        return KeyView(row.id, row.name, self._directory.number_of(row.account), row.scopes, row.made_ms)
