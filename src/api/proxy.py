"""Who really calls, where a proxy of ours passes requests on: its word counts, nobody else's."""

import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from corefast.errors import SetupError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAX_HOPS = 16


class Proxied:
    """An ASGI application behind proxies: X-Forwarded-For and -Proto count when one of *trusted* sends them."""

    def __init__(self, app: ASGIApp, trusted: list[Network]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and self._is_trusted(client[0]):
            self._believe(scope)
        await self._app(scope, receive, send)

    def _believe(self, scope: Scope) -> None:
        hops: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                hops += value.split(b",")
            elif name == b"x-forwarded-proto" and value in (b"http", b"https"):
                scope["scheme"] = value.decode()
        for hop in reversed(hops[-_MAX_HOPS:]):
            address = _address(hop.decode("latin-1").strip())
            if not address:
                return  # what stands before it may be anybody's invention
            scope["client"] = (address, 0)
            if not self._is_trusted(address):
                return

    def _is_trusted(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._trusted)


def parse_proxies(texts: list[str]) -> list[Network]:
    """Return the networks of --trusted-proxy; raise `SetupError`."""
    try:
        return [ipaddress.ip_network(text, strict=False) for text in texts]
    except ValueError:
        raise SetupError("--trusted-proxy takes addresses, such as 10.0.0.7 or 10.0.0.0/24") from None


def _address(text: str) -> str:
    """Return the address in one hop, a port behind it left out; empty where there is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
