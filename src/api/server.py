"""uvicorn with bounds: how many connections, how large a head, how slow a request.

It does not know the routes. uvicorn's signals are off: the program's stop event ends it.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.answer import PROBLEM, encode
from api.request import PATIENCE
from api.schema import Problem
from corefast.errors import SetupError
from corefast.limits import (
    HTTP_KEEP_ALIVE_S,
    HTTP_PAUSE_TIMEOUT_MS,
    HTTP_READ_TIMEOUT_MS,
    MAX_DISCARDED_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_HTTP_CONNECTIONS,
)

SWEEP_S = 1.0
DRAIN_S = 2
"""How long requests may run after the stop; the program has three seconds in all."""

BACKLOG = 1_024

TLS_CLOSE_S = 1.0
"""How long a client may take to say goodbye."""


_UPGRADE = re.compile(rb"(?i)(\r\n(?:connection:[^\r\n]*?)?)\bupgrade\b")
"""The header, and the word for it in `Connection`: without either of them nothing is offered."""


class JoinedWrites:
    """A transport that sends what one turn of the loop wrote in one piece: uvicorn writes head and body apart."""

    __slots__ = ("_loop", "_pieces", "_transport", "get_extra_info", "is_closing", "pause_reading", "resume_reading")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces and not self._transport.is_closing():
            self._transport.write(b"".join(self._pieces))
        self._pieces.clear()


class HttpProtocol(HttpToolsProtocol):
    """One connection. A sweep cuts it when a request takes too long to arrive; see `Server`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, JoinedWrites(transport)))
        self._messages = 0
        self._is_patient = False
        self._chunk_bytes = 0
        self._head_bytes = 0
        self._is_in_head = False
        self._is_in_body = False
        self._discarded_bytes = 0
        self._has_said_all = False
        self._waits_since: float | None = time.monotonic()
        """Since when the client owes us the rest of a request; None while it owes nothing."""
        if len(self.connections) > MAX_HTTP_CONNECTIONS:
            self._cut(503, "too many connections", "try again later")

    def data_received(self, data: bytes) -> None:
        if not self._is_in_body and (b"pgrade" in data or b"PGRADE" in data):
            data = _without_upgrade(data)
        before = self._messages
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._is_in_head and self._messages == before:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._cut_head()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep a connection open whose client has said all and waits for its answer; TLS has no such state."""
        is_tls = self.transport.get_extra_info("sslcontext") is not None
        self._has_said_all = self._waits_since is None and not is_tls
        return self._has_said_all

    def on_message_begin(self) -> None:
        self._messages += 1
        self._head_bytes = 0
        self._discarded_bytes = 0
        self._is_in_head = True
        self._is_patient = False
        self._waits_since = time.monotonic()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._is_in_body = True
        has_room = self._head_bytes + self._chunk_bytes <= MAX_HEAD_BYTES
        if not has_room and self._size_of_head() > MAX_HEAD_BYTES:
            self._cut_head()
            raise ValueError("the head is too large")  # ends the parser
        super().on_headers_complete()
        cast(dict[str, Any], self.scope).setdefault("extensions", {})[PATIENCE] = self._be_patient

    def _size_of_head(self) -> int:
        """Return what the head has at least: a field has a colon and an end of line besides."""
        return len(self.url) + sum(len(name) + len(value) + 3 for name, value in self.headers)

    def _cut_head(self) -> None:
        self._cut(431, "request header too large", f"request line and headers have {MAX_HEAD_BYTES} bytes")

    def _be_patient(self) -> None:
        """Measure the time between pieces of this request's body from now on, not that of all of it."""
        self._is_patient = True

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._discarded_bytes += len(body)
            if self._discarded_bytes > MAX_DISCARDED_BODY_BYTES:
                self.transport.close()
            return
        if self._is_patient:
            self._waits_since = time.monotonic()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_body = False
        self._waits_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body is False:
            self._waits_since = time.monotonic()
            if self._has_said_all:
                self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self._cut(400, "not a valid HTTP request", "the request line, a header or the framing of the body is malformed")

    def sweep(self, now: float) -> None:
        """Cut the connection when its client has owed us something for too long."""
        is_idle_kept_alive = self.timeout_keep_alive_task is not None
        if self._waits_since is None or is_idle_kept_alive:
            return
        limit_ms = HTTP_PAUSE_TIMEOUT_MS if self._is_patient else HTTP_READ_TIMEOUT_MS
        if now - self._waits_since > limit_ms / 1_000:
            self._cut(408, "request too slow", f"a request has {limit_ms // 1_000} seconds to arrive, or to go on")

    def _cut(self, status: int, title: str, detail: str) -> None:
        """Hang up, with an answer where none has begun."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = encode(Problem("about:blank", title, status, detail, "http"))
            self.transport.write(
                STATUS_LINE[status]
                + b"%s: %s\r\n" % PROBLEM
                + b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body)
            )
        self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """Return *data* with an offer to speak another protocol, in the head that it begins with, made unreadable.

    Some clients offer HTTP/2 with every request (`Upgrade: h2c`); a server may ignore that (RFC 9110, 7.8).
    The parser would stop behind the head instead, and never see the body.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(rb"\1x-grade", head) + end + rest


class Server(uvicorn.Server):
    """Serves *app* on *listener* until its `stop`; over TLS where *tls* is given."""

    def __init__(self, app: ASGIApp, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=HttpProtocol,
                ws="none",
                lifespan="off",
                loop="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=HTTP_KEEP_ALIVE_S,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._listener = listener
        self._tls = tls
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return once the port is served."""
        self._task = asyncio.create_task(self.serve(sockets=[self._listener]))
        self._sweeping = asyncio.create_task(self._sweep())
        while not self.started:
            if self._task.done():
                return self._task.result()
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Stop accepting, let requests finish for `DRAIN_S`, close every connection."""
        self.should_exit = True
        self._stopping.set()
        if self._task is not None:
            await self._task
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; the original knows no deadlines for TLS."""
        deadlines: dict[str, Any] = {}
        if self._tls is not None:
            deadlines = {"ssl_handshake_timeout": HTTP_READ_TIMEOUT_MS / 1_000, "ssl_shutdown_timeout": TLS_CLOSE_S}
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(self._connection, sock=self._listener, ssl=self._tls, backlog=BACKLOG, **deadlines)
        ]
        self.started = True

    def _connection(self) -> HttpProtocol:
        return HttpProtocol(self.config, self.server_state, {})

    async def main_loop(self) -> None:
        """Keep the Date header right once a second; the original wakes ten times a second to look for the end."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), SWEEP_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            now = time.monotonic()
            connections: set[Any] = self.server_state.connections
            for connection in list(connections):
                connection.sweep(now)


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise `SetupError` where the port is taken or not ours to take."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SetupError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --listen") from None
    listener.setblocking(False)
    return listener
