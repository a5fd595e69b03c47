"""A link that comes back."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from corefast.errors import LinkLost
from corefast.link.secure import HandshakeFactory
from corefast.net.client import connect
from corefast.net.complaint import complain
from corefast.net.transport import Handler, Peer
from corefast.wire.codec import Codec

FIRST_DELAY_MS = 100
LAST_DELAY_MS = 5_000
OPEN_TIMEOUT_MS = 10_000


class Reconnecting:
    """Keeps one peer to an address alive, from `start` to `close`.

    A try that fails, in *on_open* too, is followed by the next after a jittered delay that doubles from 0.1 s to 5 s
    and starts again at 0.1 s once *on_open* returned. *on_open* runs before anyone gets the peer: the place to
    attach or to resend. The handler hears of every peer, `lost` included.
    """

    def __init__(
        self,
        host: str,
        port: int,
        handshake: HandshakeFactory,
        codec: Codec,
        handler: Handler,
        *,
        on_open: Callable[[Peer], Awaitable[Any]] | None = None,
    ) -> None:
        self._address = (host, port)
        self._handshake = handshake
        self._codec = codec
        self._handler = handler
        self._on_open = on_open
        self._task: asyncio.Task[None] | None = None
        self._changed: asyncio.Event = asyncio.Event()
        self._current: Peer | None = None
        self.last_error: Exception | None = None
        """Why the latest try failed; None while a peer is open."""

    @property
    def current(self) -> Peer | None:
        """The open peer, None while there is none."""
        return self._current if self._current is not None and self._current.is_open else None

    def start(self) -> None:
        """Begin; returns at once, with or without the other side."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def peer(self, timeout_ms: int = OPEN_TIMEOUT_MS) -> Peer:
        """Return the open peer, waiting for one; raise `LinkLost` after *timeout_ms*."""
        if (current := self.current) is not None:
            return current
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / 1_000):
                while self._task is not None:
                    await self._changed.wait()
                    if (current := self.current) is not None:
                        return current
                    self._changed.clear()
        raise LinkLost("the other side is not connected")

    async def call(self, message: Any, timeout_ms: int = OPEN_TIMEOUT_MS) -> Any:
        """Call the peer, waiting for one; raises what `peer` and `Peer.call` raise. Never sends twice."""
        return await (await self.peer(timeout_ms)).call(message, timeout_ms)

    async def close(self) -> None:
        """Stop for good and close the peer."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._changed.set()

    async def _run(self) -> None:
        delay_ms = FIRST_DELAY_MS
        while True:
            peer: Peer | None = None
            try:
                peer = await connect(*self._address, self._handshake, self._codec, self._handler)
                if self._on_open is not None:
                    await self._on_open(peer)
                delay_ms = FIRST_DELAY_MS
                self._publish(peer)
                await peer.closed()
                self._publish(None)
                self.last_error = LinkLost("the link ended")
            except Exception as error:
                self.last_error = error
                complain("connect.failed", error)
            finally:
                if peer is not None:
                    peer.close()
            await asyncio.sleep(delay_ms * random.uniform(0.5, 1.0) / 1_000)
            delay_ms = min(delay_ms * 2, LAST_DELAY_MS)

    def _publish(self, peer: Peer | None) -> None:
        self._current = peer
        if peer is not None:
            self.last_error = None
            self._changed.set()
