"""A server and its client on loopback, with handlers that remember."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from corefast.link.secure import initiator_ik, responder_ik
from corefast.native.curve import public_from_private
from corefast.net.client import connect
from corefast.net.server import serve
from corefast.net.transport import Peer

from ..link.pair import INITIATOR_PRIVATE, RESPONDER_PRIVATE, codec

PUBLIC = public_from_private(RESPONDER_PRIVATE)
CLIENT = initiator_ik(INITIATOR_PRIVATE, PUBLIC)
SERVER = responder_ik(RESPONDER_PRIVATE)


class Memory:
    """Remembers what it heard; answers calls with *answer*, leaves them open without one."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.messages: list[Any] = []
        self.calls: list[int] = []
        self.losses: list[Exception | None] = []
        self.heard = asyncio.Event()

    def received(self, peer: Peer, message: Any, call: int) -> None:
        self.messages.append(message)
        self.heard.set()
        if call:
            self.calls.append(call)
            if self.answer is not None:
                peer.answer(call, self.answer(message))

    def lost(self, peer: Peer, error: Exception | None) -> None:
        self.losses.append(error)
        self.heard.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(20):
            while not condition(self):
                self.heard.clear()
                await self.heard.wait()


@asynccontextmanager
async def loopback(server_handler=None, client_handler=None, **options: Any):
    """Yield (server, the client's peer, the server's handler, the client's handler)."""
    theirs = server_handler or Memory()
    ours = client_handler or Memory()
    server = await serve("127.0.0.1", 0, SERVER, codec, lambda peer: theirs, **options)
    peer = await connect("127.0.0.1", server.port, CLIENT, codec, ours)
    try:
        yield server, peer, theirs, ours
    finally:
        peer.close()
        await peer.closed()
        await server.close()
