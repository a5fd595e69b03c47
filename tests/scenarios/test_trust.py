"""Keys that change, and keys that are missing: who is told, what waits, and what the operator decides."""

import os
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from corefast.endpoint.cipher import Correspondent
from corefast.endpoint.stock import OwnKeys
from corefast.protocol.message import PreKeySignalMessage
from corefast.protocol.pin import Pin
from corefast.wire.body import Text
from corefast.wire.content import decode_content
from corefast.wire.messages import Register
from tests.relay.party import Party
from tests.scenarios.conftest import Tell
from tests.support.business import Business, soon
from tests.support.programs import Fact, Phone, Program

ALICE = "491713920001"
OLD_SOFTWARE = "491713920002"


@pytest.fixture(scope="module")
def business(tell: Tell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    folder = tmp_path_factory.mktemp("trust")
    business = Business(folder / "data", COREFAST_IDENTITY_POLICY="block")
    tell(business.open())
    yield business
    assert tell(business.close()) == 0


async def peer(business: Business, *words: str) -> Fact:
    """Run `corefast peer` and return what it printed."""
    program = await Program.start("api.peer", *words, "--json", "--data", str(business.folder))
    facts: Fact = await program.until(lambda: program.facts and program.facts[0])
    await program.process.wait()
    return facts


def system_messages(business: Business, kind: str) -> list[Fact]:
    return [each for each in business.receiver.messages if each.get("system", {}).get("type") == kind]


def test_a_new_phone_gets_nothing_until_the_operator_has_compared_and_accepted_it(tell: Tell, business: Business):
    async def story() -> None:
        receiver = business.receiver
        old = await business.phone(ALICE)
        await business.send(ALICE, "hello")
        await old.until_texts(1)
        await old.kill()
        queued = [await business.send(ALICE, f"for the old phone {number}") for number in range(3)]
        await soon(lambda: all(receiver.statuses.get(each) == ["sent"] for each in queued))

        new = Phone(ALICE, business.folder.parent / "new-phone", business.facts["relay"], "--replace")
        await new.start()
        await soon(lambda: all(receiver.statuses[each][-1] == "failed" for each in queued))
        unseen = await business.send(ALICE, "who is it?")
        await soon(lambda: receiver.statuses.get(unseen) == ["failed"])
        refused = {"to": ALICE, "type": "text", "text": {"body": "hello?"}}
        status, answer = await business.request("POST", "/v1/messages", json=refused)
        assert (status, answer["errors"][0]["code"]) == (403, 1028)

        assert new.program is not None
        new.program.say(to=business.facts["number"], text="my new phone")
        await soon(lambda: "my new phone" in receiver.texts)
        told = next(each for each in receiver.messages if each.get("text", {}).get("body") == "my new phone")
        shown = await peer(business, "show", "+49 171 3920001")
        assert told["identity"]["hash"] == shown["identity_hash"] and told["identity"]["acknowledged"] is False
        assert shown["blocked"] and len(system_messages(business, "user_identity_changed")) == 1
        new.program.say(safety=business.facts["number"])
        theirs = await new.program.fact(event="safety", number=business.facts["number"])
        assert theirs["safety_number"] == shown["safety_number"]

        assert not (await peer(business, "accept", ALICE, shown["identity_hash"]))["blocked"]
        await business.send(ALICE, "welcome")
        assert await new.until_texts(1) == ["welcome"]
        await new.stop()

    tell(story())


def test_old_software_gets_what_waited_once_it_is_pinned(tell: Tell, business: Business):
    async def story() -> None:
        own, session = OwnKeys.new(os.urandom), Correspondent.new()
        change = own.make_upload(os.urandom, 0)
        assert change is not None
        phone = await Party(business.facts["relay"]).connect()
        prekeys = replace(change.upload, last_resort=None, one_time_kem=[])
        await phone.peer.call(Register(OLD_SOFTWARE, own.identity.public, own.registration_id, prekeys))
        await phone.attach()

        message_id = await business.send(OLD_SOFTWARE, "patient")
        await soon(lambda: system_messages(business, "bundle_downgraded"))
        assert await business.states(message_id) == ["accepted"] and phone.items == []
        assert (await peer(business, "show", OLD_SOFTWARE))["downgraded"]

        assert (await peer(business, "pin", OLD_SOFTWARE))["pin"] == "x3dh"
        await phone.until(lambda: phone.items, 30)
        [item] = phone.items
        assert PreKeySignalMessage.parse(item.body).version == 3
        opened = session.decrypt(own, item.kind, item.body, os.urandom, Pin.X3DH)
        content = decode_content(opened.plaintext)
        assert isinstance(content.body, Text) and content.body.body == "patient"
        phone.ack(item)
        await soon(lambda: business.receiver.statuses.get(message_id) == ["sent", "delivered"])
        assert len(system_messages(business, "bundle_downgraded")) == 1
        listed = (await peer(business, "list"))["peers"]
        assert [(each["number"], each["pin"]) for each in listed] == [(OLD_SOFTWARE, "x3dh")]
        phone.peer.close()
        await phone.peer.closed()

    tell(story())
