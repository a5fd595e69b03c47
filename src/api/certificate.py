"""The front's certificate: from a file or from the core, replaced while connections stay."""

import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from api.config import ApiConfig
from api.gateway import Core
from corefast.errors import CorefastError, SetupError
from corefast.limits import SETTINGS_POLL_S
from corefast.logs import get_logger
from corefast.net.tls import server_context
from corefast.wire.certificates import GetServerCertificate, ServerCertificate

log = get_logger()

OFF, SELF_SIGNED = "off", "self-signed"
_TIMEOUT_MS = 2_000


class Shown:
    """What clients see: `context` is for the server, and each handshake takes the certificate of that moment.

    OpenSSL keeps one certificate for each kind of key in a context, so a new one needs a context of its own.
    """

    def __init__(self, first: ssl.SSLContext) -> None:
        self._current = first
        self.context = first
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._current

    def replace(self, context: ssl.SSLContext) -> None:
        self._current = context


class Certificate:
    """Finds the certificate: one that was uploaded to the core, else the file, else the core's own."""

    def __init__(self, core: Core, mode: str, names: list[str]) -> None:
        self._core = core
        self._file = None if mode == SELF_SIGNED else Path(mode)
        self._names = names
        self._version = ""
        self._file_text = ""
        self.shown: Shown

    async def open(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Return once there is a certificate; a file must be good, the core is waited for."""
        if self._file is not None:
            self._file_text = _read(self._file)
            try:
                self.shown = Shown(server_context(self._file_text, ""))
            except (ssl.SSLError, OSError) as error:
                raise SetupError(f"--tls {self._file}: OpenSSL does not take it: {_reason(error)}") from None
            await self.round()
            return
        while not await self.round():
            log.info("waiting for the core's certificate")
            await sleep(SETTINGS_POLL_S)

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look for a new one each second, until cancelled."""
        while True:
            await sleep(SETTINGS_POLL_S)
            await self.round()

    async def round(self) -> bool:
        """Show what there is now; tell whether the core answered. Whatever is wrong, the last good one stays."""
        try:
            found = await self._core.call(
                GetServerCertificate(self._names, self._version),
                ServerCertificate,
                timeout_ms=_TIMEOUT_MS,
                link_wait_ms=_TIMEOUT_MS // 4,
            )
        except CorefastError as error:
            log.debug("the core did not tell its certificate", code=error.code)
            return False
        if self._file is not None and not found.is_uploaded:
            self._version = ""
            self._follow_file(self._file)
        elif found.version != self._version:
            self._file_text = ""
            self._show(found.chain, found.key)
            self._version = found.version
        return True

    def _follow_file(self, path: Path) -> None:
        try:
            text = _read(path)
        except SetupError as error:
            log.warning("the certificate's file cannot be read; the last one stays", reason=str(error))
            return
        if text != self._file_text:
            self._file_text = text
            self._show(text, "")

    def _show(self, chain: str, key: str) -> None:
        try:
            context = server_context(chain, key)
        except (ssl.SSLError, OSError) as error:
            log.error("a new certificate is not usable; the last one stays", reason=_reason(error))
            return
        if hasattr(self, "shown"):
            self.shown.replace(context)
            log.info("a new certificate is shown")
        else:
            self.shown = Shown(context)


def mode_of(tls: str, host: str) -> str:
    """Return `OFF`, `SELF_SIGNED` or a path: what --tls says, else by whether only this machine can connect."""
    if tls:
        return tls
    return OFF if is_loopback(host) else SELF_SIGNED


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_of(config: ApiConfig, host: str) -> list[str]:
    """Return what the certificate has to be good for besides this machine's own names."""
    try:
        is_one = not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        is_one = True
    return [*([host] if is_one else []), *config.tls_name]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"--tls {path}: {getattr(error, 'strerror', None) or 'is no PEM file'}") from None


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or type(error).__name__
