"""Fetching what a link names, from the internet alone: no address of ours, no redirect, no end of patience.

It costs 15 MB of memory: imported with the first link.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from msgspec import UnsetType
from yarl import URL

from corefast.core.config import Network
from corefast.errors import LinkRefused
from corefast.limits import LINK_TIMEOUT_MS, MAX_LINK_CHARACTERS
from corefast.net.guard import AddressRefused, GuardedResolver, addresses_in, guarded_socket, in_networks, is_public
from corefast.wire.settings import Provider

PIECE_BYTES = 65_536


class Fetched:
    """An answer that is coming in: its type, and its bytes."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.mime = response.headers.get("content-type", "")
        self.size = response.content_length

    async def pieces(self) -> AsyncIterator[bytes]:
        async for piece in self._response.content.iter_chunked(PIECE_BYTES):
            yield piece


class Links:
    """Opens links. *networks* may be called besides the public ones."""

    def __init__(self, networks: Sequence[Network] = (), resolver: AbstractResolver | None = None) -> None:
        self._networks = networks
        self._resolver = resolver

    @asynccontextmanager
    async def open(self, link: str, headers: Mapping[str, str]) -> AsyncIterator[Fetched]:
        """Give the answer to a GET; raise `LinkRefused` for anything but 200 within the time."""
        url = self._check(link)
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._may_call, self._resolver),
            socket_factory=guarded_socket(self._may_call),
            use_dns_cache=False,
            force_close=True,
        )
        timeout = aiohttp.ClientTimeout(total=LINK_TIMEOUT_MS / 1_000)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
                async with session.get(url, headers=_headers(headers), allow_redirects=False) as response:
                    if response.status != 200:
                        raise LinkRefused(f"the link answers {response.status}{_hint(response.status)}")
                    yield Fetched(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise LinkRefused(_describe(error)) from None

    def _check(self, link: str) -> URL:
        """Return the URL; raise `LinkRefused` where it is none that we call."""
        if len(link) > MAX_LINK_CHARACTERS or not link.isprintable():
            raise LinkRefused(f"a link has at most {MAX_LINK_CHARACTERS} characters, none of them invisible")
        try:
            url = URL(link)
            host, _ = url.host, url.port
        except ValueError:
            raise LinkRefused("the link cannot be read as a URL") from None
        if url.scheme not in ("http", "https") or not host:
            raise LinkRefused("a link begins with https:// or http://")
        if url.user is not None or url.password is not None or "@" in url.raw_authority:
            raise LinkRefused("a link holds no user name; name a provider with the credentials instead")
        if not all(self._may_call(address) for address in addresses_in(host)):
            raise LinkRefused("the link leads to an address that is not on the internet")
        return url

    def _may_call(self, address: str) -> bool:
        return is_public(address) or in_networks(address, self._networks)


def credentials_of(provider: Provider) -> dict[str, str]:
    """Return the header by which links of *provider* are fetched."""
    config = provider.config
    if isinstance(config.basic, UnsetType):
        return {"Authorization": f"Bearer {config.bearer}"}
    login = f"{config.basic.username}:{config.basic.password}"
    return {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _headers(given: Mapping[str, str]) -> dict[str, Any]:
    return {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "corefast", **given}


def _hint(status: int) -> str:
    return "; redirects are not followed, give the address that it leads to" if 300 <= status < 400 else ""


def _describe(error: Exception) -> str:
    """Return a few words; they name no host and no address."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, AddressRefused) or isinstance(cause, AddressRefused):
        return "the link leads to an address that is not on the internet"
    if isinstance(error, TimeoutError):
        return f"the link did not give the file within {LINK_TIMEOUT_MS // 1_000} seconds"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "the link's certificate is not valid for its name"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the link's name has no usable address"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the link's answer broke off"
    return "the link cannot be fetched: nobody answers there, or not in HTTP"
