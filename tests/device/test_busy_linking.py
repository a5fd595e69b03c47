"""Linking by several at once, and while messages flow: one place for one code, nothing lost and nothing doubled."""

import asyncio

from corefast.device import Device, MessageReceived, MessageSent, Ready, StatusChanged, Stopped, Unreadable
from corefast.errors import RemoteRefused
from tests.device.test_linking import linked
from tests.device.world import World, run
from tests.relay.party import relay_at


def texts(watched):
    return [event.text for event in watched.events if isinstance(event, MessageReceived | MessageSent)]


def test_of_two_who_read_the_same_code_one_is_linked(tmp_path):
    async def main():
        w = World(tmp_path, "")
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice:
            await alice.until(Ready)
            code = (await alice.device.offer_link()).code
            tries = [Device.link(w.home(name), code) for name in ("second", "third")]
            ends = await asyncio.gather(*tries, return_exceptions=True)
            [one] = [end for end in ends if isinstance(end, Device)]
            [error] = [end for end in ends if isinstance(end, RemoteRefused)]
            assert error.code.startswith("slot.") and one.device == 2
            assert [each.device for each in await alice.device.devices()] == [1, 2]
            await one.close()

    run(main)


def test_two_numbers_link_at_once_and_each_gets_its_own(tmp_path):
    async def main():
        w = World(tmp_path, "")
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            codes = [(await phone.device.offer_link()).code for phone in (alice, bob)]
            ends = await asyncio.gather(*(Device.link(w.home(f"{code} 2"), code) for code in codes))
            for first, second in zip((alice, bob), ends, strict=True):
                assert (second.number, second.identity, second.device) == (
                    first.device.number,
                    first.device.identity,
                    2,
                )
                await second.close()

    run(main)


def test_devices_come_and_go_while_messages_flow_both_ways_and_none_is_lost_or_doubled(tmp_path):
    async def main():
        w = World(tmp_path, "")
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            is_over = asyncio.Event()
            written = {alice: [], bob: []}

            async def write(author, to):
                """Write one message after the other, each once the relay has the one before."""
                while not is_over.is_set():
                    text = f"{author.device.number} {len(written[author])}"
                    written[author].append(text)
                    message_id = await author.device.send_text(to, text)
                    await author.until(StatusChanged, status="sent", id=message_id)
                await author.device.send_text(to, "the end")
                written[author].append("the end")

            async def link_and_unlink():
                async with linked(w, alice, "second") as second:
                    await second.until(MessageReceived, 5), await second.until(MessageSent, 5)
                    async with linked(w, alice, "third") as third:
                        await third.until(MessageReceived, 5)
                        await alice.device.unlink(2)
                        await second.until(Stopped)
                        await third.until(MessageReceived, 5), await third.until(MessageSent, 5)
                        is_over.set()
                        while texts(third).count("the end") < 2:
                            await third.until(MessageReceived | MessageSent)
                return second, third

            _, _, (second, third) = await asyncio.gather(
                write(alice, w.bob), write(bob, w.alice), asyncio.wait_for(link_and_unlink(), 20)
            )
            for reader, author in ((alice, bob), (bob, alice)):
                while "the end" not in texts(reader):
                    await reader.until(MessageReceived)
                assert texts(reader) == written[author]
                assert not [event for event in author.events if getattr(event, "status", "") == "failed"]
            for watched, kind, author in (
                (second, MessageReceived, bob),
                (second, MessageSent, alice),
                (third, MessageReceived, bob),
                (third, MessageSent, alice),
            ):
                seen = [event.text for event in watched.events if isinstance(event, kind)]
                first = written[author].index(seen[0])
                assert seen == written[author][first : first + len(seen)] and len(seen) >= 5
            for watched in (alice, bob, second, third):
                assert not [event for event in watched.events if isinstance(event, Unreadable)]

    run(main)
