"""Which addresses an HTTP request of ours may go to: a name is resolved once and each address behind it is looked at.

The connection goes to exactly an address that passed here, so a name that changes between check and use gains nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

MayCall = Callable[[str], bool]


class AddressRefused(OSError):
    """A name resolved to an address that may not be called."""


class GuardedResolver(AbstractResolver):
    """Resolves names to those of their addresses that *may_call* lets pass."""

    def __init__(self, may_call: MayCall, resolver: AbstractResolver | None = None) -> None:
        self._may_call = may_call
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self._resolver is None:
            self._resolver = ThreadedResolver()
        found = await self._resolver.resolve(host, port, family)
        allowed = [one for one in found if self._may_call(one["host"])]
        if not allowed:
            raise AddressRefused("the name has no address that may be called")
        return allowed

    async def close(self) -> None:
        if self._resolver is not None:
            await self._resolver.close()


def guarded_socket(may_call: MayCall) -> Callable[[Any], socket.socket]:
    """Return what makes a connector's sockets: the last look at an address, however it came to be one."""

    def make(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        if not may_call(str(address[0])):
            raise AddressRefused("the address may not be called")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return make


def is_local_purpose(address: str) -> bool:
    """Whether *address* is link-local (as the cloud's metadata service is), multicast, broadcast or "this host"."""
    plain = plain_address(address)
    return bool(plain.is_link_local or plain.is_multicast or plain.is_unspecified or str(plain) == "255.255.255.255")


def is_public(address: str) -> bool:
    """Whether *address* is one of the whole internet: not private, loopback, reserved or of the carrier's own."""
    plain = plain_address(address)
    return bool(plain.is_global and not plain.is_multicast and not plain.is_reserved) and not _is_special(plain)


def in_networks(address: str, networks: Sequence[Any]) -> bool:
    plain = plain_address(address)
    return any(plain.version == network.version and plain in network for network in networks)


def plain_address(address: str) -> Any:
    """Return the address; an IPv4 one inside an IPv6 one counts as itself."""
    plain: Any = ipaddress.ip_address(address.partition("%")[0])
    return getattr(plain, "ipv4_mapped", None) or plain


def _is_special(plain: Any) -> bool:
    """Whether an address is for protocols, or an IPv6 one leads to an IPv4 one that we do not see."""
    return in_networks(str(plain), _SPECIAL)


_SPECIAL = [
    ipaddress.ip_network(each)
    for each in (
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4's relays
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64 of a network of one's own
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4
        "fec0::/10",  # site-local
    )
]


def addresses_in(host: str) -> list[str]:
    """Return the address that *host* is, in any spelling that a socket takes (127.1, 0x7f000001); none for a name."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)]
    except (OSError, UnicodeError):
        return []
