"""A front over a real core and a real relay, without a number at first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from api.app import build
from api.gateway import CoreLink, read_secret
from api.server import Server, bind
from corefast.core.app import Core
from corefast.core.config import CoreConfig
from corefast.relay.app import Relay
from corefast.relay.config import RelayConfig

from .front import Reply
from .real import PASSWORD


class Desk:
    """The administrator of a core: logged in, and able to start it again."""

    def __init__(self, folder: Path, relay: Relay, url: str) -> None:
        self.folder = folder
        self.relay = relay
        self.url = url
        self.headers: dict[str, str] = {}
        self.core: Core
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))

    async def start(self, name: str = "core", **settings: Any) -> None:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        config = CoreConfig(data_dir=str(folder), relay=self.url, admin_password=PASSWORD, **settings)
        self.core = await Core.open(folder, config)
        port = await self.core.listen("127.0.0.1", 0)
        self._link = CoreLink(f"127.0.0.1:{port}", read_secret(folder / "front.secret"))
        listener = bind("127.0.0.1", 0)
        self._front = Server(build(self._link, asyncio.Event()), listener)
        self._link.start()
        await self._front.start()
        self._port = listener.getsockname()[1]
        login = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
        token = (await self.ask("POST", "/v1/users/login", headers=login)).json["users"][0]["token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    async def stop(self) -> None:
        await self._front.stop()
        await self._link.close()
        await self.core.close()

    async def close(self) -> None:
        await self._session.close()

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        options["headers"] = options.get("headers", self.headers) | options.pop("more", {})
        url = f"http://127.0.0.1:{self._port}{path}"
        async with self._session.request(method, url, json=body, **options) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, headers, await response.read())


@asynccontextmanager
async def desk(folder: Path, *, registration: str, **settings: Any) -> AsyncIterator[Desk]:
    (folder / "relay").mkdir()
    config = RelayConfig(data_dir=str(folder / "relay"), listen="127.0.0.1:0", registration=registration, **settings)
    relay = await Relay.open(folder / "relay", config)
    made = Desk(folder, relay, await relay.listen("127.0.0.1", 0))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
        await made.close()
        await relay.close()
