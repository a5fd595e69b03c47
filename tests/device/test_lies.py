"""A relay that says what cannot be: refused in a typed way, without a second harm, and forgotten once it is honest."""

import os
import time

import msgspec
import pytest

from corefast.address import Address
from corefast.device import IdentityNews, MessageReceived, Ready, StatusChanged, Unreadable, sending
from corefast.device.connection import Connection
from corefast.device.receiving import Delivery
from corefast.device.sending import FREE_CHANGES, Sending
from corefast.errors import CreditExceeded
from corefast.limits import MAX_UNACKED_ITEMS
from corefast.relay.prekeys import PreKeys
from corefast.wire.messages import Deliver, Item, Kind, PostResult, PostState
from tests.device.world import World, run
from tests.relay.party import relay_at

replace = msgspec.structs.replace


def renumbered(*devices):
    return lambda bundle: replace(bundle, devices=[replace(bundle.devices[0], device=each) for each in devices])


def test_list_of_devices_that_cannot_be_fails_the_message_and_nothing_after_it(tmp_path, monkeypatch):
    take_bundle = PreKeys.take_bundle

    async def main():
        w = World(tmp_path, "")
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            for lie in (renumbered(0), renumbered(1, 1)):

                async def lying(self, account, asker, lie=lie):
                    return lie(await take_bundle(self, account, asker))

                monkeypatch.setattr(PreKeys, "take_bundle", lying)
                await bob.device.send_text(w.alice, "secret")
                assert (await bob.until(StatusChanged, status="failed"))[0].code == "bundle.invalid"
            monkeypatch.setattr(PreKeys, "take_bundle", take_bundle)
            await bob.device.send_text(w.alice, "after")
            assert (await alice.until(MessageReceived))[0].text == "after"

    run(main)


def test_message_overtakes_none_that_the_relay_gives_back_later(tmp_path, relay_url, monkeypatch):
    notify = Connection.notify

    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            await bob.device.send_text(w.alice, "0")
            await alice.until(MessageReceived)
            monkeypatch.setattr(Connection, "notify", lambda self, message: None)
            sending = bob.device._sending
            given_back = [await bob.device.send_text(w.alice, text) for text in "12"]
            while len(sending._posted) < 2:
                await bob.device.status(given_back[0])
            monkeypatch.setattr(Connection, "notify", notify)
            for message_id in given_back:
                await sending.take_results([PostResult(message_id, PostState.DEVICES_CHANGED, 1)])
                await bob.device.send_text(w.alice, "after one that came back")
                for _ in range(100):
                    await bob.device.status(message_id)
            told = [event.text for event in await alice.until(MessageReceived, 4)]
            assert told == ["1", "2", *["after one that came back"] * 2]

    run(main)


def test_relay_that_says_again_and_again_that_the_list_is_another_one_has_no_bundles_fetched_for_it(
    tmp_path, monkeypatch
):
    take_bundle, take_results = PreKeys.take_bundle, Sending.take_results
    fetches = []

    async def counting(self, account, asker):
        fetches.append(account.number)
        return await take_bundle(self, account, asker)

    async def lying(self, results):
        await take_results(self, [replace(each, state=PostState.DEVICES_CHANGED) for each in results])

    async def main():
        w = World(tmp_path, "")
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            monkeypatch.setattr(PreKeys, "take_bundle", counting)
            monkeypatch.setattr(Sending, "take_results", lying)
            began = time.monotonic()
            await bob.device.send_text(w.alice, "once")
            await alice.until(MessageReceived)
            while len(fetches) < 3:
                await bob.device._profile.outbox.status(bytes(16))
            assert time.monotonic() - began > 0.9, "a second for each time"
            monkeypatch.setattr(Sending, "take_results", take_results)
            await bob.until(StatusChanged, status="delivered")
            assert len(fetches) <= 4

    run(main)


def test_relay_that_names_another_list_of_devices_each_time_has_us_run_no_faster(tmp_path, monkeypatch):
    take_bundle = PreKeys.take_bundle
    fetches = []

    async def naming_another(self, account, asker):
        fetches.append(account.number)
        return replace(await take_bundle(self, account, asker), devices_version=100 + len(fetches))

    async def main():
        w = World(tmp_path, "")
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            monkeypatch.setattr(PreKeys, "take_bundle", naming_another)
            began = time.monotonic()
            await bob.device.send_text(w.alice, "once")
            while len(fetches) < FREE_CHANGES + 3:
                await bob.device._profile.outbox.status(bytes(16))
            assert time.monotonic() - began > 0.9, "a second for each time"
            monkeypatch.setattr(PreKeys, "take_bundle", take_bundle)
            await bob.until(StatusChanged, status="delivered")
            assert [event.text for event in await alice.until(MessageReceived)] == ["once"]
            assert not bob.device._sending._changes

    run(main)


