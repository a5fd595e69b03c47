"""Two fronts on loopback over a real core, with the core tests' relay and phone behind it; requests take turns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
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
FRONTS = 2


class Business:
    """What a client of the API has: URLs, the administrator's password and an API key of every scope.

    No two requests in a row go to the same front; `port` is that of the latest one.
    """

    def __init__(self, made: World, core: CoreLink, ports: list[int], session: aiohttp.ClientSession) -> None:
        self.world = made
        self.core = core
        self.ports = ports
        self.port = ports[0]
        self._turns = cycle(ports)
        self._session = session
        self.key = ""

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        options.setdefault("headers", {"Authorization": f"Bearer {self.key}"})
        self.port = next(self._turns)
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
    async with world(folder, **settings) as made, AsyncExitStack() as stack:
        fronts = [await stack.enter_async_context(_front(made, folder)) for _ in range(FRONTS)]
        core, ports = fronts[0][0], [port for _, port in fronts]
        connector = aiohttp.TCPConnector(force_close=True)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        found = Business(made, core, ports, session)
        found.key = (await core.call(NewKey("test", tuple(Scope)), NewKeyMade)).key
        yield found


@asynccontextmanager
async def _front(made: World, folder: Path) -> AsyncIterator[tuple[CoreLink, int]]:
    """Serve as one process would: with a link, caches and limits of its own."""
    link = CoreLink(f"127.0.0.1:{made.port}", read_secret(folder / "core" / "front.secret"))
    listener = bind("127.0.0.1", 0)
    server = Server(build(link, asyncio.Event()), listener)
    link.start()
    await server.start()
    try:
        yield link, listener.getsockname()[1]
    finally:
        await server.stop()
        await link.close()


def trade(main: Callable[[Business], Awaitable[None]], folder: Path, **settings: Any) -> None:
    """Run *main* with a business of its own."""

    async def run() -> None:
        async with business(folder, **settings) as made:
            await main(made)

    uvloop.run(run())
