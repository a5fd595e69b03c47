"""Accepting links."""

import asyncio
import os
from collections.abc import Callable

from corefast.errors import CorefastError, Overloaded, SetupError
from corefast.link.link import Link
from corefast.link.secure import HandshakeFactory
from corefast.net.complaint import complain
from corefast.net.sweep import now_ms
from corefast.net.tally import count_refused
from corefast.net.transport import Handler, Peer, Shell
from corefast.wire.codec import Codec

MAX_CONNECTIONS = 20_000
"""A server's sockets unless its program says otherwise."""

BACKLOG = 1_024
CLOSE_TIMEOUT_S = 5.0


class Server:
    """A listening port and its peers. Made by `serve`."""

    def __init__(
        self, handshake: HandshakeFactory, codec: Codec, accept: Callable[[Peer], Handler], max_connections: int
    ) -> None:
        self._handshake = handshake
        self._codec = codec
        self._accept = accept
        self._max_connections = max_connections
        self._sockets: set[Peer] = set()
        self._listener: asyncio.Server | None = None
        self.peers: set[Peer] = set()
        """The open ones; do not change it."""
        self.host = ""
        self.port = 0

    async def close(self, error: CorefastError | None = None) -> None:
        """Stop listening, close every link (telling the code of *error*), and return once the sockets are closed."""
        if self._listener is not None:
            self._listener.close()
        waiting = [asyncio.ensure_future(peer.closed()) for peer in self._sockets]
        for peer in list(self._sockets):
            peer.close(error)
        if waiting:
            await asyncio.wait(waiting, timeout=CLOSE_TIMEOUT_S)
        for task in waiting:
            task.cancel()

    def _connect(self) -> asyncio.Protocol:
        if len(self._sockets) >= self._max_connections:
            complain("connection.refused", Overloaded())
            count_refused()
            return Refused()
        link = Link(self._handshake(os.urandom), self._codec, now_ms())
        peer = Peer(link, role="server", attach=self._attach, gone=self._gone)
        self._sockets.add(peer)
        peer.when_closed(self._sockets.discard)
        return Shell(peer)

    def _attach(self, peer: Peer) -> Handler:
        handler = self._accept(peer)
        self.peers.add(peer)
        return handler

    def _gone(self, peer: Peer, error: Exception | None) -> None:
        self.peers.discard(peer)


class Refused(asyncio.Protocol):
    """A connection beyond the limit: closed before it costs a handshake."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def serve(
    host: str,
    port: int,
    handshake_factory: HandshakeFactory,
    codec: Codec,
    accept: Callable[[Peer], Handler],
    *,
    max_connections: int = MAX_CONNECTIONS,
) -> Server:
    """Listen on *host* and *port* (0: any free one, see `Server.port`) and return at once.

    *accept* is called for each peer that has proved itself, with `their_static` or `psk_index` set, and returns its
    handler; a `CorefastError` raised by it is told to the peer and closes the link. Raises `SetupError` when the
    port cannot be had.
    """
    server = Server(handshake_factory, codec, accept, max_connections)
    loop = asyncio.get_running_loop()
    try:
        server._listener = await loop.create_server(server._connect, host, port, backlog=BACKLOG)
    except OSError as error:
        raise SetupError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    server.host, server.port = server._listener.sockets[0].getsockname()[:2]
    return server
