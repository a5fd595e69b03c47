"""Several devices of a number: linked, in step with each other, unlinked; and what hostile relays and kill -9 do."""

import os
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from corefast.address import Address
from corefast.device import (
    Device,
    DevicesNews,
    LinkFailed,
    MessageReceived,
    MessageSent,
    Options,
    ReadElsewhere,
    Ready,
    StatusChanged,
    Stopped,
    Unreadable,
    siblings,
)
from corefast.device.handover import FirstDevice, NewDevice, make_handover
from corefast.device.link_code import LinkCode, draw_qr
from corefast.device.profile import Profile, unix_ms
from corefast.device.receiving import Delivery
from corefast.device.registration import Registration
from corefast.device.store.outbox import State
from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.fanout import bundle_of
from corefast.errors import ContentMalformed, HandshakeFailed, LinkCodeInvalid, RemoteRefused, SetupError
from corefast.limits import SLOT_LIFE_MS
from corefast.net.client import RelayUrl
from corefast.protocol.keys import KeyPair
from corefast.relay.prekeys import PreKeys
from corefast.relay.slot import Slots
from corefast.wire.body import Text
from corefast.wire.content import Content, Sent, encode_content
from corefast.wire.messages import Bundle, DeviceBundle, Item, SlotJoined
from tests.device.world import Program, Watched, World, run
from tests.endpoint.pair import End
from tests.relay.party import relay_at

CODE = LinkCode(RelayUrl("127.0.0.1", 4460, bytes(range(32))), bytes(16), bytes(range(32, 64)))


@asynccontextmanager
async def linked(w: World, first: Watched, home: str, **options):
    """Link a phone to *first*'s number and open it."""
    offer = await first.device.offer_link()
    device = await Device.link(w.home(home), offer.code, Options(**options))
    try:
        await (watched := Watched(device)).until(Ready)
        yield watched
    finally:
        await device.close()


async def texts(phone: Watched, count: int) -> list[str]:
    return [text.text for text in await phone.until(MessageReceived, count)]


def settled(phone: Watched, kind: type) -> list[str]:
    return [event.text for event in phone.events if isinstance(event, kind)]


# ── the code and what it carries ───────────────────────────────────────────────────────────────────────────────────


def test_code_says_where_to_meet_and_survives_copying():
    assert LinkCode.parse(f"  {CODE.text}\n") == CODE
    assert "\n" in draw_qr(CODE.text) and CODE.text not in repr(CODE)
    for wrong in (
        "",
        "corefast://127.0.0.1:4460/#" + "A" * 43,
        CODE.text[:-1],
        CODE.text + "A",
        ",".join(CODE.text.rsplit(".", 1)),
        CODE.text.replace("4460", "x"),
        CODE.text.replace("-link", ""),
        CODE.text.rpartition(".")[0],
        CODE.text + "." + "A" * 600,
        "corefast-link://[/#.." + "é",
    ):
        with pytest.raises(LinkCodeInvalid):
            LinkCode.parse(wrong)


def test_handover_opens_for_the_holder_of_the_code_and_for_nobody_else():
    identity, slot, secret = KeyPair.generate(os.urandom), os.urandom(16), os.urandom(32)
    link_key = os.urandom(32)
    handover = make_handover("491713920000", identity, "Alice", [])

    def pair(slot_there=slot, secret_there=secret):
        return NewDevice(slot, secret, os.urandom), FirstDevice(slot_there, secret_there, os.urandom)

    new, first = pair()
    answer = first.answer(link_key, hello := new.hello(link_key), handover)
    assert identity.private not in answer and b"491713920000" not in answer
    assert new.take(answer) == handover
    for new, first in (pair(secret_there=os.urandom(32)), pair(slot_there=os.urandom(16))):
        with pytest.raises(HandshakeFailed):
            first.answer(link_key, new.hello(link_key), handover)
    new, first = pair()
    with pytest.raises(HandshakeFailed):  # the relay puts itself in the new device's place
        first.answer(os.urandom(32), new.hello(link_key), handover)
    for at in range(len(hello)):
        new, first = pair()
        changed = bytearray(new.hello(link_key))
        changed[at] ^= 1
        with pytest.raises(HandshakeFailed):
            first.answer(link_key, bytes(changed), handover)
    for garbage in (b"", hello, answer[:40], os.urandom(len(answer))):
        new, _ = pair()
        new.hello(link_key)
        with pytest.raises(HandshakeFailed):
            new.take(garbage)
    new, first = pair()
    strange = make_handover("not a number", identity, "", [])
    message = first.answer(link_key, new.hello(link_key), strange)
    with pytest.raises(ContentMalformed):
        new.take(message)


