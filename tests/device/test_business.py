"""A business and a customer with several phones: each phone shows each message, whoever sent it."""

import asyncio

from corefast.core.app import Core
from corefast.core.config import CoreConfig
from corefast.core.secrets import load_secrets
from corefast.device import Device, MessageReceived, MessageSent, Ready, StatusChanged
from corefast.device.line import fields_of
from corefast.link.secure import initiator_psk
from corefast.net.client import connect
from corefast.wire.body import Text
from corefast.wire.codec import gateway_codec
from corefast.wire.event import EventKind, ReadEvents
from corefast.wire.gateway import Send
from corefast.wire.settings import BusinessProfile, PatchProfile
from tests.core.world import Silent
from tests.device.world import Watched, World, run
from tests.relay.party import relay_at

BUSINESS = "493023125000"


class Shop:
    """A core, and what it told."""

    def __init__(self, front, number: str) -> None:
        self.front = front
        self.customer = number
        self.events = []
        self.cursor = ""

    async def send(self, text: str) -> None:
        await self.front.call(Send(BUSINESS, self.customer, Text(text)))

    async def until(self, kind: EventKind, count: int) -> list:
        """Wait until *count* events of *kind* were told since the start."""
        async with asyncio.timeout(20):
            while len(found := [event for event in self.events if event.kind == kind]) < count:
                page = await self.front.call(ReadEvents(BUSINESS, self.cursor, 1_000, 1_000))
                self.events += page.events
                self.cursor = page.cursor
        return found


def test_business_writes_to_all_phones_of_a_customer_and_hears_each_of_them(tmp_path):
    async def main():
        w = World(tmp_path, "")
        folder = tmp_path / "core"
        folder.mkdir()
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice:
            await alice.until(Ready)
            core = await Core.open(folder, CoreConfig(data_dir=str(folder), relay=w.url, number=BUSINESS))
            port = await core.listen("127.0.0.1", 0)
            await core.find(BUSINESS).relay.peer()
            secret = load_secrets(folder / "front.secret", lambda size: b"")[0]
            front = await connect("127.0.0.1", port, initiator_psk(secret), gateway_codec, Silent())
            shop = Shop(front, w.alice)
            try:
                await story(w, shop, alice)
            finally:
                front.close()
                await core.close()

    run(main)


async def story(w: World, shop: Shop, alice: Watched) -> None:
    await shop.send("to one")
    await alice.until(MessageReceived, text="to one")
    code = (await alice.device.offer_link()).code
    second = Watched(await Device.link(w.home("second"), code))
    try:
        await second.until(Ready)
        await shop.send("to both")
        await shop.front.call(PatchProfile(BUSINESS, business=BusinessProfile(name="Café & Söhne")))
        await shop.send("by name")
        for phone in (alice, second):
            [text] = await phone.until(MessageReceived, text="to both")
            [named] = await phone.until(MessageReceived, text="by name")
            assert (text.name, named.name) == ("", "Café & Söhne")
            assert fields_of(named)["name"] == "Café & Söhne"
        await second.device.mark_read([text.id])
        await shop.until(EventKind.READ, 1)
        await second.device.send_text(BUSINESS, "from the second")
        [told] = await shop.until(EventKind.MESSAGE, 1)
        assert told.body == Text("from the second")
        await alice.until(MessageSent, text="from the second")
        await second.until(StatusChanged, status="delivered")
        await alice.device.send_text(BUSINESS, "from the first")
        await shop.until(EventKind.MESSAGE, 2)
        await second.until(MessageSent, text="from the first")
        await alice.device.unlink(2)
        await shop.send("to one again")
        await alice.until(MessageReceived, text="to one again")
        await shop.until(EventKind.DELIVERED, 4)
        assert not [event for event in shop.events if event.kind in (EventKind.FAILED, EventKind.UNREADABLE)]
    finally:
        await second.device.close()
