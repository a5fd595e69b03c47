"""Several devices of a number, as the relay keeps them: slots, the list, and what waits for who is gone."""

import asyncio
import os
from typing import Any

import msgspec
import pytest

from corefast.address import Address
from corefast.errors import RemoteRefused
from corefast.limits import DEVICE_LIFE_MS, MAX_DEVICE_ID, MAX_DEVICES, SLOT_LIFE_MS
from corefast.protocol.keys import KeyPair
from corefast.relay import linking, slot
from corefast.relay.slot import MAX_JOIN_BYTES
from corefast.store.database import Statement, Unit
from corefast.wire.messages import (
    AnswerSlot,
    DevicesChanged,
    JoinSlot,
    Kind,
    LinkDevice,
    ListDevices,
    OpenSlot,
    Part,
    Post,
    PostState,
    PreKeyUpload,
    SlotJoined,
    UnlinkDevice,
)
from tests.relay.party import Clock, Party, envelope_id, kem_key, play, relay_at, upload

SHOP, PHONE = "493023125000", "493023125001"


class Member(Party):
    """A party that remembers what the relay says about devices."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.joined: list[SlotJoined] = []
        self.lists: list[DevicesChanged] = []

    def received(self, peer, message, call):
        if isinstance(message, SlotJoined):
            self.joined.append(message)
        elif isinstance(message, DevicesChanged):
            self.lists.append(message)
        super().received(peer, message, call)

    async def open_slot(self) -> bytes:
        return (await self.peer.call(OpenSlot())).slot

    async def ask(self, slot: bytes, message: bytes = b"first") -> asyncio.Task:
        return asyncio.create_task(self.peer.call(JoinSlot(slot, message)))

    async def meet(self, first: "Member") -> bytes:
        """Have *first* approve our link key; return the slot."""
        slot = await first.open_slot()
        asked = await self.ask(slot)
        await first.until(lambda: first.joined and first.joined[-1].slot == slot)
        said = first.joined[-1]
        await first.peer.call(AnswerSlot(slot, said.link_key, b"second"))
        assert (await asked).message == b"second"
        return slot

    async def link(self, first: "Member", **other: Any) -> "Member":
        """Become a device of *first*'s number, attach and drain."""
        await self.connect()
        slot = await self.meet(first)
        self.address = (await self.peer.call(LinkDevice(slot, 7, other.get("prekeys", upload(2, 2))))).address
        await self.attach()
        await self.until(lambda: self.drained_after)
        return self


async def refused(awaitable) -> str:
    with pytest.raises(RemoteRefused) as caught:
        await awaitable
    return caught.value.code


def post(name: int | str, to: str, version: int, *devices: int) -> Post:
    return Post(envelope_id(name), to, version, [Part(device, 2, b"sealed") for device in devices])


async def listed(member: Party) -> list[int]:
    return [each.device for each in (await member.peer.call(ListDevices())).devices]