@pytest.mark.parametrize("is_known", [False, True], ids=["a stranger's", "a friend's"])
def test_first_message_shown_as_another_ones_leaves_nothing_but_a_record(tmp_path, monkeypatch, is_known):
    async def main():
        w = World(tmp_path, "")
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice, w.device(w.bob) as bob:
            async with w.device(w.eve) as eve:
                for each in (alice, bob, eve):
                    await each.until(Ready)
                if is_known:
                    await eve.device.send_text(w.alice, "mine")
                    await alice.until(MessageReceived)
                take = Delivery.take

                async def lying(self, items):
                    return await take(self, [replace(item, sender=Address(w.eve, 1)) for item in items])

                monkeypatch.setattr(Delivery, "take", lying)
                await bob.device.send_text(w.alice, "hello")
                [told] = await alice.until(Unreadable)
                monkeypatch.setattr(Delivery, "take", take)
                assert (told.sender, told.code) == (w.eve, "content.malformed")
                store = alice.device._profile.directory._store
                peer = await store.load(w.eve)
                assert (peer.identity, list(peer.devices)) == (eve.device.identity, [1]) if is_known else peer is None
                await bob.device.send_text(w.alice, "again")
                await eve.device.send_text(w.alice, "mine too")
                got = {(event.sender, event.text) for event in await alice.until(MessageReceived, 2)}
                assert got == {(w.bob, "again"), (w.eve, "mine too")}
                assert not [event for event in alice.events if isinstance(event, IdentityNews)]

    run(main)


@pytest.mark.parametrize(
    "lie",
    [
        {"sender": Address("", 1)},
        {"sender": Address("\x1b[2J", 1)},
        {"sender": Address("4" * 1_000, 1)},
        {"sender": Address("٤٩١٢٣", 1)},
        {"sender": Address("4915100000000", 0)},
        {"sender": Address("4915100000000", 2**63)},
        {"sender": Address("4915100000000", 1, "other")},
        {"at_ms": -1},
        {"at_ms": 2**63},
    ],
)
def test_item_of_nobody_or_of_no_time_is_taken_for_nothing(tmp_path, lie):
    async def main():
        w = World(tmp_path, "corefast://127.0.0.1:1/#" + "A" * 43)
        async with w.device(w.alice) as alice:
            item = Item(1, os.urandom(16), Kind.PREKEY, Address("4915100000000", 1), 1, b"x")
            for kind in (Kind.PREKEY, Kind.WHISPER, Kind.DELIVERED, Kind.EXPIRED, Kind.FAILED):
                delivery = Delivery(alice.device._profile)
                assert await delivery.take([replace(item, kind=kind, **lie)]) == []
            assert await alice.device._profile.inbox.waiting(0, 10) == []
            await Delivery(alice.device._profile).take([item])
            assert len(await alice.device._profile.inbox.waiting(0, 10)) == 1

    run(main)


@pytest.mark.parametrize("at_ms", [-(2**62), 2**63])
def test_result_of_no_time_is_a_result(tmp_path, relay_url, monkeypatch, at_ms):
    take_results = Sending.take_results

    async def lying(self, results: list[PostResult]):
        await take_results(self, [replace(each, at_ms=at_ms) for each in results])

    async def main():
        w = World(tmp_path, relay_url)
        monkeypatch.setattr(Sending, "take_results", lying)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            await alice.device.send_text(w.bob, "hello")
            [sent] = await alice.until(StatusChanged, status="sent")
            assert 0 <= sent.at_ms <= 2**52

    run(main)


def test_result_of_a_later_release_is_no_failure(tmp_path, relay_url, monkeypatch):
    take_results = Sending.take_results
    states = [99, 6]

    async def lying(self, results: list[PostResult]):
        if states:
            results = [replace(each, state=states.pop()) for each in results]
        await take_results(self, results)

    async def main():
        w = World(tmp_path, relay_url)
        monkeypatch.setattr(Sending, "take_results", lying)
        monkeypatch.setattr(sending, "RETRY_MS", 20)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            await alice.device.send_text(w.bob, "hello")
            await alice.until(StatusChanged, status="sent")
            await bob.until(MessageReceived, text="hello")
            assert not states

    run(main)


def test_relay_that_sends_more_items_than_it_may_before_our_acks_is_refused(tmp_path):
    async def main():
        w = World(tmp_path, "corefast://127.0.0.1:1/#" + "A" * 43)
        async with w.device(w.alice) as alice:
            item = Item(1, os.urandom(16), Kind.DELIVERED, Address("4915100000000", 1), 1, b"")
            intake = alice.device._intake
            intake.put(None, Deliver([item] * 2 * MAX_UNACKED_ITEMS))
            with pytest.raises(CreditExceeded):
                intake.put(None, Deliver([item]))
            intake._queue.clear()

    run(main)
