"""Opening links, and the URL that names a relay."""

import asyncio
import base64
import binascii
import os
from typing import NamedTuple
from urllib.parse import urlsplit

from corefast.errors import HandshakeFailed, LinkLost, LinkTimeout, SetupError
from corefast.limits import HANDSHAKE_TIMEOUT_MS
from corefast.link.link import Link
from corefast.link.secure import HandshakeFactory
from corefast.net.sweep import now_ms
from corefast.net.transport import Handler, Peer, Shell
from corefast.wire.codec import Codec

SCHEME = "corefast"
_KEY_BYTES = 32


class RelayUrl(NamedTuple):
    """Where a relay listens, and its static key (32 bytes): who reads the URL cannot be sent elsewhere."""

    host: str
    port: int
    key: bytes


def parse_relay_url(text: str) -> RelayUrl:
    """Return the parts of `corefast://host:port/#key`; raise `SetupError` with what to change."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SetupError("the relay's URL cannot be read; it looks like corefast://host:port/#key") from None
    if parts.scheme != SCHEME or not host or not port or parts.path not in ("", "/") or parts.query:
        raise SetupError("the relay's URL looks like corefast://host:port/#key; the relay prints it when it starts")
    if not parts.fragment:
        raise SetupError("the relay's URL has no key behind #; without it nobody can tell the relay from an impostor")
    return RelayUrl(host, port, _decode_key(parts.fragment))


def format_relay_url(host: str, port: int, key: bytes) -> str:
    """Return the URL that `parse_relay_url` reads."""
    if len(key) != _KEY_BYTES:
        raise ValueError("a relay key has 32 bytes")
    shown = f"[{host}]" if ":" in host else host
    return f"{SCHEME}://{shown}:{port}/#{base64.urlsafe_b64encode(key).rstrip(b'=').decode()}"


def _decode_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise SetupError("the key behind # in the relay's URL is not 32 bytes in base64url; copy the URL again, whole")
    return key


async def connect(
    host: str,
    port: int,
    handshake: HandshakeFactory,
    codec: Codec,
    handler: Handler,
    *,
    timeout_ms: int = HANDSHAKE_TIMEOUT_MS,
) -> Peer:
    """Return an open peer; from then on *handler* hears of it, `lost` included.

    Raises `LinkLost` when nobody answers at *host* and *port*, or not within *timeout_ms*; `HandshakeFailed` or
    `VersionUnsupported` when somebody answers with another key, secret or protocol.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[None] = loop.create_future()

    def attach(peer: Peer) -> Handler:
        if not opened.done():
            opened.set_result(None)
        return handler

    def gone(peer: Peer, error: Exception | None) -> None:
        if not opened.done():
            opened.set_exception(_connect_error(error))

    link = Link(handshake(os.urandom), codec, now_ms())
    peer = Peer(link, role="client", attach=attach, gone=gone)
    try:
        async with asyncio.timeout(timeout_ms / 1_000):
            await loop.create_connection(lambda: Shell(peer), host, port)
            await opened
    except (OSError, TimeoutError) as error:
        opened.cancel()  # nobody will ask it for the error that the close brings
        peer.close()
        text = "no answer in time" if isinstance(error, TimeoutError) else "nobody answers"
        raise LinkLost(f"{text} at {host}:{port}") from None
    except BaseException:
        opened.cancel()
        peer.close()
        raise
    return peer


def _connect_error(error: Exception | None) -> Exception:
    """A hang-up in the middle of a handshake is how a responder says that it does not know our key or secret."""
    if error is None or isinstance(error, LinkLost):
        return HandshakeFailed("the other side hung up during the handshake: wrong key, wrong secret, or overloaded")
    if isinstance(error, LinkTimeout):
        return LinkLost("no answer to the handshake in time")
    return error
