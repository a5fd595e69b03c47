"""The certificate that all fronts show, and those that emitters trust: kept here, sealed, for every account."""

import asyncio
import hashlib
import ipaddress
import re
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from corefast.core.context import Process
from corefast.core.feed.rota import Rota
from corefast.core.settings.certificate import (
    Pair,
    ends_ms,
    last_of,
    make_authority,
    make_leaf,
    read_authorities,
    read_pair,
)
from corefast.core.store.settings import SettingStore
from corefast.core.store.span import EVERY_ACCOUNT
from corefast.errors import CertificateUnknown, ParameterInvalid
from corefast.store.database import Unit
from corefast.wire.certificates import (
    Authorities,
    GetAuthorities,
    GetServerAuthority,
    GetServerCertificate,
    ServerCertificate,
    SetAuthorities,
    SetServerCertificate,
)

UPLOADED, OWN, AUTHORITY, TRUSTED = (f"certificate.{name}" for name in ("uploaded", "own", "authority", "trusted"))
ALWAYS = ("localhost", "127.0.0.1", "::1")
MAX_NAMES = 64
RENEW_MS = 30 * 86_400_000
"""Our own leaf is made anew so long before it ends."""

_NAME = re.compile(r"(?!-)[A-Za-z0-9_*-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_MAX_NAME = 253


class _Own(msgspec.Struct, frozen=True):
    """Our own leaf, and what it is good for."""

    pair: Pair
    names: list[str]


_decode_pair = msgspec.json.Decoder(Pair).decode
_decode_own = msgspec.json.Decoder(_Own).decode


class Certificates:
    """Serves the messages of `wire.certificates`."""

    def __init__(self, process: Process, store: SettingStore, rota: Rota) -> None:
        self._process = process
        self._store = store
        self._rota = rota
        self._changing = asyncio.Lock()
        self._uploaded: Pair | None = None
        self._own: _Own | None = None
        self._trusted = ""

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {
            GetServerCertificate: self.get,
            SetServerCertificate: self.set,
            GetServerAuthority: self.authority,
            SetAuthorities: self.set_trusted,
            **self.emitter_functions(),
        }

    def emitter_functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what emitters may ask."""
        return {GetAuthorities: self.get_trusted}

    async def load(self) -> None:
        """Read what is stored: at the start, and when another core changed it."""
        uploaded = await self._store.load(EVERY_ACCOUNT, UPLOADED)
        own = await self._store.load(EVERY_ACCOUNT, OWN)
        self._uploaded = _decode_pair(uploaded) if uploaded else None
        self._own = _decode_own(own) if own else None
        self._trust((await self._store.load(EVERY_ACCOUNT, TRUSTED) or b"").decode())

    # ── of the fronts ──────────────────────────────────────────────────────────────────────────────────────────────

    async def get(self, request: GetServerCertificate) -> ServerCertificate:
        pair = self._uploaded
        if pair is None:
            pair = (await self._own_for(request.names)).pair
        version = hashlib.sha256(pair.chain.encode()).hexdigest()
        is_uploaded = pair is self._uploaded
        if version == request.known:
            return ServerCertificate(version, is_uploaded)
        return ServerCertificate(version, is_uploaded, pair.chain, pair.key)

    async def set(self, request: SetServerCertificate) -> Authorities:
        """Store what was uploaded; an empty text ends an upload."""
        pair = read_pair(request.pem, self._process.clock()) if request.pem else None
        if pair is None and self._uploaded is None:
            raise CertificateUnknown("no certificate was uploaded")
        await self._put(UPLOADED, msgspec.json.encode(pair) if pair else b"")
        self._uploaded = pair
        return await self.authority(GetServerAuthority())

    async def authority(self, request: GetServerAuthority) -> Authorities:
        pair = self._uploaded or (await self._own_for([])).pair
        return Authorities(last_of(pair.chain))

    async def _own_for(self, names: list[str]) -> _Own:
        """Return our own certificate, made anew where it lacks one of *names* or ends soon."""
        _check_names(names)
        async with self._changing:
            own, now_ms = self._own, self._process.clock()
            known = own.names if own else list(dict.fromkeys((*ALWAYS, *_host_names())))
            wanted = list(dict.fromkeys((*known, *names)))
            if len(wanted) > MAX_NAMES:
                raise ParameterInvalid(f"a certificate is for at most {MAX_NAMES} names")
            if own and wanted == own.names and now_ms < ends_ms(own.pair.chain) - RENEW_MS:
                return own
            stored = await self._store.load(EVERY_ACCOUNT, AUTHORITY)
            authority = _decode_pair(stored) if stored else None
            if authority is None or now_ms > ends_ms(authority.chain) - 2 * RENEW_MS:
                authority = make_authority(now_ms, self._process.random(4).hex())
                await self._put(AUTHORITY, msgspec.json.encode(authority))
            made = _Own(make_leaf(authority, wanted, now_ms), wanted)
            await self._put(OWN, msgspec.json.encode(made))
            self._own = made
            return made

    # ── of the emitters ────────────────────────────────────────────────────────────────────────────────────────────

    async def get_trusted(self, request: GetAuthorities) -> Authorities:
        if not self._trusted:
            raise CertificateUnknown("no webhook CA certificates found")
        return Authorities(self._trusted)

    async def set_trusted(self, request: SetAuthorities) -> Authorities:
        if not request.pem and not self._trusted:
            raise CertificateUnknown("no webhook CA certificates found")
        pem = read_authorities(request.pem) if request.pem else ""
        await self._put(TRUSTED, pem.encode())
        self._trust(pem)
        return Authorities(pem)

    def _trust(self, pem: str) -> None:
        self._trusted = pem
        self._rota.authorities = hashlib.sha256(pem.encode()).hexdigest() if pem else ""

    async def _put(self, name: str, value: bytes) -> None:
        unit = Unit()
        if value:
            self._store.put(unit, EVERY_ACCOUNT, name, value)
        else:
            self._store.delete(unit, EVERY_ACCOUNT, name)
        await self._process.database.commit(unit)


def _check_names(names: list[str]) -> None:
    for name in names:
        if len(name) > _MAX_NAME or not (_is_address(name) or _NAME.fullmatch(name)):
            raise ParameterInvalid(f"{name[:64]!r} is no name or address that a certificate can be for")


def _host_names() -> list[str]:
    name = socket.gethostname()
    return [name] if len(name) <= _MAX_NAME and _NAME.fullmatch(name) else []


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