def test_linked_device_gets_its_part_and_every_attached_device_hears_of_the_list(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            shop, first = await Party(url).join(SHOP), await Member(url).join(PHONE)
            second = await Member(url).link(first)
            assert second.address == Address(PHONE, 2)
            await first.until(lambda: first.lists)
            assert first.lists == [DevicesChanged(2, [1, 2])]
            assert (await second.attach()).devices == [1, 2] == await listed(second)
            bundle = await shop.fetch(PHONE)
            assert [each.device for each in bundle.devices] == [1, 2] and bundle.devices_version == 2
            shop.post(post(1, PHONE, 1, 1), post(2, PHONE, 2, 1, 2))
            await shop.until(lambda: len(shop.results) == 2)
            assert shop.results[envelope_id(1)] == PostState.DEVICES_CHANGED
            await first.until(lambda: first.items)
            await second.until(lambda: second.items)
            assert [item.id for item in first.items + second.items] == [envelope_id(2)] * 2

    play(main)


def test_post_and_bundle_of_the_own_number_leave_out_who_asks(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            first = await Member(url).join(PHONE)
            assert (await first.fetch(PHONE)).devices == []
            second = await Member(url).link(first)
            assert [each.device for each in (await second.fetch(PHONE)).devices] == [1]
            second.post(post(1, PHONE, 2, 1, 2), post(2, PHONE, 2, 1))
            await first.until(lambda: first.items)
            assert (first.items[0].id, first.items[0].sender) == (envelope_id(2), Address(PHONE, 2))
            await second.until(lambda: len(second.results) == 2)
            assert second.results[envelope_id(1)] == PostState.DEVICES_CHANGED
            assert not second.items

    play(main)


def test_slot_serves_one_device_once_and_not_for_ever(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock) as (_, url):
            first, late, other = await Member(url).join(PHONE), await Member(url).connect(), await Member(url).connect()
            slot = await late.meet(first)
            assert await refused(other.peer.call(JoinSlot(slot, b"first"))) == "slot.closed"
            assert await refused(other.peer.call(LinkDevice(slot, 7, upload()))) == "slot.closed"
            clock.now_ms += SLOT_LIFE_MS
            assert await refused(late.peer.call(LinkDevice(slot, 7, upload()))) == "slot.closed"
            old, new = await first.open_slot(), await first.open_slot()
            assert await refused(late.peer.call(JoinSlot(old, b"first"))) == "slot.closed"
            assert await refused(late.peer.call(JoinSlot(new, bytes(MAX_JOIN_BYTES + 1)))) == "parameter.invalid"
            clock.now_ms += SLOT_LIFE_MS
            assert await refused(late.peer.call(JoinSlot(new, b"first"))) == "slot.closed"
            assert await refused(late.peer.call(JoinSlot(os.urandom(16), b"first"))) == "slot.closed"
            assert await listed(first) == [1]

    play(main)


def test_device_is_not_linked_without_approval_of_its_link_key_and_prekeys_of_the_identity(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            first, new = await Member(url).join(PHONE), await Member(url).connect()
            slot = await first.open_slot()
            assert await refused(new.peer.call(LinkDevice(slot, 7, upload()))) == "slot.closed"
            asked = await new.ask(slot)
            await first.until(lambda: first.joined)
            assert await refused(new.peer.call(LinkDevice(slot, 7, upload()))) == "slot.closed"
            assert await refused(first.peer.call(AnswerSlot(slot, os.urandom(32), b"second"))) == "slot.closed"
            await first.peer.call(AnswerSlot(slot, first.joined[0].link_key, b""))
            assert await refused(asked) == "slot.refused"
            assert await refused(new.peer.call(LinkDevice(slot, 7, upload()))) == "slot.closed"
            slot = await new.meet(first)
            stranger = KeyPair.generate(os.urandom)
            signed = kem_key(1)
            forged = msgspec.structs.replace(
                upload(),
                last_resort=msgspec.structs.replace(signed, signature=stranger.sign(signed.public, os.urandom)),
            )
            for wrong in (forged, PreKeyUpload()):
                assert await refused(new.peer.call(LinkDevice(slot, 7, wrong))) == "bundle.invalid"
            assert await refused(new.peer.call(LinkDevice(slot, 1 << 14, upload()))) == "parameter.invalid"
            assert await listed(first) == [1] and not first.lists
            linked = await new.peer.call(LinkDevice(slot, 7, upload(1, 1)))
            assert await new.peer.call(LinkDevice(slot, 7, upload(1, 1))) == linked
            assert await refused(new.peer.call(JoinSlot(slot, b"again"))) == "parameter.invalid"
            assert await refused(new.register(SHOP)) == "parameter.invalid"
            assert await listed(first) == [1, 2]

    play(main)


def test_first_device_that_is_away_or_silent_does_not_hold_the_new_one(tmp_path, monkeypatch):
    monkeypatch.setattr(slot, "ANSWER_WAIT_S", 0.05)

    async def main():
        async with relay_at(tmp_path) as (_, url):
            first, new = await Member(url).join(PHONE), await Member(url).connect()
            place = await first.open_slot()
            await first.leave()
            assert await refused(new.peer.call(JoinSlot(place, b"first"))) == "slot.refused"
            await first.connect()
            await first.attach()
            assert await refused(new.peer.call(JoinSlot(place, b"first"))) == "slot.refused"
            assert first.joined[0].message == b"first"
            assert await refused(first.peer.call(AnswerSlot(place, first.joined[0].link_key, b"late"))) == "slot.closed"

    play(main)


def test_only_the_first_device_of_a_phone_links_and_unlinks(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            core, first = await Party(url).connect(), await Member(url).join(PHONE)
            assert await refused(core.peer.call(OpenSlot())) == "link.not_attached"
            await core.register(SHOP)
            assert await refused(core.peer.call(OpenSlot())) == "link.not_attached"
            await core.attach(shards=[0], next_token=bytes(16))
            second = await Member(url).link(first)
            for call in (OpenSlot(), UnlinkDevice(1), UnlinkDevice(2), AnswerSlot(bytes(16), b"", b"")):
                assert await refused(second.peer.call(call)) == "device.not_first"
                assert await refused(core.peer.call(call)) == "device.not_first"
            for number in (1, 3, 0, -1, 1 << 40):
                assert await refused(first.peer.call(UnlinkDevice(number))) == "device.unknown"
            assert await listed(second) == [1, 2]

    play(main)


def test_unlinked_device_is_cut_off_and_what_waited_for_it_is_nobodys_failure(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (relay, url):
            shop, first = await Party(url).join(SHOP), await Member(url).join(PHONE)
            second = await Member(url).link(first)
            shop.post(post(1, PHONE, 2, 1, 2))
            await shop.until(lambda: shop.results == {envelope_id(1): PostState.STORED})
            assert [each.device for each in (await first.peer.call(UnlinkDevice(2))).devices] == [1]
            await second.until(lambda: second.is_lost)
            assert second.evicted == "device.unlinked"
            await first.until(lambda: first.items)
            first.ack()
            await shop.until(lambda: shop.items)
            shop.post(post(2, PHONE, 2, 1, 2), post(3, PHONE, 3, 1))
            await shop.until(lambda: len(shop.results) == 3)
            assert shop.results[envelope_id(2)] == PostState.DEVICES_CHANGED
            await shop.until(lambda: relay._router.waiting == 2 or not relay._router.waiting)
            assert [(item.kind, item.id, item.sender.device) for item in shop.items] == [
                (Kind.DELIVERED, envelope_id(1), 1)
            ]
            await second.connect()
            assert await refused(second.attach()) == "number.unknown"
            assert [each.device for each in (await shop.fetch(PHONE)).devices] == [1]
            third = await Member(url).link(first)
            assert third.address.device == 3  # 2 was somebody else

    play(main)


def test_list_ids_and_dropped_mailboxes_survive_the_relay(tmp_path, monkeypatch):
    async def main():
        async with relay_at(tmp_path) as (relay, url):
            shop, first = await Party(url).join(SHOP), await Member(url).join(PHONE)
            second, third = await Member(url).link(first), await Member(url).link(first)
            await third.leave()
            shop.post(post(1, PHONE, 3, 1, 2, 3))
            await shop.until(lambda: shop.results)

            async def cut_short(mailboxes):
                raise OSError

            monkeypatch.setattr(relay._sweep, "drop", cut_short)
            await first.peer.call(UnlinkDevice(3))
            keys = {"shop": shop.key, "first": first.key, "second": second.key, "third": third.key}
        async with relay_at(tmp_path) as (relay, url):
            shop, first = await Party(url, keys["shop"]).connect(), await Member(url, keys["first"]).connect()
            second, third = await Party(url, keys["second"]).connect(), await Party(url, keys["third"]).connect()
            assert (await shop.attach()).devices == [1]
            assert (await second.attach()).devices == [1, 2]
            attached = await first.attach()
            assert (attached.devices, attached.devices_version) == ([1, 2], 4)
            assert await refused(third.attach()) == "number.unknown"
            await first.until(lambda: first.items)
            await second.until(lambda: second.items)
            first.ack(), second.ack()
            await shop.until(lambda: len(shop.items) == 2)
            assert {item.kind for item in shop.items} == {Kind.DELIVERED}
            assert (await Member(url).link(first)).address.device == 4

    play(main)


def test_devices_and_their_ids_are_limited(tmp_path, monkeypatch):
    async def main():
        async with relay_at(tmp_path) as (relay, url):
            first = await Member(url).join(PHONE)
            for number in range(2, MAX_DEVICES + 1):
                assert (await Member(url).link(first)).address.device == number
            assert await refused(first.peer.call(OpenSlot())) == "device.full"
            await first.peer.call(UnlinkDevice(4))
            late = await Member(url).connect()
            slot = await late.meet(first)
            unit = Unit()
            unit.add(Statement("UPDATE number SET last_device = ?"), MAX_DEVICE_ID)
            await relay._database.commit(unit)
            assert await refused(late.peer.call(LinkDevice(slot, 7, upload()))) == "device.full"
            assert await listed(first) == [1, 2, 3, 5, 6]

    play(main)


def test_linked_device_that_is_away_too_long_is_dropped_and_the_first_never(tmp_path):
    async def main():
        clock = Clock()
        async with relay_at(tmp_path, clock) as (relay, url):
            first = await Member(url).join(PHONE)
            away, here = await Member(url).link(first), await Member(url).link(first)
            await away.leave()
            clock.now_ms += DEVICE_LIFE_MS - linking.SEEN_MS
            await relay.sweep()
            assert await listed(first) == [1, 2, 3]
            clock.now_ms += linking.SEEN_MS
            await relay.sweep()
            await here.until(lambda: here.lists and here.lists[-1] == DevicesChanged(4, [1, 3]))
            await away.connect()
            assert await refused(away.attach()) == "number.unknown"
            await first.leave()
            clock.now_ms += 3 * DEVICE_LIFE_MS
            await relay.sweep()
            assert await listed(here) == [1, 3]
            keys = [first.key, here.key]
        clock.now_ms += 3 * DEVICE_LIFE_MS  # the relay itself was away: who comes back in its first hour stays
        async with relay_at(tmp_path, clock) as (relay, url):
            await relay.sweep()
            first, here = [await Member(url, key).connect() for key in keys]
            assert (await first.attach()).devices == [1, 3]
            clock.now_ms += linking.GRACE_MS
            await relay.sweep()
            assert await listed(first) == [1]
            assert await refused(here.attach()) == "number.unknown"

    play(main)


def test_number_claimed_anew_evicts_all_devices(tmp_path):
    async def main():
        async with relay_at(tmp_path) as (_, url):
            first, other = await Member(url).join(PHONE), await Member(url).connect()
            second = await Member(url).link(first)
            assert (await other.register(PHONE, replace=True)).devices_version == 3
            for old in (first, second):
                await old.until(lambda old=old: old.is_lost)
                assert old.evicted == "number.taken"
            assert (await other.attach()).devices == [1]
            assert (await Member(url).link(other)).address.device == 3  # the same identity: 2 was given out

    play(main)