# ── in step ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_three_devices_show_what_comes_and_what_each_of_them_sends_once(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with AsyncExitStack() as stack:
            bob = await stack.enter_async_context(w.device(w.bob))
            alice = await stack.enter_async_context(w.device(w.alice, name="Alice"))
            await alice.until(Ready), await bob.until(Ready)
            await bob.device.send_text(w.alice, "before")
            assert await texts(alice, 1) == ["before"]
            second = await stack.enter_async_context(linked(w, alice, "second"))
            third = await stack.enter_async_context(linked(w, alice, "third"))
            assert [phone.device.device for phone in (alice, second, third)] == [1, 2, 3]
            assert {phone.device.identity for phone in (second, third)} == {alice.device.identity}
            await second.until(DevicesNews, devices=[1, 2, 3])
            phones = (alice, second, third)
            await bob.device.send_text(w.alice, "to all")
            for phone in phones:
                assert await texts(phone, 1) == ["to all"]
            sent = [await phone.device.send_text(w.bob, f"from {n}") for n, phone in enumerate(phones)]
            assert sorted(await texts(bob, 3)) == ["from 0", "from 1", "from 2"]
            assert {text.name for text in bob.events if isinstance(text, MessageReceived)} == {"Alice"}
            for n, phone in enumerate(phones):
                copies = await phone.until(MessageSent, 2)
                assert {copy.id for copy in copies} == set(sent) - {sent[n]}
                assert {copy.recipient for copy in copies} == {w.bob}
            await bob.device.mark_read(sent)
            for n, phone in enumerate(phones):
                await phone.until(StatusChanged, id=sent[n], status="read")
            for phone in phones:
                while [(await phone.device.status(each))[0] for each in sent] != [State.READ] * 3:
                    await phone.until(StatusChanged, status="read")
            await bob.device.send_text(w.alice, "last")
            for phone in phones:
                assert await texts(phone, 1) == ["last"]
                assert len(settled(phone, MessageSent)) == 2
        async with w.device(w.alice, home="second") as second:
            await second.until(Ready, device=2)

    run(main)


