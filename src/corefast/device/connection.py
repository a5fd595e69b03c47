"""The link to the relay, kept alive: found again each time, because a relay on this machine may move its port."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from corefast.errors import CorefastError, LinkLost
from corefast.link.secure import initiator_ik
from corefast.logs import get_logger, log_crash
from corefast.net.client import RelayUrl, connect
from corefast.net.transport import Handler, Peer
from corefast.wire.codec import relay_codec

log = get_logger()

FIRST_DELAY_MS = 100
LAST_DELAY_MS = 5_000
STEADY_S = 3.0
"""After a link that held this long the first delay is a short one again."""

FindRelay = Callable[[], Awaitable[RelayUrl]]


class DeviceStopped(CorefastError):
    """The relay will not serve this device again; `code` and text say why and what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Connection:
    """Keeps one peer open, with jittered back-off, until `close` or a `DeviceStopped`.

    *on_open* runs on a new peer before anyone else gets it, and *on_ready* when everybody has it and nobody has used
    it yet; *on_trouble* hears why there is none, once an outage.
    """

    def __init__(
        self,
        find_relay: FindRelay,
        handler: Handler,
        *,
        on_open: Callable[[Peer], Awaitable[None]],
        on_ready: Callable[[], None],
        on_trouble: Callable[[CorefastError], None],
    ) -> None:
        self._find_relay = find_relay
        self._handler = handler
        self._on_open = on_open
        self._on_ready = on_ready
        self._on_trouble = on_trouble
        self._peer: Peer | None = None
        self._opened = asyncio.Event()
        self._is_told = False

    @property
    def peer(self) -> Peer | None:
        """The open peer, None while there is none."""
        return self._peer if self._peer is not None and self._peer.is_open else None

    async def call(self, message: Any) -> Any:
        """Call the relay, waiting for it as long as it takes; raises `RemoteRefused`, `LinkLost`, `CallTimeout`."""
        while (peer := self.peer) is None:
            self._opened.clear()
            await self._opened.wait()
        return await peer.call(message)

    def notify(self, message: Any) -> None:
        """Send a one-way message; dropped while the relay is away."""
        if (peer := self.peer) is not None:
            peer.notify(message)

    async def run(self, link_key: bytes) -> None:
        """Connect again and again; returns never, raises `DeviceStopped` at the end of all hope."""
        loop = asyncio.get_running_loop()
        delay_ms = FIRST_DELAY_MS
        while True:
            started_s = loop.time()
            try:
                await self._live(link_key)
            except DeviceStopped:
                raise
            except CorefastError as error:
                self._tell(error)
            except Exception:
                log_crash(log, "connect.crashed")
            if loop.time() - started_s > STEADY_S:
                delay_ms = FIRST_DELAY_MS
            await asyncio.sleep(delay_ms * random.uniform(0.5, 1.0) / 1_000)
            delay_ms = min(delay_ms * 2, LAST_DELAY_MS)

    async def _live(self, link_key: bytes) -> None:
        """Open a peer and stay with it to its end."""
        url = await self._find_relay()
        peer = await connect(url.host, url.port, initiator_ik(link_key, url.key), relay_codec, self._handler)
        try:
            await self._on_open(peer)
            self._peer = peer
            self._is_told = False
            self._opened.set()
            self._on_ready()
            await peer.closed()
            self._tell(LinkLost("the link to the relay ended"))
        finally:
            self._peer = None
            peer.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(peer.closed(), 1.0)

    def _tell(self, error: CorefastError) -> None:
        if not self._is_told:
            self._is_told = True
            log.info("relay.away", code=error.code)
            self._on_trouble(error)
