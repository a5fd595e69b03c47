"""Two fronts on loopback over a real core, with the core tests' relay and phone behind it; requests take turns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from api.app import build
from api.gateway import CoreLink, read_secret
from api.server import Server, bind
from corefast.wire.gateway import NewKey, NewKeyMade, Scope

from ..core.world import World, world
from .client import Client, Reply

PASSWORD = "Admin-Pass-1"
FRONTS = 2


class Business(Client):
    """What a client of the API has: fronts, the administrator's password and an API key of every scope."""

    def __init__(self, made: World, core: CoreLink, ports: list[int]) -> None:
        super().__init__(ports)
        self.world = made
        self.core = core

    @property
    def key(self) -> str:
        return self.headers["Authorization"].removeprefix("Bearer ")

    async def login(self, username: str = "admin", password: str = PASSWORD, **body: Any) -> Reply:
        headers = {"Authorization": aiohttp.encode_basic_auth(username, password)}
        return await self.ask("POST", "/v1/users/login", headers=headers, **({"json": body} if body else {}))

    async def token(self, username: str = "admin", password: str = PASSWORD) -> str:
        return str((await self.login(username, password)).json["users"][0]["token"])

    async def become_administrator(self) -> None:
        """Use the administrator's token from now on, in place of the key of one number."""
        self.headers = {"Authorization": f"Bearer {await self.token()}"}


@asynccontextmanager
async def business(folder: Path, **settings: Any) -> AsyncIterator[Business]:
    settings.setdefault("admin_password", PASSWORD)
    async with world(folder, **settings) as made, serving(folder / "core", made.port) as (core, ports):
        found = Business(made, core, ports)
        key = (await core.call(NewKey("test", tuple(Scope)), NewKeyMade)).key
        found.headers = {"Authorization": f"Bearer {key}"}
        try:
            yield found
        finally:
            await found.close()


@asynccontextmanager
async def serving(folder: Path, core_port: int) -> AsyncIterator[tuple[CoreLink, list[int]]]:
    """Serve a core by several fronts; yield a link to it, and the ports."""
    async with AsyncExitStack() as stack:
        secret = read_secret(folder / "front.secret")
        fronts = [await stack.enter_async_context(_front(core_port, secret)) for _ in range(FRONTS)]
        yield fronts[0][0], [port for _, port in fronts]


@asynccontextmanager
async def _front(core_port: int, secret: bytes) -> AsyncIterator[tuple[CoreLink, int]]:
    """Serve as one process would: with a link, caches and limits of its own."""
    link = CoreLink(f"127.0.0.1:{core_port}", secret)
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
