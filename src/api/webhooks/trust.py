"""Whom a webhook's certificate has to be vouched for by: the system or a file, and what was uploaded to the core."""

import asyncio
import ssl

from api.gateway import Core
from corefast.errors import SetupError
from corefast.limits import CALL_TIMEOUT_MS
from corefast.net.tls import client_context
from corefast.wire.certificates import Authorities, GetAuthorities


class Trust:
    """Keeps one TLS context, of the authorities that the last delivery named."""

    def __init__(self, core: Core, ca_file: str = "") -> None:
        self._core = core
        self._ca_file = ca_file
        self._named = ""
        self._asking = asyncio.Lock()
        try:
            self._context = client_context(ca_file)
        except OSError as error:
            # ssl.SSLError among them: it has a number, and words that help nobody.
            what = error.strerror if not isinstance(error, ssl.SSLError) else None
            raise SetupError(f"--ca-file: {ca_file}: {what or 'holds no certificate in PEM form'}") from None

    async def context(self, named: str) -> ssl.SSLContext:
        """Return the context for the authorities called *named*; raise what the core refuses."""
        if named != self._named:
            async with self._asking:
                if named != self._named:
                    self._context = client_context(self._ca_file, await self._ask() if named else "")
                    self._named = named
        return self._context

    async def _ask(self) -> str:
        return (await self._core.call(GetAuthorities(), Authorities, timeout_ms=CALL_TIMEOUT_MS)).pem