def test_text_read_on_one_device_is_read_on_the_others_and_told_once_to_its_author(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            async with linked(w, alice, "second") as second:
                sent = await bob.device.send_text(w.alice, "read me")
                for phone in (alice, second):
                    await phone.until(MessageReceived)
                assert await second.device.mark_read([sent]) == 1
                await alice.until(ReadElsewhere, sender=w.bob, ids=[sent])
                assert await alice.device.mark_read([sent]) == 0
                await bob.until(StatusChanged, status="read")

    run(main)


def test_device_that_was_away_catches_up_with_both_sides_of_every_talk(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            async with linked(w, alice, "second"):
                pass
            for n in range(40):
                await bob.device.send_text(w.alice, f"{n}")
                await alice.device.send_text(w.bob, f"answer {n}")
            await bob.until(StatusChanged, 40, status="delivered")  # the first device's word is enough
            await alice.until(StatusChanged, 40, status="delivered")
            async with w.device(w.alice, home="second") as second:
                assert await texts(second, 40) == [f"{n}" for n in range(40)]
                while len(settled(second, MessageSent)) < 40:
                    await second.until(MessageSent)
                assert settled(second, MessageSent) == [f"answer {n}" for n in range(40)]
                await second.device.send_text(w.bob, "I am back")
                await bob.until(MessageReceived, text="I am back")

    run(main)


def test_unlinked_device_stops_and_the_others_go_on(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            async with linked(w, alice, "second") as second:
                await bob.device.send_text(w.alice, "to both")
                await texts(alice, 1), await texts(second, 1)
                with pytest.raises(RemoteRefused, match="only the first device"):
                    await second.device.unlink(1)
                assert [each.device for each in await alice.device.unlink(2)] == [1]
                [end] = await second.until(Stopped)
                assert end.code == "device.unlinked"
            await bob.device.send_text(w.alice, "to one")
            assert await texts(alice, 1) == ["to one"]
            await bob.until(StatusChanged, 2, status="delivered")
            await alice.device.send_text(w.bob, "alone again")
            await texts(bob, 1)
            async with w.device(w.alice, home="second") as second:
                assert (await second.until(Stopped))[0].code == "device.unlinked"
            async with linked(w, alice, "third") as third:
                assert third.device.device == 3
                await bob.device.send_text(w.alice, "to the new one")
                assert await texts(third, 1) == ["to the new one"]

    run(main)


# ── codes that do not work, and a relay that lies ──────────────────────────────────────────────────────────────────


def test_code_works_once_and_in_time_and_only_as_it_was_shown(tmp_path):
    async def main():
        now = {"ms": 1_800_000_000_000}
        clock = lambda: now["ms"]  # noqa: E731
        w = World(tmp_path, "")
        async with relay_at(tmp_path, clock) as (_, w.url), w.device(w.alice, clock=clock) as alice:
            await alice.until(Ready)

            async def refused(code: str) -> str:
                with pytest.raises((RemoteRefused, HandshakeFailed)) as caught:
                    await Device.link(w.home("other"), code)
                return caught.value.code

            old = (await alice.device.offer_link()).code
            now["ms"] += SLOT_LIFE_MS
            assert await refused(old) == "slot.closed"
            void = (await alice.device.offer_link()).code
            code = LinkCode.parse((await alice.device.offer_link()).code)
            assert await refused(void) == "slot.closed"
            assert await refused(code._replace(secret=os.urandom(32)).text) == "slot.refused"
            assert (await alice.until(LinkFailed))[0].code == "handshake.failed"
            assert await refused(code.text) == "slot.closed"  # a guess costs the code
            async with linked(w, alice, "second") as second:
                assert second.device.device == 2
                with pytest.raises(RemoteRefused):
                    await second.device.offer_link()
            await (await Device.open(w.home("third"), None, w.bob)).close()
            with pytest.raises(SetupError, match="phone of its own"):
                await Device.link(w.home("third"), code.text)
            async with linked(w, alice, "other") as other:  # a home that was refused is as good as new
                assert other.device.device == 3

    run(main)


@pytest.mark.parametrize("side", ["hello", "answer", "link key"])
def test_relay_that_changes_what_passes_through_a_slot_learns_and_links_nothing(tmp_path, monkeypatch, side):
    def swap(message: bytes) -> bytes:
        return message[:-1] + bytes([message[-1] ^ 1])

    joined, settle = siblings.Siblings.joined, Slots.settle
    if side == "answer":

        def change(self, owner, said):
            settle(self, owner, type(said)(said.slot, said.link_key, swap(said.message)))

        monkeypatch.setattr(Slots, "settle", change)
    else:

        async def lie(self, peer, said):
            hello = swap(said.message) if side == "hello" else said.message
            link_key = said.link_key if side == "hello" else os.urandom(32)
            await joined(self, peer, SlotJoined(said.slot, link_key, hello))

        monkeypatch.setattr(siblings.Siblings, "joined", lie)
        monkeypatch.setattr("corefast.relay.slot.ANSWER_WAIT_S", 0.2)

    async def main():
        w = World(tmp_path, "")
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice:
            await alice.until(Ready)
            code = (await alice.device.offer_link()).code
            with pytest.raises((HandshakeFailed, RemoteRefused)):
                await Device.link(w.home("second"), code)
            if side != "answer":
                assert (await alice.until(LinkFailed))[0].code == "handshake.failed"
            profile = await Profile.open(w.home("second"), "", Options())
            assert not profile.has_account
            await profile.close()
            assert [each.device for each in await alice.device.devices()] == [1]

    run(main)


def test_device_that_the_relay_adds_itself_gets_nothing_from_anybody(tmp_path, monkeypatch):
    spy = KeyPair.generate(os.urandom)
    take_bundle = PreKeys.take_bundle

    async def add_one(self, account, asker) -> Bundle:
        bundle = await take_bundle(self, account, asker)
        if not bundle.devices:
            return bundle
        real = bundle.devices[0]
        signed = type(real.signed)(1, spy.public, spy.sign(spy.public, os.urandom))
        fake = type(real)(9, real.registration_id, signed, real.kem, None)
        return Bundle(bundle.number, bundle.identity, bundle.devices_version, [*bundle.devices, fake])

    async def main():
        w = World(tmp_path, "")
        async with relay_at(tmp_path) as (_, w.url), w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            monkeypatch.setattr(PreKeys, "take_bundle", add_one)
            await bob.device.send_text(w.alice, "secret")
            [failed] = await bob.until(StatusChanged, status="failed")
            assert failed.code == "bundle.invalid"
            monkeypatch.setattr(PreKeys, "take_bundle", take_bundle)
            await bob.device.send_text(w.alice, "for her alone")
            assert await texts(alice, 1) == ["for her alone"]

    run(main)


def test_nobody_speaks_for_a_device_of_ours_but_who_has_our_identity(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready), await bob.until(Ready)
            async with linked(w, alice, "second") as second:
                await alice.device.send_text(w.bob, "before")
                await second.until(MessageSent)
                # Eve's own session, which the relay delivers as ours; then our own words under Bob's number.
                profile, eve = second.device._profile, End()
                upload = profile.own.make_upload(os.urandom, unix_ms()).upload
                keys = DeviceBundle(2, profile.own.registration_id, upload.signed, upload.last_resort, None)
                words = encode_content(Content(bytes(16), 1, Text("never said")))
                told = encode_content(Content(bytes(16), 1, Sent(w.bob, words)))
                bundle = Bundle(w.alice, profile.own.identity.public, 2, [keys])
                for number in (w.alice, w.eve):
                    eve.them = Correspondent.new()
                    eve.them.start(eve.own, bundle_of(bundle, keys), os.urandom)
                    kind, body = eve.encrypt(told)
                    item = Item(1, bytes(16), kind, Address(number, 1), 1, body)
                    await Delivery(profile).take([item])
                second.device._feed.look()
                codes = [each.code for each in await second.until(Unreadable, 2)]
                assert codes == ["identity.changed", "content.malformed"]
                assert await second.device.status(bytes(16)) is None
                await alice.device.send_text(w.bob, "after")
                await second.until(MessageSent, text="after")

    run(main)


# ── death ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Killed(BaseException):
    pass


@pytest.mark.parametrize("point", ["before the account", "before the relay", "after the relay", "before the attach"])
def test_new_device_that_dies_while_it_is_linked_ends_as_one_device(tmp_path, relay_url, monkeypatch, point):
    link_device = Registration._link

    async def die(*_args):
        raise Killed

    async def die_after(self, *args):
        await link_device(self, *args)
        raise Killed

    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            await alice.until(Ready)
            code = (await alice.device.offer_link()).code
            with monkeypatch.context() as patch:
                if point == "before the account":
                    patch.setattr(Profile, "adopt", die)
                elif point == "before the relay":
                    patch.setattr(Registration, "_link", die)
                elif point == "after the relay":
                    patch.setattr(Profile, "set_registered", die)
                else:
                    patch.setattr(Registration, "_link", die_after)
                with pytest.raises(Killed):
                    await Device.link(w.home("second"), code)
            if point == "before the account":
                with pytest.raises(RemoteRefused):
                    await Device.link(w.home("second"), code)
                code = (await alice.device.offer_link()).code
                second = await Device.link(w.home("second"), code)
            else:
                # Without a code: what was agreed is in the home.
                second = await Device.open(w.home("second"), relay_url, "")
            await (watched := Watched(second)).until(Ready, device=2)
            assert [each.device for each in await alice.device.devices()] == [1, 2]
            await alice.device.send_text(w.bob, "hello")
            await second.close()
            assert watched.events

    run(main)


def test_home_that_came_too_late_begins_anew_with_the_next_code(tmp_path, monkeypatch):
    async def die(*_args):
        raise Killed

    async def main():
        now = {"ms": 1_800_000_000_000}
        w = World(tmp_path, "")
        async with (
            relay_at(tmp_path, lambda: now["ms"]) as (_, w.url),
            w.device(w.alice, clock=lambda: now["ms"]) as alice,
        ):
            await alice.until(Ready)
            with monkeypatch.context() as patch, pytest.raises(Killed):
                patch.setattr(Registration, "_link", die)
                await Device.link(w.home("second"), (await alice.device.offer_link()).code)
            now["ms"] += SLOT_LIFE_MS
            device = await Device.open(w.home("second"), w.url, "")
            assert (await Watched(device).until(Stopped))[0].code == "slot.closed"
            await device.close()
            async with linked(w, alice, "second") as second:
                assert second.device.device == 2

    run(main)


def test_killed_processes_link_at_the_next_try(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        first = await w.phone(w.alice, "--offer-link")
        code = (await first.until("link"))["code"]
        await first.kill()
        late = await link_process(w, code)
        assert (await late.ended())[0] == 2
        first = await w.phone(w.alice)
        await first.until("ready")
        first.say(link=True)
        new = await link_process(w, (await first.until("link"))["code"])
        await first.until("devices_changed")
        await new.kill()
        first.say(link=True)
        new = await link_process(w, (await first.until("link"))["code"])
        ready = await new.until("ready", number=w.alice)  # the first try's place: it was linked already
        first.say(devices=True)
        listed = (await first.until("devices"))["devices"]
        assert [each["device"] for each in listed] == [1, ready["device"]] and listed[0]["is_this"]
        first.say(unlink=ready["device"])
        assert len((await first.until("devices"))["devices"]) == 1
        code, errors = await new.ended()
        assert code == 3 and "unlinked" in errors
        await first.kill()

    run(main)


async def link_process(w: World, code: str) -> Program:
    return await Program.start("corefast.device", "--json", "--link", code, "--home", str(w.home("second")))


def test_phone_killed_while_it_sends_to_all_doubles_and_loses_nothing(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with AsyncExitStack() as stack:
            bob = await stack.enter_async_context(w.device(w.bob))
            await bob.until(Ready)
            async with w.device(w.alice) as alice:
                await alice.until(Ready)
                second = await stack.enter_async_context(linked(w, alice, "second"))
            accepted: list[str] = []
            for round_ in range(2):
                phone = await w.phone(w.alice)
                for n in range(40):
                    phone.say(to=w.bob, text=f"{round_}.{n}")
                while sum(line["event"] == "accepted" for line in phone.lines) < 15:
                    await phone.line()
                accepted += [line["id"] for line in await phone.kill() if line["event"] == "accepted"]
            async with w.device(w.alice) as alice:
                await alice.device.send_text(w.bob, "end")
                while "end" not in settled(bob, MessageReceived):
                    await bob.until(MessageReceived)
                while "end" not in settled(second, MessageSent):
                    await second.until(MessageSent)
            got, copied = settled(bob, MessageReceived), settled(second, MessageSent)
            assert got == copied and len(set(got)) == len(got) > len(accepted) >= 30

    run(main)
