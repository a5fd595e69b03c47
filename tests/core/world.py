"""A core in this process, with a fake relay behind it and a front before it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from corefast.core.app import Core
from corefast.core.business import Business
from corefast.core.config import CoreConfig
from corefast.core.secrets import load_secrets
from corefast.errors import StoreFull
from corefast.link.secure import initiator_psk
from corefast.net.client import connect
from corefast.net.transport import Peer
from corefast.store.database import Op
from corefast.wire.body import Text
from corefast.wire.codec import gateway_codec
from corefast.wire.event import Event, EventKind, ReadEvents
from corefast.wire.gateway import Accepted, GetMessage, MessageView, Send
from tests.core.fake import NOW_MS, Phone, Relay
from tests.support import engine

BUSINESS = "493023125000"
CUSTOMER = "49123123456"
OTHER = "491713920001"

STATUSES = (EventKind.SENT, EventKind.DELIVERED, EventKind.READ, EventKind.FAILED, EventKind.EXPIRED)


class Clock:
    """Milliseconds, moved by hand."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


class Silent:
    """A handler of a side that is never called."""

    def received(self, peer: Peer, message: Any, call: int) -> None:
        raise AssertionError(message)

    def lost(self, peer: Peer, error: Exception | None) -> None:
        pass


class World:
    def __init__(self, folder: Path, relay: Relay) -> None:
        self.folder = folder
        self.relay = relay
        self.clock = Clock()
        self.phone = Phone(CUSTOMER)
        self.core: Core
        self.front: Peer

    async def start(self, *, folder: Path | None = None, **settings: Any) -> None:
        folder = folder or self.folder / "core"
        folder.mkdir(exist_ok=True)
        settings = {"number": BUSINESS, **engine.current.settings(folder, "core"), **settings}
        self.config = CoreConfig(data_dir=str(folder), relay=self.relay.url, **settings)
        self.core = await Core.open(folder, self.config, self.clock)
        self.port = await self.core.listen("127.0.0.1", 0)
        self.front = await self.connect(folder / "front.secret")

    @property
    def business(self) -> Business:
        """The account that the core was started with."""
        return self.core.find(BUSINESS)

    async def connect(self, secret_file: Path) -> Peer:
        secret = load_secrets(secret_file, lambda size: b"")[0]
        return await connect("127.0.0.1", self.port, initiator_psk(secret), gateway_codec, Silent())

    async def emitter(self) -> Peer:
        return await self.connect(Path(self.config.data_dir) / "webhooks.secret")

    async def stop(self) -> None:
        self.front.close()
        await self.core.close()

    async def restart(self, **settings: Any) -> None:
        await self.stop()
        await self.start(**settings)

    async def attached(self) -> None:
        await self.business.relay.peer()

    def send(self, body: str, to: str = CUSTOMER, **more: Any) -> Awaitable[Accepted]:
        return self.front.call(Send(BUSINESS, to, Text(body), **more))

    async def view(self, message_id: str) -> MessageView:
        return await self.front.call(GetMessage(BUSINESS, message_id))

    async def events(self, count: int, *kinds: EventKind, after: str = "") -> list[Event]:
        """Return the first *count* events (of *kinds*), waiting for them."""
        found: list[Event] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                page = await self.front.call(ReadEvents(BUSINESS, after, 1_000, 2_000))
                found += [event for event in page.events if not kinds or event.kind in kinds]
                after = page.cursor
        return found

    def statuses(self, count: int) -> Coroutine[Any, Any, list[Event]]:
        return self.events(count, *STATUSES)

    def break_commits(self) -> Callable[[], None]:
        """Let every commit fail from now on, until the returned function is called."""
        lease, database = self.business.context.lease, self.business.context.database

        def fail() -> list[Op]:
            raise StoreFull("the disk is full")

        database.set_prelude(fail)
        return lambda: database.set_prelude(lease._prelude)


@asynccontextmanager
async def world(folder: Path, **settings: Any) -> AsyncIterator[World]:
    relay = Relay()
    await relay.start()
    made = World(folder, relay)
    relay.add(made.phone)
    await made.start(**settings)
    await made.attached()
    try:
        yield made
    finally:
        await made.stop()
        await relay.stop()


def story(main: Callable[[World], Awaitable[None]], folder: Path, **settings: Any) -> None:
    """Run *main* in a world of its own."""

    async def run() -> None:
        async with world(folder, **settings) as made:
            await main(made)

    uvloop.run(run())
