"""A front on loopback over a real core, with the core tests' relay and phone behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from api.app import build
from api.gateway import CoreLink, read_secret
from api.server import Server, bind
from corefast.wire.gateway import NewKey, NewKeyMade, Scope

from ..core.world import World, world
from .front import Reply

PASSWORD = "Admin-Pass-1"


class Business:
    """What a client of the API has: a URL, the administrator's password and an API key of every scope."""

    def __init__(self, made: World, core: CoreLink, port: int, session: aiohttp.ClientSession) -> None:
        self.world = made
        self.core = core
        self.port = port
        self._session = session
        self.key = ""

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        options.setdefault("headers", {"Authorization": f"Bearer {self.key}"})
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self._session.request(method, url, allow_redirects=False, **options) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, headers, await response.read())

    async def login(self, username: str = "admin", password: str = PASSWORD, **body: Any) -> Reply:
        headers = {"Authorization": aiohttp.encode_basic_auth(username, password)}
        return await self.ask("POST", "/v1/users/login", headers=headers, **({"json": body} if body else {}))

    async def token(self, username: str = "admin", password: str = PASSWORD) -> str:
        return str((await self.login(username, password)).json["users"][0]["token"])


@asynccontextmanager
async def business(folder: Path, **settings: Any) -> AsyncIterator[Business]:
    settings.setdefault("admin_password", PASSWORD)
    async with world(folder, **settings) as made:
        link = CoreLink(f"127.0.0.1:{made.port}", read_secret(folder / "core" / "front.secret"))
        listener = bind("127.0.0.1", 0)
        server = Server(build(link, asyncio.Event()), listener)
        link.start()
        await server.start()
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
                found = Business(made, link, listener.getsockname()[1], session)
                found.key = (await link.call(NewKey("test", tuple(Scope)), NewKeyMade)).key
                yield found
        finally:
            await server.stop()
            await link.close()


def trade(main: Callable[[Business], Awaitable[None]], folder: Path, **settings: Any) -> None:
    """Run *main* with a business of its own."""

    async def run() -> None:
        async with business(folder, **settings) as made:
            await main(made)

    uvloop.run(run())
