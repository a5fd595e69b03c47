"""A front on loopback with a fake core, and an HTTP client that reads what comes byte by byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from api.app import build
from api.server import Server, bind

from ..support.fake_core import KEY, FakeCore

AUTH = {"Authorization": f"Bearer {KEY}"}
SEND = {"to": "49123123456", "type": "text", "text": {"body": "Hello world!"}}
CHAT = {"id": "49123123456", "message": "Hello world!"}


class Reply:
    """One answer: status, headers in lower case, body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def v1_code(self) -> int:
        """The one error's code; asserts that the shape is that of the on-premises API."""
        answer = self.json
        assert set(answer) == {"errors", "meta"}
        assert answer["meta"]["api_status"] == "stable"
        (error,) = answer["errors"]
        assert error["title"] and error["details"]
        assert self.headers["content-type"] == "application/json"
        return int(error["code"])

    @property
    def details(self) -> str:
        answer = self.json
        return str(answer["errors"][0]["details"] if "errors" in answer else answer["detail"])

    @property
    def problem(self) -> str:
        """The problem's code; asserts that the shape is that of RFC 9457."""
        answer = self.json
        assert self.headers["content-type"] == "application/problem+json"
        assert answer["status"] == self.status
        assert answer["title"] and answer["detail"] and answer["type"] == f"/docs#{answer['code']}"
        return str(answer["code"])


class Front:
    """The running front, its core and a client of it."""

    def __init__(
        self, core: FakeCore, server: Server, port: int, session: aiohttp.ClientSession, draining: asyncio.Event
    ) -> None:
        self.core = core
        self.server = server
        self.port = port
        self.draining = draining
        self._session = session

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        options.setdefault("headers", AUTH)
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self._session.request(method, url, allow_redirects=False, **options) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, headers, await response.read())

    async def send(self, **options: Any) -> Reply:
        if "data" not in options:
            options.setdefault("json", SEND)
        return await self.ask("POST", "/v1/messages", **options)

    async def chat(self, **options: Any) -> Reply:
        if "data" not in options:
            options.setdefault("json", CHAT)
        return await self.ask("POST", "/api/v7/chat", **options)

    async def raw(self, data: bytes) -> bytes:
        """Return all that comes for *data* until the front hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()


@asynccontextmanager
async def front(core: FakeCore | None = None, **options: Any) -> AsyncIterator[Front]:
    """Serve the application on a free port for as long as the block runs."""
    core = core or FakeCore()
    draining = asyncio.Event()
    listener = bind("127.0.0.1", 0)
    server = Server(build(core, draining, **options), listener)
    await server.start()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            yield Front(core, server, listener.getsockname()[1], session, draining)
    finally:
        draining.set()
        await server.stop()
