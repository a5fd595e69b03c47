"""A business with its webhook endpoint: a running system whose core posts to a receiver that trusts its secret."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.local import open_core
from corefast.wire.webhook import GetWebhook, Webhook
from tests.support.programs import Phone, System
from tests.support.receiver import Receiver


class Business(System):
    """`corefast up --webhook` and what its webhook got."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.receiver = Receiver()
        self.journal = folder.parent / f"{folder.name}.journal"
        environ = {"COREFAST_JOURNAL": str(self.journal), **environ}
        super().__init__(folder, ("--webhook", self.receiver.url), environ)

    async def open(self) -> None:
        await self.receiver.start()
        await self.start()
        core = open_core(str(self.folder))
        try:
            self.receiver.secret = (await core.call(GetWebhook(), Webhook)).secret
        finally:
            await core.close()

    async def close(self) -> int:
        code = await self.stop()
        await self.receiver.stop()
        return code

    async def phone(self, number: str, *options: str) -> Phone:
        """A phone that is on."""
        phone = Phone(number, self.folder.parent / f"phone-{number}", self.facts["relay"], *options)
        await phone.start()
        return phone


async def soon(test: Callable[[], Any], timeout_s: float = 30.0, what: Callable[[], Any] = lambda: "") -> Any:
    """Wait until *test* is true and return its result; *what* describes how far it came."""
    deadline = time.monotonic() + timeout_s
    while not (found := test()):
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.02)
    return found
