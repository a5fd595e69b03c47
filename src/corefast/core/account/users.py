"""Who logs in: users, their passwords and their tokens. The database is asked each time, as several cores share it."""

import asyncio
import re
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any

from corefast.core.account.directory import Directory
from corefast.core.account.guessing import Guessing
from corefast.core.account.password import Hashes, check_password
from corefast.core.account.tokens import KEY_BYTES, TOKEN_ID_BYTES, TOKEN_LIFE_S, Token, read_token, sign_token
from corefast.core.context import Process
from corefast.core.store.span import EVERY_ACCOUNT
from corefast.core.store.users import UserRow, UserStore
from corefast.errors import (
    CorefastError,
    LoginRefused,
    LoginThrottled,
    Overloaded,
    ParameterInvalid,
    ParameterMissing,
    PasswordUnchanged,
    SetupError,
    TokenInvalid,
    UserBuiltin,
    UserExists,
    UserUnknown,
)
from corefast.limits import MAX_USERS
from corefast.logs import get_logger
from corefast.store.database import Unit
from corefast.wire.access import (
    CheckToken,
    DeleteUser,
    GetUser,
    ListUsers,
    LoggedIn,
    Login,
    Logout,
    NewUser,
    Role,
    SetPassword,
    UserView,
)
from corefast.wire.access import (
    Users as UserList,
)
from corefast.wire.gateway import Done, KeyView, Scope

log = get_logger()

ADMIN = "admin"
COMPAT_PASSWORD = "secret"  # noqa: S105 - the original's, good for one thing: being changed

_EPOCH_BYTES = 16
_USERNAME = re.compile(r"[A-Za-z0-9._@-]{4,32}")
_SCOPES = {Role.ADMIN: (Scope.SEND, Scope.READ, Scope.ADMIN), Role.USER: (Scope.SEND, Scope.READ)}


