"""Where a webhook may go: which URLs, and which addresses behind their names.

A name is resolved once, by the connector itself, and the connection goes to exactly the addresses that passed here, so
a name that changes between check and use gains nothing. The business's own network is a fine place for its webhook;
what no webhook is ever meant for (the cloud's metadata service, broadcast, "this host") is refused.
"""

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from corefast.errors import CallerError


class UrlRefused(CallerError):
    """The webhook's URL may not be called; the text says why, without the URL."""

    code = "webhook.url"


class AddressRefused(OSError):
    """A name resolved to an address that may not be called."""


class Guard(AbstractResolver):
    """Checks URLs, and resolves names to those of their addresses that may be called."""

    def __init__(self, allow_http: bool, resolver: AbstractResolver | None = None) -> None:
        self._allow_http = allow_http
        self._resolver = resolver

    def check(self, url: str) -> None:
        """Raise `UrlRefused` where *url* may not be called."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            _ = parts.port
        except ValueError:
            raise UrlRefused("the URL cannot be read") from None
        if parts.scheme not in ("http", "https") or not host:
            raise UrlRefused("the URL has to begin with https://")
        if parts.scheme == "http" and not self._allow_http and not _is_here(host):
            raise UrlRefused("http:// is for this machine only; use https://, or start webhooks with --allow-http")
        if not all(may_call(address) for address in _addresses_in(host)):
            raise UrlRefused("the address is not one for webhooks")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self._resolver is None:
            self._resolver = ThreadedResolver()
        found = await self._resolver.resolve(host, port, family)
        allowed = [one for one in found if may_call(one["host"])]
        if not allowed:
            raise AddressRefused("the name has no address for webhooks")
        return allowed

    async def close(self) -> None:
        if self._resolver is not None:
            await self._resolver.close()


def may_call(address: str) -> bool:
    """Whether *address* is one that a webhook can be meant for; an IPv4 address inside an IPv6 one counts as itself."""
    plain: Any = ipaddress.ip_address(address.partition("%")[0])
    plain = getattr(plain, "ipv4_mapped", None) or plain
    return not (plain.is_link_local or plain.is_multicast or plain.is_unspecified or str(plain) == "255.255.255.255")


def _addresses_in(host: str) -> list[str]:
    """Return the address that *host* is, in any spelling that a socket takes (127.1, 0x7f000001); none for a name."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)]
    except OSError:
        return []


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
