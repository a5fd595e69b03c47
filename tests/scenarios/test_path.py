"""The whole path: both calls, the phone's answer, statuses in order, spellings, a phone that was off, bad input."""

import asyncio
import json
import os
import struct
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.scenarios.conftest import Tell
from tests.support.business import Business, soon
from tests.support.journal import positions_used_twice, read
from tests.support.pictures import PNG

ALICE = "491713920001"
BOB = "491713920002"
OFFLINE = "491713920003"
NOBODY = "491713920099"
TEMPLATES = "491713920004"


@pytest.fixture(scope="module")
def business(tell: Tell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    business = Business(tmp_path_factory.mktemp("path") / "data")
    tell(business.open())
    yield business
    assert tell(business.close()) == 0


def test_both_calls_reach_the_phone_and_its_answer_the_webhook(tell: Tell, business: Business):
    async def story() -> None:
        phone = await business.phone(ALICE, "--name", "Alice")
        assert phone.program is not None
        first = await business.send("+49 171 3920001", "by the on-premises call")
        status, answer = await business.request(
            "POST", "/api/v7/chat", json={"id": ALICE, "message": "by the short one"}
        )
        assert (status, answer["status"]) == (201, "accepted")
        second = answer["id"]
        assert await phone.until_texts(2) == ["by the on-premises call", "by the short one"]

        phone.program.say(read=[message["id"] for message in phone.messages])
        phone.program.say(to=business.facts["number"], text="thank you")
        receiver = business.receiver
        await soon(lambda: "thank you" in receiver.texts)
        complete = ["sent", "delivered", "read"]
        await soon(
            lambda: receiver.statuses.get(first) == receiver.statuses.get(second) == complete,
            what=lambda: receiver.statuses,
        )
        assert await business.states(first) == ["accepted", *complete]
        assert receiver.unverified == receiver.changed_ids == []
        await phone.stop()

    tell(story())


FOR_A_CUSTOMER = (
    {"type": "location", "location": {"latitude": 52.5, "longitude": 13.4, "name": "Shop"}},
    {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ada L", "first_name": "Ada"}}]},
    {
        "type": "interactive",
        "interactive": {
            "type": "button",
            "body": {"text": "Shall we?"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]},
        },
    },
    {
        "type": "interactive",
        "interactive": {
            "type": "list",
            "body": {"text": "Which?"},
            "action": {"button": "Choose", "sections": [{"rows": [{"id": "r1", "title": "First"}]}]},
        },
    },
)


def test_each_kind_reaches_the_phone_and_what_the_customer_answers_the_webhook(tell: Tell, business: Business):
    async def story() -> None:
        phone = await business.phone("491713920006")
        assert phone.program is not None
        for message in FOR_A_CUSTOMER:
            status, answer = await business.request("POST", "/v1/messages", json={"to": phone.number} | message)
            assert status == 201, answer
        await soon(lambda: len(phone.messages) == len(FOR_A_CUSTOMER))
        for told, message in zip(phone.messages, FOR_A_CUSTOMER, strict=True):
            assert message.items() <= told.items()
        sent = [told["id"] for told in phone.messages]
        reaction = {"type": "reaction", "reaction": {"message_id": f"gBGG{sent[0]}", "emoji": "👍"}}
        before, shop = len(business.receiver.messages), business.facts["number"]
        phone.program.say(to=shop, choose={"message": sent[2], "option": "yes"})
        phone.program.say(to=shop, choose={"message": sent[3], "option": "First"})
        phone.program.say(to=shop, reaction={"message_id": sent[0], "emoji": "👍"})
        for message in FOR_A_CUSTOMER[:2]:
            phone.program.say(to=shop, context={"message_id": sent[1]}, **message)
        await soon(lambda: len(business.receiver.messages) == before + 5)
        told = business.receiver.messages[before:]
        yes = {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}
        first = {"type": "list_reply", "list_reply": {"id": "r1", "title": "First"}}
        wanted = [
            {"type": "contacts", "contacts": FOR_A_CUSTOMER[1]["contacts"], "context": {"id": f"gBGG{sent[1]}"}},
            {"type": "location", "location": FOR_A_CUSTOMER[0]["location"], "context": {"id": f"gBGG{sent[1]}"}},
            reaction,
            {"interactive": yes, "context": {"id": f"gBGG{sent[2]}"}},
            {"interactive": first, "context": {"id": f"gBGG{sent[3]}"}},
        ]
        for want in wanted:
            assert any(want.items() <= each.items() for each in told), (want, told)
        heart = {"message_id": told[0]["id"], "emoji": "❤"}
        body = {"to": phone.number, "type": "reaction", "reaction": heart}
        status, answer = await business.request("POST", "/v1/messages", json=body)
        assert status == 201, answer
        reacted = await phone.program.fact(event="message", type="reaction")
        assert reacted["reaction"] == heart | {"message_id": heart["message_id"][4:]}
        await phone.stop()

    tell(story())


def test_pictures_go_both_ways_and_are_the_same_files(tell: Tell, business: Business, tmp_path: Path):
    async def story() -> None:
        phone = await business.phone("491713920005")
        assert phone.program is not None
        headers = business.headers | {"Content-Type": "image/png"}
        status, answer = await business.request("POST", "/v1/media", data=PNG, headers=headers)
        assert status == 200, answer
        image = {"id": answer["media"][0]["id"], "caption": "our boat"}
        status, answer = await business.request(
            "POST", "/v1/messages", json={"to": phone.number, "type": "image", "image": image}
        )
        assert status == 201, answer
        told = await phone.program.fact(event="message", type="image")
        facts = {"mime_type": "image/png", "sha256": sha256(PNG).hexdigest()}
        assert told["image"] == facts | {"caption": "our boat", "size": len(PNG)}
        phone.program.say(save={"message": told["id"], "from": told["from"], "path": str(tmp_path / "boat.png")})
        await phone.program.fact(event="saved", id=told["id"])
        assert (tmp_path / "boat.png").read_bytes() == PNG

        file = {"path": str(tmp_path / "boat.png"), "caption": "mine too"}
        phone.program.say(to=told["from"], image=file, context={"message_id": told["id"]})
        pictures = await soon(lambda: [each for each in business.receiver.messages if each["type"] == "image"])
        assert pictures[0]["image"].items() >= (facts | {"caption": "mine too"}).items()
        assert pictures[0]["context"] == {"id": f"gBGG{told['id']}"}
        assert business.http is not None
        url = f"{business.facts['api']}/v1/media/{pictures[0]['image']['id']}"
        async with business.http.get(url, headers=business.headers) as answer:
            assert (answer.status, await answer.read()) == (200, PNG)
        await phone.stop()

    tell(story())


def test_one_number_in_four_spellings_reaches_one_session(tell: Tell, business: Business):
    async def story() -> None:
        phone = await business.phone("49123123456")
        spellings = ("+49 123 123456", "0049123123456", "49123123456", "+49-123-123456")
        for spelling in spellings:
            await business.send(spelling, f"to {spelling}")
        assert await phone.until_texts(4) == [f"to {spelling}" for spelling in spellings]
        await phone.stop()
        chains = {position[3] for position, _ in read(business.journal) if position[1] == "49123123456"}
        assert len(chains) == 1

    tell(story())


def test_the_same_events_are_there_to_be_asked_for(tell: Tell, business: Business):
    async def story() -> None:
        status, page = await business.request("GET", "/v1/events?after=&limit=1000")
        assert status == 200
        assert len(page["events"]) >= 8
        received = business.receiver.bodies
        await soon(lambda: all(event["id"] in received for event in page["events"]))
        assert all(event["body"] == json.loads(received[event["id"]]) for event in page["events"])

    tell(story())


def test_a_number_that_nobody_owns_is_accepted_then_failed_and_says_so(tell: Tell, business: Business):
    async def story() -> None:
        message_id = await business.send(NOBODY, "anybody there?")
        await soon(lambda: business.receiver.statuses.get(message_id) == ["failed"])
        _, view = await business.request("GET", f"/v1/messages/{message_id}")
        assert view["messages"][0]["status"] == "failed"
        assert view["messages"][0]["errors"][0]["details"]

    tell(story())


def test_a_phone_that_was_off_gets_a_thousand_messages_once_and_in_order(tell: Tell, business: Business):
    async def story() -> None:
        phone = await business.phone(OFFLINE)
        await phone.stop()
        await send_many(business, OFFLINE, range(1_000))
        await phone.start()
        # These arrive while the backlog drains.
        await send_many(business, OFFLINE, range(1_000, 1_200))
        texts = await phone.until_texts(1_200, 60)
        assert texts == [f"message {number}" for number in range(1_200)]
        assert len(phone.messages) == 1_200
        await phone.stop()
        assert positions_used_twice(business.journal) == []

    tell(story())


async def send_many(business: Business, to: str, numbers: range) -> None:
    """Send in order, a few at a time: the next goes out when the one before it is accepted."""
    for number in numbers:
        await business.send(to, f"message {number}")


def test_two_conversations_do_not_mix(tell: Tell, business: Business):
    async def story() -> None:
        phones = [await business.phone(number) for number in (ALICE, BOB)]
        for index in range(20):
            await asyncio.gather(business.send(ALICE, f"a{index}"), business.send(BOB, f"b{index}"))
        await soon(lambda: "a19" in phones[0].texts and "b19" in phones[1].texts)
        assert phones[0].texts[-20:] == [f"a{index}" for index in range(20)]
        assert phones[1].texts == [f"b{index}" for index in range(20)]
        for phone in phones:
            await phone.stop()

    tell(story())


def test_a_template_is_shown_filled_in_and_its_quick_reply_comes_back(tell: Tell, business: Business):
    components = [
        {"type": "BODY", "text": "Hello {{1}}, order {{2}} is ready."},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Thanks"}]},
    ]
    parameters = [{"type": "text", "text": "Ada"}, {"type": "text", "text": "7"}]
    call = {"name": "ready", "language": {"code": "en"}, "components": [{"type": "body", "parameters": parameters}]}

    async def story() -> None:
        definition = {"name": "ready", "language": "en", "components": components}
        assert (await business.request("POST", "/v1/templates", json=definition))[0] == 201
        phone = await business.phone(TEMPLATES)
        assert phone.program is not None
        status, _ = await business.request(
            "POST", "/v1/messages", json={"to": TEMPLATES, "type": "template", "template": call}
        )
        assert status == 201
        shown = await phone.program.fact(event="message", type="template")
        assert shown["template"] == {
            "name": "ready",
            "language": "en",
            "body": "Hello Ada, order 7 is ready.",
            "buttons": [{"kind": "quick_reply", "title": "Thanks", "value": "Thanks"}],
        }
        phone.program.say(to=business.facts["number"], choose={"message": shown["id"], "option": "Thanks"})

        def pressed() -> list[object]:
            bodies = [json.loads(body) for body in business.receiver.bodies.values()]
            return [message["button"] for body in bodies for message in body.get("messages", []) if "button" in message]

        await soon(pressed)
        assert pressed() == [{"payload": "Thanks", "text": "Thanks"}]
        await phone.stop()

    tell(story())


# ── bad input ──────────────────────────────────────────────────────────────────────────────────────────────────────

TEXT = {"to": BOB, "type": "text", "text": {"body": "x"}}
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, None),
        ("\xff", 400, None),
        (DEEP, 400, None),
        ("[]", 400, None),
        (json.dumps(TEXT | {"to": 5}), 400, 1009),
        (json.dumps(TEXT | {"to": "five"}), 400, 1009),
        (json.dumps(TEXT | {"type": "poem"}), 400, 1009),
        (json.dumps(TEXT | {"text": "x"}), 400, 1009),
        (json.dumps(TEXT | {"text": {"body": "x" * 5_000}}), 400, None),
        (json.dumps(TEXT | {"text": {"body": ""}}), 400, None),
        (json.dumps({"type": "text", "text": {"body": "x"}}), 400, 1008),
        ("x" * 1_000_000, 413, None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_malformed_send_says_what_to_change(tell: Tell, business: Business, body: str, status: int, code: int | None):
    async def story() -> None:
        found, answer = await business.request("POST", "/v1/messages", data=body.encode("latin-1"))
        assert found == status, answer
        error = answer["errors"][0]
        assert error["details"] and (code is None or error["code"] == code), error
        await business.send(NOBODY, "the next request is served")

    tell(story())


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer cf_wrong"}, {"Authorization": "Basic x"}])
def test_without_a_valid_key_nothing_is_served(tell: Tell, business: Business, headers: dict[str, str]):
    async def story() -> None:
        for method, path in (("POST", "/v1/messages"), ("POST", "/api/v7/chat"), ("GET", "/v1/events")):
            status, _ = await business.request(method, path, json=TEXT | {"id": BOB, "message": "x"}, headers=headers)
            assert status == 401

    tell(story())


def garbage() -> list[bytes]:
    """What strangers send to a port of frames: nothing, noise, other protocols, cut, huge and deep frames."""
    frame = b"\x01" + struct.pack(">I", 200)[1:] + os.urandom(200)
    return [
        b"",
        b"\x00",
        os.urandom(4_096),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff" * 10,
        frame[:50],
        frame,
        frame * 3,
        b"\x01\xff\xff\xff" + os.urandom(65_536),
        b"\x01\x00\x00\x00",
        b"\x01" + struct.pack(">I", 60_000)[1:] + b"\x91" * 60_000,
    ]


@pytest.mark.parametrize("name", ["relay", "core"])
def test_garbage_at_a_port_harms_nobody(tell: Tell, business: Business, name: str):
    async def story() -> None:
        address = business.facts["core"] if name == "core" else business.facts["relay"].split("/")[2]
        host, _, port = address.rpartition(":")
        pid = business.pid(name)
        for data in garbage() * 3:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(data)
            writer.write_eof()
            answer = await asyncio.wait_for(drain(reader), 15)
            assert len(answer) < 1_000
            writer.close()
        phone = await business.phone(BOB)
        await business.send(BOB, f"after garbage at {name}")
        await soon(lambda: f"after garbage at {name}" in phone.texts)
        await phone.stop()
        assert business.pid(name) == pid

    tell(story())


async def drain(reader: asyncio.StreamReader) -> bytes:
    """Read until the other side hangs up; a reset is a way of doing so, and one before our own end is ENOTCONN."""
    data = b""
    try:
        while part := await reader.read(65_536):
            data += part
    except OSError:
        pass
    return data


def test_a_replayed_connection_is_refused(tell: Tell, business: Business):
    """The bytes of a whole genuine session, sent again, open nothing."""

    async def story() -> None:
        host, _, port = business.facts["relay"].split("/")[2].rpartition(":")
        recorded: list[bytes] = []

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, out = await asyncio.open_connection(host, int(port))

            async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, keep: list[bytes] | None) -> None:
                while data := await source.read(65_536):
                    if keep is not None:
                        keep.append(data)
                    sink.write(data)
                sink.close()

            await asyncio.gather(pump(reader, out, recorded), pump(there, writer, None), return_exceptions=True)

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        through = business.facts["relay"].replace(f":{port}", f":{server.sockets[0].getsockname()[1]}")
        relay, business.facts["relay"] = business.facts["relay"], through
        phone = await business.phone("491713920006")
        business.facts["relay"] = relay
        assert phone.program is not None
        phone.program.say(to=business.facts["number"], text="said once")
        await soon(lambda: "said once" in business.receiver.texts)
        await phone.stop()
        server.close()

        before = business.journal.read_text().count("\n")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"".join(recorded))
        writer.write_eof()
        await asyncio.wait_for(drain(reader), 15)
        writer.close()
        await business.send(NOBODY, "the next request is served")
        assert business.journal.read_text().count("\n") == before
        assert business.receiver.texts.count("said once") == 1

    tell(story())
