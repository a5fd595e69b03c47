"""A front on loopback with a fake core, and an HTTP client that reads what comes byte by byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from api.app import build
from api.server import Server, bind

from ..support.fake_core import KEY, FakeCore
from .client import Client, Reply

AUTH = {"Authorization": f"Bearer {KEY}"}
SEND = {"to": "49123123456", "type": "text", "text": {"body": "Hello world!"}}
CHAT = {"id": "49123123456", "message": "Hello world!"}


class Front(Client):
    """The running front, its core and a client of it."""

    def __init__(self, core: FakeCore, server: Server, port: int, draining: asyncio.Event) -> None:
        super().__init__([port])
        self.headers = AUTH
        self.core = core
        self.server = server
        self.draining = draining

    async def send(self, **options: Any) -> Reply:
        if "data" not in options:
            options.setdefault("json", SEND)
        return await self.ask("POST", "/v1/messages", **options)

    async def chat(self, **options: Any) -> Reply:
        if "data" not in options:
            options.setdefault("json", CHAT)
        return await self.ask("POST", "/api/v7/chat", **options)


@asynccontextmanager
async def front(core: FakeCore | None = None, **options: Any) -> AsyncIterator[Front]:
    """Serve the application on a free port for as long as the block runs."""
    core = core or FakeCore()
    draining = asyncio.Event()
    listener = bind("127.0.0.1", 0)
    server = Server(build(core, draining, **options), listener)
    await server.start()
    client = Front(core, server, listener.getsockname()[1], draining)
    try:
        yield client
    finally:
        await client.close()
        draining.set()
        await server.stop()