class Users:
    """Serves the messages of `wire.access`."""

    def __init__(self, process: Process, store: UserStore, directory: Directory) -> None:
        self._process = process
        self._store = store
        self._directory = directory
        self._hashes = Hashes()
        self._guessing = Guessing()
        self._changing = asyncio.Lock()
        self._key = b""
        self.first_password = ""
        """The administrator's, where this process has made it up: to be shown once."""

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {
            Login: self.login,
            Logout: self.logout,
            CheckToken: self.check,
            NewUser: self.make,
            GetUser: self.get,
            ListUsers: self.list,
            SetPassword: self.set_password,
            DeleteUser: self.delete,
        }

    # ── the first start ────────────────────────────────────────────────────────────────────────────────────────────

    async def load(self, admin_password: str, *, is_compatible: bool) -> None:
        """Make what is missing: the signing key, and the administrator with the password given, or a random one."""
        self._key = await self._store.load_key() or await self._make_key()
        if await self._store.load(ADMIN) is None:
            await self._make_admin(admin_password, is_compatible)

    async def _make_key(self) -> bytes:
        key, unit = self._process.random(KEY_BYTES), Unit()
        self._store.put_key(unit, key)
        await self._process.database.commit(unit)
        return key

    async def _make_admin(self, password: str, is_compatible: bool) -> None:
        is_first = is_compatible and not password
        if password:
            try:
                check_password(password, "admin password")
            except CorefastError as error:
                raise SetupError(f"COREFAST_ADMIN_PASSWORD_FILE: {error}") from None
        elif is_first:
            password = COMPAT_PASSWORD
        else:
            password = self.first_password = f"{token_urlsafe(15)}-Aa1"
        await self._add(ADMIN, EVERY_ACCOUNT, Role.ADMIN, password, is_first=is_first)

    # ── tokens ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def login(self, request: Login) -> LoggedIn:
        """Check the password, change it where asked to, and return a token.

        The same password again is no change, and ends no token: some clients log in with a new password every time.
        """
        user = await self._authenticate(request)
        if request.new_password and request.new_password != request.password:
            user = await self._change(user, request.new_password, "new_password")
        elif user.is_first and request.new_password:
            raise ParameterInvalid("`new_password` has to be another one")
        elif user.is_first:
            raise PasswordUnchanged("Password must be changed: log in with new_password")
        expires_s = self._process.clock() // 1_000 + TOKEN_LIFE_S
        token = Token(user.username, user.epoch.hex(), self._process.random(TOKEN_ID_BYTES).hex(), expires_s)
        return LoggedIn(sign_token(self._key, token), expires_s * 1_000)

    async def _authenticate(self, request: Login) -> UserRow:
        # A name is remembered for what was tried with it, so it has to be bounded like any.
        name, address, clock = request.username[:64], request.address[:64], self._process.clock
        if wait_ms := self._guessing.wait_ms(name, address, clock()):
            raise LoginThrottled("too many wrong passwords; wait before the next try", retry_after_ms=wait_ms)
        self._guessing.failed(name, address, clock())  # first, so that tries at the same time count too
        user = await self._store.load(name)
        if not await self._hashes.fits(user.password if user else None, request.password) or user is None:
            raise LoginRefused("user name or password is wrong")
        self._guessing.succeeded(name, address)
        return user

    async def logout(self, request: Logout) -> Done:
        token = self._read(request.token)
        unit = Unit()
        self._store.revoke(unit, bytes.fromhex(token.id), token.expires_s * 1_000)
        await self._process.database.commit(unit)
        return Done()

    async def check(self, request: CheckToken) -> KeyView:
        """Return whose token it is; raise `TokenInvalid`."""
        token = self._read(request.token)
        user = await self._store.load(token.username)
        if user is None or user.epoch.hex() != token.epoch or await self._store.is_revoked(bytes.fromhex(token.id)):
            raise TokenInvalid("the token was revoked; log in again: POST /v1/users/login")
        may_choose = user.account == EVERY_ACCOUNT
        account = self._directory.only if may_choose else self._directory.number_of(user.account)
        scopes = _SCOPES[user.role]
        return KeyView(f"user:{user.username}", user.username, account, scopes, user.made_ms, user.username, may_choose)

    def _read(self, text: str) -> Token:
        return read_token(self._key, text, self._process.clock() // 1_000)

    def sweep(self, unit: Unit) -> None:
        """Forget revoked tokens that have ended."""
        self._store.sweep(unit, self._process.clock())

    # ── users ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def make(self, request: NewUser) -> UserView:
        """Add a user of one account."""
        account = self._directory.account_of(request.account)
        _check_username(request.username)
        check_password(request.password, "password")
        if len(await self._store.load_all()) >= MAX_USERS:
            raise Overloaded(f"there are {MAX_USERS} users already; delete some", retry_after_ms=60_000)
        return self._view(await self._add(request.username, account, Role.USER, request.password))

    async def _add(self, username: str, account: int, role: Role, password: str, *, is_first: bool = False) -> UserRow:
        process = self._process
        hashed = await self._hashes.make(password)
        row = UserRow(username, account, role, hashed, process.random(_EPOCH_BYTES), is_first, process.clock())
        async with self._changing:
            if await self._store.load(username) is not None:
                raise UserExists("a user with this name exists already")
            unit = Unit()
            self._store.put(unit, row)
            await process.database.commit(unit)
        return row

    async def get(self, request: GetUser) -> UserView:
        return self._view(await self._find(request.account, request.username))

    async def list(self, request: ListUsers) -> UserList:
        return UserList(
            [self._view(row) for row in await self._store.load_all() if self._may_see(request.account, row)]
        )

    async def set_password(self, request: SetPassword) -> UserView:
        return self._view(await self._change(await self._find(request.account, request.username), request.password))

    async def _change(self, user: UserRow, password: str, field: str = "password") -> UserRow:
        """Store a new password; a new epoch ends all tokens."""
        check_password(password, field)
        hashed, epoch = await self._hashes.make(password), self._process.random(_EPOCH_BYTES)
        unit = Unit()
        self._store.set_password(unit, user.username, hashed, epoch)
        await self._process.database.commit(unit)
        changed = await self._store.load(user.username)
        if changed is None:
            raise UserUnknown("there is no such user")
        return changed

    async def delete(self, request: DeleteUser) -> UserView:
        if request.username == ADMIN:
            raise UserBuiltin("the built-in administrator cannot be deleted")
        user = await self._find(request.account, request.username)
        unit = Unit()
        self._store.delete(unit, user.username)
        await self._process.database.commit(unit)
        return self._view(user)

    async def _find(self, account: str, username: str) -> UserRow:
        row = await self._store.load(username)
        if row is None or not self._may_see(account, row):
            raise UserUnknown("there is no such user")
        return row

    def _may_see(self, account: str, row: UserRow) -> bool:
        return not account or account == self._directory.number_of(row.account)

    def _view(self, row: UserRow) -> UserView:
        return UserView(row.username, row.role, self._directory.number_of(row.account), row.made_ms)


def _check_username(username: str) -> None:
    if not username:
        raise ParameterMissing("`username` is missing or empty")
    if not _USERNAME.fullmatch(username):
        raise ParameterInvalid("`username` has 4 to 32 letters, digits or characters of . _ @ -")
