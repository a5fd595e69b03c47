"""The way to a core: its address, the secret of our role, and one typed call."""

import base64
import binascii
from pathlib import Path
from typing import Any, Protocol, TypeVar

from corefast.errors import CorefastError, SetupError
from corefast.limits import CALL_TIMEOUT_MS
from corefast.link.secure import initiator_psk
from corefast.net.reconnect import Reconnecting
from corefast.net.transport import Peer
from corefast.wire.codec import gateway_codec

A = TypeVar("A")

LINK_WAIT_MS = 5_000
"""How long a request waits for a core that is away: about what its restart takes."""

_SECRET_BYTES = 32


class Core(Protocol):
    """What the routes need of a core."""

    async def call(
        self, message: Any, answer: type[A], *, timeout_ms: int = CALL_TIMEOUT_MS, link_wait_ms: int = LINK_WAIT_MS
    ) -> A:
        """Return the core's answer.

        Raises `RemoteRefused` with its code, `LinkLost` or `CallTimeout`; after the last two the call may have taken
        effect.
        """


class CoreLink:
    """A core on the other end of a link that comes back by itself."""

    def __init__(self, address: str, secret: bytes) -> None:
        host, port = parse_address(address)
        self._link = Reconnecting(host, port, initiator_psk(secret), gateway_codec, _Silent())

    def start(self) -> None:
        self._link.start()

    async def close(self) -> None:
        await self._link.close()

    @property
    def is_open(self) -> bool:
        return self._link.current is not None

    async def call(
        self, message: Any, answer: type[A], *, timeout_ms: int = CALL_TIMEOUT_MS, link_wait_ms: int = LINK_WAIT_MS
    ) -> A:
        peer = self._link.current or await self._link.peer(link_wait_ms)
        found = await peer.call(message, timeout_ms)
        if not isinstance(found, answer):
            raise CorefastError(f"the core answered {type(message).__name__} with {type(found).__name__}")
        return found


class _Silent:
    """A core calls nobody: whatever it asks for is left unanswered."""

    def received(self, peer: Peer, message: Any, call: int) -> None:
        peer.close()

    def lost(self, peer: Peer, error: Exception | None) -> None:
        pass


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` (`[::1]:PORT` for IPv6); raise `SetupError`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise SetupError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def read_secret(path: Path) -> bytes:
    """Return the 32 bytes of a role's secret file (base64url); raise `SetupError`."""
    try:
        text = path.read_text().strip()
        secret = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}; the core makes this file when it first starts") from None
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != _SECRET_BYTES:
        raise SetupError(f"{path} does not hold a secret of {_SECRET_BYTES} bytes in base64url")
    return secret
