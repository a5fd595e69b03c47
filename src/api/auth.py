"""Who is calling: an API key's digest, or the token of a user, asked of the core and remembered for a moment.

Keys and tokens are hashed at once and never kept.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable
from functools import partial

import msgspec

from api.gateway import Core
from api.request import Request
from corefast.address import canonical_number
from corefast.errors import (
    AccountUnknown,
    CorefastError,
    LoginRefused,
    NumberInvalid,
    Overloaded,
    ScopeMissing,
    TokenInvalid,
)
from corefast.limits import KEY_CACHE_MS, MAX_KEY_CHECKS, MAX_KNOWN_KEYS
from corefast.wire.access import CheckToken
from corefast.wire.gateway import CheckKey, KeyView, Scope

_CREDENTIALS = re.compile(rb"(?:bearer|apikey) +(\S+) *", re.IGNORECASE)
_BASIC = re.compile(rb"basic +([A-Za-z0-9+/=]{1,1024}) *", re.IGNORECASE)
_MAX_KEY_BYTES = 512


ACCOUNT_HEADER = b"x-corefast-account"
"""Names the number that a request is about, for those who administer several."""


VENDOR_HEADER = b"d360-api-key"
"""Where clients of a large vendor's hosted form of the same API put their key, bare."""


class Keys:
    """Checks API keys; a good answer is reused for `KEY_CACHE_MS`, so a revoked key dies within that time."""

    def __init__(self, core: Core, clock_ms: Callable[[], int]) -> None:
        self._core = core
        self._clock_ms = clock_ms
        self._known: dict[bytes, tuple[int, KeyView]] = {}
        self._running: dict[bytes, asyncio.Task[KeyView]] = {}
        self._unknown_running = 0

    async def require(self, request: Request, scope: Scope | None = None) -> KeyView:
        """Return the key of the request's Authorization header, for the account that the request names.

        Raises `TokenInvalid`, `ScopeMissing`, or `AccountUnknown` for an account that is not the caller's.
        """
        return for_account(await self.require_token(self.token_of(request), scope), request)

    async def require_administrator(self, request: Request) -> KeyView:
        """Return the token of somebody who administers all numbers: for what belongs to the core and to none of them.

        Raises what `require` does; `ScopeMissing` for the keys and users of one number.
        """
        caller = await self.require(request, Scope.ADMIN)
        if not caller.may_choose:
            raise ScopeMissing("this is for the administrator of the core alone; log in as one: POST /v1/users/login")
        return caller

    async def require_token(self, token: bytes, scope: Scope | None = None) -> KeyView:
        digest = hashlib.sha256(token).digest()
        known = self._known.get(digest)
        view = known[1] if known and known[0] > self._clock_ms() else await self._ask(token, digest, known is not None)
        if scope is not None and scope not in view.scopes:
            raise ScopeMissing(f"this key or token lacks the scope `{scope}`")
        return view

    def forget(self, token: bytes) -> None:
        """Do not reuse what was learned about *token*: it has ended."""
        self._known.pop(hashlib.sha256(token).digest(), None)

    @staticmethod
    def token_of(request: Request) -> bytes:
        """Return the key in the Authorization header; raise `TokenInvalid` where there is none."""
        header = request.header(b"authorization")
        if not header and (named := request.header(VENDOR_HEADER).strip()):
            header = b"apikey " + named
        if not header:
            raise TokenInvalid("the API key is missing: send Authorization: Bearer cf_…")
        found = _CREDENTIALS.fullmatch(header)
        if not found or len(found[1]) > _MAX_KEY_BYTES:
            raise TokenInvalid("Authorization has to be: Bearer cf_… (or: Apikey cf_…)")
        return found[1]

    async def _ask(self, token: bytes, digest: bytes, is_known: bool) -> KeyView:
        """Ask the core, once for all requests that wait for the same key."""
        task = self._running.get(digest)
        if task is None:
            if not is_known and self._unknown_running >= MAX_KEY_CHECKS:
                raise Overloaded("too many unknown API keys are being tried")
            self._unknown_running += not is_known
            task = asyncio.create_task(self._core.call(_question(token, digest), KeyView))
            task.add_done_callback(partial(self._learn, digest, is_known))
            self._running[digest] = task
        return await asyncio.shield(task)

    def _learn(self, digest: bytes, is_known: bool, task: asyncio.Task[KeyView]) -> None:
        self._unknown_running -= not is_known
        del self._running[digest]
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            if len(self._known) >= MAX_KNOWN_KEYS:
                self._known.clear()
            self._known[digest] = (self._clock_ms() + KEY_CACHE_MS, task.result())
        elif isinstance(error, CorefastError) and error.code == TokenInvalid.code:
            self._known.pop(digest, None)


def for_account(view: KeyView, request: Request) -> KeyView:
    """Return *view* for the account that the request names; raise `AccountUnknown` where it is another's."""
    named = request.header(ACCOUNT_HEADER)
    if not named:
        return view
    try:
        number = canonical_number(named.decode("ascii"))
    except (NumberInvalid, UnicodeDecodeError):
        raise AccountUnknown("X-Corefast-Account has to be a number that this core serves") from None
    if number == view.account:
        return view
    if not view.may_choose:
        raise AccountUnknown("this core does not serve that number")
    return msgspec.structs.replace(view, account=number)


def _question(token: bytes, digest: bytes) -> CheckKey | CheckToken:
    """A token of a user is a JWT, three parts; a key is opaque, and its digest is all that leaves us."""
    return CheckToken(token.decode("ascii")) if token.count(b".") == 2 and token.isascii() else CheckKey(digest)


def read_basic(request: Request) -> tuple[str, str]:
    """Return user name and password of Basic credentials (RFC 7617); raise `LoginRefused`.

    They are UTF-8, or else Latin-1, as some older clients write them.
    """
    found = _BASIC.fullmatch(request.header(b"authorization"))
    try:
        raw = base64.b64decode(found[1], validate=True) if found else b""
    except ValueError:
        raw = b""
    try:
        decoded = raw.decode()
    except UnicodeDecodeError:
        decoded = raw.decode("latin-1")
    name, colon, password = decoded.partition(":")
    if not colon:
        raise LoginRefused("send the user name and the password: Authorization: Basic …")
    return name, password
