"""A phone's prekeys at a real relay: the stock stays above its floor, signed ones are rotated, old ones still open."""

import asyncio
import os

from corefast.device import MessageReceived, Ready
from corefast.device.profile import unix_ms
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.fanout import bundle_of
from corefast.endpoint.stock import OwnKeys
from corefast.limits import PREKEY_FLOOR, PREKEY_STOCK, SIGNED_PREKEY_LIFE_MS
from corefast.wire.body import Text
from corefast.wire.content import Content, encode_content
from corefast.wire.messages import Part, Post, Register
from tests.device.world import WAIT_S, World, run
from tests.relay.party import Party


async def caller(w):
    """Register a number whose sessions this test makes by hand."""
    own = OwnKeys.new(os.urandom)
    party = await Party(w.url).connect()
    upload = own.make_upload(os.urandom, 0).upload
    await party.peer.call(Register(w.eve, own.identity.public, own.registration_id, upload))
    await party.attach()
    return party, own


async def hang_up(party):
    party.peer.close()
    await party.peer.closed()


async def fetch_until(party, number, test):
    async with asyncio.timeout(WAIT_S):
        while not test(bundle := await party.fetch(number)):
            await asyncio.sleep(0.05)
    return bundle


def test_stock_that_callers_drain_is_filled_up_before_it_is_empty(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.bob) as bob:
            await bob.until(Ready)
            party, _ = await caller(w)
            ids = set()
            for _ in range(PREKEY_STOCK - PREKEY_FLOOR):
                [device] = (await party.fetch(w.bob)).devices
                assert device.one_time is not None
                ids.add(device.one_time.id)
            first = min(ids)
            # What was made after the first stock is there before that is used up.
            async with asyncio.timeout(WAIT_S):
                while max(bob.device._profile.own.one_time) < first + PREKEY_STOCK:
                    await asyncio.sleep(0.02)
            for _ in range(PREKEY_FLOOR - 1):
                [device] = (await party.fetch(w.bob)).devices
                assert device.one_time is not None and device.one_time.id not in ids
                ids.add(device.one_time.id)
            await fetch_until(party, w.bob, lambda bundle: bundle.devices[0].one_time.id >= first + PREKEY_STOCK)
            await hang_up(party)

    run(main)


def test_signed_prekeys_are_rotated_while_connected_and_the_old_ones_open_what_is_late(
    tmp_path, relay_url, monkeypatch
):
    monkeypatch.setattr("corefast.device.client.UPKEEP_S", 0.05)
    ahead = [0]

    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.bob, clock=lambda: unix_ms() + ahead[0]) as bob:
            await bob.until(Ready)
            party, own = await caller(w)
            old = await party.fetch(w.bob)
            ahead[0] = SIGNED_PREKEY_LIFE_MS
            [before] = old.devices
            new = await fetch_until(party, w.bob, lambda bundle: bundle.devices[0].signed.id != before.signed.id)
            [after] = new.devices
            assert after.signed.id == before.signed.id + 1
            session = Correspondent.new()
            session.start(own, bundle_of(old, before), os.urandom)
            message_id = os.urandom(16)
            content = encode_content(Content(message_id, 1, Text("late")))
            part = Part(1, *session.encrypt(content, os.urandom))
            party.post(Post(message_id, w.bob, old.devices_version, [part]))
            assert [text.text for text in await bob.until(MessageReceived)] == ["late"]
            await hang_up(party)

    run(main)
