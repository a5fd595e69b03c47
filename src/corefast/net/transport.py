"""A peer over TCP: the loop, the socket and the clock around a sans-IO link.

Everything here runs on one event loop and nothing is safe from other threads. No method but `call`, `writable` and
`closed` waits, and no task is made for a message.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from corefast.errors import BusyError, CorefastError, LinkLost, LinkOverflow, LinkTimeout
from corefast.limits import CALL_TIMEOUT_MS
from corefast.link.events import Answered, Closed, Opened, Received
from corefast.link.link import Link
from corefast.net.complaint import complain
from corefast.net.sweep import now_ms, sweep_of
from corefast.net.tally import Tally

WRITABLE_BYTES = 262_144
"""`writable` returns below this: enough to keep a link busy while its caller refills it."""

LINGER_MS = 5_000
"""How long a closed link may take to hand its last bytes to the peer."""


class Handler(Protocol):
    """What a program does with a peer. Both methods are called on the loop and must not wait."""

    def received(self, peer: "Peer", message: Any, call: int) -> None:
        """Take *message*; *call* is the number to `answer` or `fail` once, 0 for a one-way message.

        A one-way message counts as consumed when this returns, a call when it was answered. A raised `CorefastError`
        becomes the call's failure, and where it is fatal closes the link; any other exception is logged as a bug and
        becomes the failure `internal`.
        """

    def lost(self, peer: "Peer", error: Exception | None) -> None:
        """The link is over, told once; None when either side simply closed it. Open calls were failed before."""


class Peer:
    """The other end of an open link.

    `their_static` is the initiator's proven key at the responder of an IK link (32 bytes), and the relay's at its
    initiator; `psk_index` says which secret a responder with several matched; `address` is "host:port", for logs of
    the operator only. `state` is free for the handler.
    """

    __slots__ = (
        "_attach",
        "__weakref__",
        "_closed",
        "_deadline_ms",
        "_flush_due",
        "_gone",
        "_handler",
        "_link",
        "_loop",
        "_over",
        "_paused",
        "_tally",
        "_transport",
        "_waiters",
        "address",
        "psk_index",
        "state",
        "their_static",
    )

    def __init__(
        self,
        link: Link,
        *,
        role: str,
        attach: Callable[["Peer"], Handler],
        gone: Callable[["Peer", Exception | None], None],
    ) -> None:
        """*attach* names the handler once the link is open; *gone* is told of the end, also where it never opened."""
        self._link = link
        self._tally = Tally(link, role)
        self._attach = attach
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._handler: Handler | None = None
        self._transport: asyncio.Transport | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._waiters: list[asyncio.Future[None]] = []
        self._flush_due = False
        self._paused = False
        self._over = False
        self._deadline_ms = 0
        self.address = ""
        self.their_static: bytes | None = None
        self.psk_index: int | None = None
        self.state: Any = None

    # ── what programs use ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def is_open(self) -> bool:
        """True from the end of the handshake to the first sign of the end."""
        return self._link.is_open

    @property
    def outbox_bytes(self) -> int:
        """Bytes that wait for credit or for the socket. Above `MAX_LINK_OUTBOX_BYTES` the link is cut."""
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return self._link.outbox_bytes + waiting

    def notify(self, message: Any) -> None:
        """Queue a one-way message; it leaves at the end of this loop tick. Dropped when the link is over."""
        if self._link.is_open:
            self._link.notify(message)
            self._schedule_flush()

    def answer(self, call: int, message: Any) -> None:
        """Answer a call of the peer, once. Dropped when the link is over."""
        if self._link.is_open:
            self._link.answer(call, message)
            self._schedule_flush()

    def fail(self, call: int, error: BaseException) -> None:
        """Fail a call of the peer, once; a fatal error closes the link too. Dropped when the link is over."""
        if self._link.is_open:
            self._link.fail(call, error)
            self._schedule_flush()
            if isinstance(error, CorefastError) and error.fatal:
                self.close(error)

    async def call(self, message: Any, timeout_ms: int = CALL_TIMEOUT_MS) -> Any:
        """Return the answer.

        Raises `RemoteRefused` with the peer's code, `CallTimeout` (whether it took effect is unknown), `LinkLost`, or
        `Overloaded` when `MAX_OPEN_CALLS` are open already.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        self.call_soon_result(message, partial(_settle, future), timeout_ms)
        return await future

    def call_soon_result(
        self, message: Any, callback: Callable[[Any], None], timeout_ms: int = CALL_TIMEOUT_MS
    ) -> None:
        """Call the peer; *callback* gets the answer or the exception that `call` would raise.

        Never before this returns. The form for hot paths: no future, no task.
        """
        try:
            if not self._link.is_open:
                raise LinkLost("the link is closed")
            self._link.call(message, callback, now_ms() + timeout_ms)
        except BusyError as error:
            self._loop.call_soon(callback, error)
        else:
            self._schedule_flush()

    async def writable(self) -> None:
        """Return once less than `WRITABLE_BYTES` wait; raise `LinkLost` when the link ends first."""
        while not self._over and self._link.is_open and self.outbox_bytes >= WRITABLE_BYTES:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter
        if not self._link.is_open:
            raise LinkLost("the link is closed")

    def close(self, error: Exception | None = None) -> None:
        """End the link: tell the peer the code of *error*, send what is queued, hang up. The handler hears `lost`."""
        if self._over:
            return
        self._over = True
        self._link.close(error)
        self._deadline_ms = now_ms() + LINGER_MS
        if self._transport is None:
            self._closed.set_result(None)
        elif isinstance(error, (LinkOverflow, LinkTimeout)):
            self._transport.abort()  # nobody reads
        else:
            self._hang_up(self._transport)
        self._loop.call_soon(self._finish, error)

    def _hang_up(self, transport: asyncio.Transport) -> None:
        try:
            transport.writelines(self._link.data_to_send())
            transport.close()
        except RuntimeError:
            # The loop itself closed the socket, as it does when a connect is cancelled half-way, and tells nobody.
            self._lost(None)

    async def closed(self) -> None:
        """Return once the socket is closed."""
        await asyncio.shield(self._closed)

    def when_closed(self, callback: Callable[["Peer"], None]) -> None:
        """Call *callback* once the socket is closed."""
        self._closed.add_done_callback(lambda _: callback(self))

    # ── what the socket tells ──────────────────────────────────────────────────────────────────────────────────────

    def _connected(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.address = _format_address(transport.get_extra_info("peername"))
        raw = transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sweep_of(self._loop).add(self)
        if self._over:
            transport.abort()
        else:
            self._flush()

    def _received(self, data: bytes) -> None:
        self._take(self._link.receive_data(data, now_ms()))

    def _take(self, events: list[Any]) -> None:
        was_due, self._flush_due = self._flush_due, True  # what handlers queue leaves below, without a callback
        for event in events:
            kind = type(event)
            if kind is Received:
                self._deliver(event.message, event.call)
            elif kind is Answered:
                self._report(event.context, event.result)
            elif kind is Opened:
                self._open(event)
            elif kind is Closed:
                self._end(event.error)
            if self._over:
                return
        self._link.consume()
        self._flush_due = was_due
        if self._link.has_data:
            self._write()
        if self._waiters:
            self._wake()

    def _open(self, event: Opened) -> None:
        self.their_static = event.their_static
        self.psk_index = event.psk_index
        self._tally.opened()
        try:
            self._handler = self._attach(self)
        except CorefastError as error:
            self.close(error)

    def _deliver(self, message: Any, call: int) -> None:
        assert self._handler is not None
        try:
            self._handler.received(self, message, call)
        except Exception as error:
            self._fail(call, error)

    def _fail(self, call: int, error: Exception) -> None:
        """Tell the peer that its message failed; a failed call is its own business, the rest is ours too."""
        fatal = isinstance(error, CorefastError) and error.fatal
        if not call or fatal or not isinstance(error, CorefastError):
            complain("handler.failed", error)
        if call and self._link.is_open and self._link.has_call(call):
            self.fail(call, error)
        elif fatal:
            self.close(error)

    def _report(self, context: Callable[[Any], None], result: Any) -> None:
        try:
            context(result)
        except Exception as error:
            complain("callback.failed", error)

    def _end(self, error: CorefastError | None) -> None:
        """The link ended by itself: the peer closed it or broke the protocol, or a deadline passed."""
        if error is not None:
            complain("link.closed", error)
            self._tally.broken(error)
        self.close(error)

    def _lost(self, error: Exception | None) -> None:
        """The socket is gone."""
        if not self._over:
            self._over = True
            self._link.close(None)
            self._loop.call_soon(
                self._finish, LinkLost("the connection broke") if error else LinkLost("the peer hung up")
            )
        self._paused = False
        self._transport = None
        sweep_of(self._loop).discard(self)
        if not self._closed.done():
            self._closed.set_result(None)

    def _finish(self, error: Exception | None) -> None:
        """Tell everyone who waits, once."""
        for context in self._link.take_calls():
            self._report(context, LinkLost("the link ended before the answer came"))
        self._tally.closed()
        handler, self._handler = self._handler, None
        if handler is not None:
            try:
                handler.lost(self, error)
            except Exception as bug:
                complain("handler.failed", bug)
        self._gone(self, error)
        self._wake()

    # ── writing ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _schedule_flush(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        self._write()

    def _write(self) -> None:
        if self._over or self._transport is None:
            return
        if self._link.is_overflowing:
            self._end(LinkOverflow("the peer reads too slowly"))
        elif not self._paused:
            self._transport.writelines(self._link.data_to_send())
            if self._waiters:
                self._wake()

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        if not paused:
            self._flush()

    def _wake(self) -> None:
        if self._waiters and (self._over or self.outbox_bytes < WRITABLE_BYTES):
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _tick(self, now: int) -> None:
        """Let deadlines pass; called by the sweep."""
        if self._over:
            if now >= self._deadline_ms and self._transport is not None:
                self._transport.abort()
            return
        events = self._link.tick(now)
        if events or self._link.has_data:
            self._take(events)
        if self._waiters:
            self._wake()
        self._tally.update()


class Shell(asyncio.Protocol):
    """Passes what the loop says about a socket to its peer."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.data_received = peer._received  # type: ignore[method-assign]  # one call less for each read

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._peer._connected(transport)  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        self._peer._lost(exc)

    def pause_writing(self) -> None:
        self._peer._pause(True)

    def resume_writing(self) -> None:
        self._peer._pause(False)


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)


def _format_address(name: Any) -> str:
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else ""
