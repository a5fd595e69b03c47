"""A front over a real core and a real relay, without a number at first."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from corefast.core.app import Core
from corefast.core.config import CoreConfig
from corefast.relay.app import Relay
from corefast.relay.config import RelayConfig

from .client import Client, Reply
from .real import PASSWORD, serving


class Desk(Client):
    """The administrator of a core: logged in, and able to start it again."""

    def __init__(self, folder: Path, relay: Relay, url: str) -> None:
        super().__init__()
        self.folder = folder
        self.relay = relay
        self.url = url
        self.core: Core

    async def start(self, name: str = "core", **settings: Any) -> None:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        config = CoreConfig(data_dir=str(folder), relay=self.url, admin_password=PASSWORD, **settings)
        self.core = await Core.open(folder, config)
        port = await self.core.listen("127.0.0.1", 0)
        self._fronts = AsyncExitStack()
        self.serve((await self._fronts.enter_async_context(serving(folder, port)))[1])
        login = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
        token = (await self.ask("POST", "/v1/users/login", headers=login)).json["users"][0]["token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    async def stop(self) -> None:
        await self._fronts.aclose()
        await self.core.close()

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        headers = options.pop("headers", self.headers) | options.pop("more", {})
        return await super().ask(method, path, json=body, headers=headers, **options)


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
