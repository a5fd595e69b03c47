"""Where a database is: `mysql://user@host:port/name?ssl_ca=FILE`, with `host:port,host:port` for a cluster."""

import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from corefast.errors import SetupError

_OPTIONS = ("socket", "ssl_ca", "ssl_cert", "ssl_key")
_DEFAULT_PORT = 3306
_EXAMPLE = "write it as mysql://user@host:3306/name"


class Address(NamedTuple):
    """A server, the database on it, and how to get in. With *ssl_ca* the server has to prove its name.

    *others* are the further nodes of a cluster, of which any one will do.
    """

    host: str
    port: int
    user: str
    password: str
    name: str
    socket: str = ""
    ssl_ca: str = ""
    ssl_cert: str = ""
    ssl_key: str = ""
    others: tuple[tuple[str, int], ...] = ()

    def nodes(self) -> "list[Address]":
        """Return an address for each node, in the order given."""
        return [self._replace(host=host, port=port) for host, port in ((self.host, self.port), *self.others)]

    def __str__(self) -> str:
        return f"{self.name} at {self.socket or f'{self.host}:{self.port}'}"

    def __repr__(self) -> str:
        return f"Address({self})"


def parse_address(url: str, password: str) -> Address:
    """Return the address that *url* names; raise `SetupError`, which never shows a password."""
    try:
        parts = urlsplit(url)
        nodes = [_host_and_port(node) for node in parts.netloc.rpartition("@")[2].split(",")]
    except ValueError:
        raise SetupError(f"--database is not an address: {_EXAMPLE}") from None
    if parts.password is not None:
        raise SetupError(
            "--database shows its password to every user of this machine: use COREFAST_DATABASE_PASSWORD_FILE"
        )
    name = unquote(parts.path.lstrip("/"))
    if not re.fullmatch(r"[A-Za-z0-9_$-]{1,64}", name) or not parts.username:
        raise SetupError(f"--database names no user or no database: {_EXAMPLE}")
    options: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - set(_OPTIONS)):
        raise SetupError(f"--database has no option {unknown[0]!r}; it has {', '.join(_OPTIONS)}")
    user = unquote(parts.username)
    return Address(*nodes[0], user, password, name, **options, others=tuple(nodes[1:]))


def _host_and_port(node: str) -> tuple[str, int]:
    parts = urlsplit(f"//{node}")
    return parts.hostname or "127.0.0.1", parts.port or _DEFAULT_PORT
