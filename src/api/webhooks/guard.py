"""Where a webhook may go: which URLs, and which addresses behind their names.

The business's own network is a fine place for its webhook; what no webhook is ever meant for (the cloud's metadata
service, broadcast, "this host") is refused.
"""

import ipaddress
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver

from corefast.errors import CallerError
from corefast.net.guard import GuardedResolver, addresses_in, is_local_purpose


class UrlRefused(CallerError):
    """The webhook's URL may not be called; the text says why, without the URL."""

    code = "webhook.url"


class Guard(GuardedResolver):
    """Checks URLs, and resolves names to those of their addresses that may be called."""

    def __init__(self, allow_http: bool, resolver: AbstractResolver | None = None) -> None:
        super().__init__(may_call, resolver)
        self._allow_http = allow_http

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
        if not all(may_call(address) for address in addresses_in(host)):
            raise UrlRefused("the address is not one for webhooks")


def may_call(address: str) -> bool:
    """Whether *address* is one that a webhook can be meant for."""
    return not is_local_purpose(address)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
