"""Every type of message: from JSON through a real core to the phone, and back to webhooks and look-ups."""

from pathlib import Path
from typing import Any

import pytest

from corefast.errors import Overloaded
from corefast.wire import body as bodies
from corefast.wire.content import Read
from corefast.wire.event import EventKind

from ..core.fake import Phone
from ..core.test_receive import deliver, meet
from ..core.world import OTHER
from .real import Business, trade

TO = "49123123456"
CARD = {"name": {"formatted_name": "Ada Lovelace", "first_name": "Ada"}}
PHONE = {"phone": "+1", "type": "CELL"}
BUTTON = {"type": "reply", "reply": {"id": "yes", "title": "Yes"}}
ROW = {"id": "r1", "title": "First"}


def buttons(**change: Any) -> dict[str, Any]:
    action = {"buttons": [BUTTON]}
    return {"type": "interactive", "interactive": {"type": "button", "body": {"text": "?"}, "action": action} | change}


def listed(**change: Any) -> dict[str, Any]:
    action = {"button": "Choose", "sections": [{"rows": [ROW]}]}
    return {"type": "interactive", "interactive": {"type": "list", "body": {"text": "?"}, "action": action} | change}


def location(**change: Any) -> dict[str, Any]:
    return {"type": "location", "location": {"latitude": 52.5, "longitude": 13.4} | change}


def contacts(*cards: Any) -> dict[str, Any]:
    return {"type": "contacts", "contacts": list(cards)}


def many(count: int, **change: Any) -> list[Any]:
    return [{"type": "reply", "reply": {"id": str(n), "title": str(n)} | change} for n in range(count)]


TAKEN: list[tuple[dict[str, Any], bodies.Saying]] = [
    ({"text": {"body": "hi"}}, bodies.Text("hi")),
    ({"type": "text", "text": {"body": "hi"}, "preview_url": True}, bodies.Text("hi", True)),
    (location(), bodies.Location(52.5, 13.4)),
    (location(latitude=-90, name="Pole", address="Ice"), bodies.Location(-90.0, 13.4, "Pole", "Ice")),
    (contacts(CARD), bodies.ContactCards([bodies.ContactCard(bodies.PersonName("Ada Lovelace", "Ada"))])),
    (
        contacts(CARD | {"phones": [PHONE], "birthday": "1815-12-10", "org": {"company": "x"}}),
        bodies.ContactCards(
            [
                bodies.ContactCard(
                    bodies.PersonName("Ada Lovelace", "Ada"),
                    phones=[bodies.Phone("+1", "CELL")],
                    org=bodies.Organisation("x"),
                    birthday="1815-12-10",
                )
            ]
        ),
    ),
    (buttons(), bodies.ReplyButtons("?", [bodies.Option("yes", "Yes")])),
    (
        buttons(header={"type": "text", "text": "H"}, footer={"text": "F"}),
        bodies.ReplyButtons("?", [bodies.Option("yes", "Yes")], "H", "F"),
    ),
    (listed(), bodies.OptionList("?", "Choose", [bodies.Section([bodies.Option("r1", "First")])])),
]

LONG = "x" * 1_025
OPAQUE = {"text": {"body": "x"}, "biz_opaque_callback_data": "order 7"}
REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"type": "text"}, 1008, "`text`"),
    ({"text": {"body": ""}}, 1008, "text.body"),
    ({"text": {"body": "x" * 4_097}}, 1001, "4096"),
    ({"type": "location"}, 1008, "`location`"),
    (location(latitude=90.1), 1009, "`location.latitude`"),
    (location(longitude=-180.1), 1009, "`location.longitude`"),
    (location(latitude="north"), 1009, "`location.latitude`"),
    (location(name=LONG), 1009, "`location.name`"),
    ({"type": "contacts"}, 1008, "`contacts`"),
    (contacts(), 1008, "`contacts`"),
    (contacts({}), 1008, "name` is missing"),
    (contacts({"name": {"first_name": "A"}}), 1008, "formatted_name"),
    (contacts({"name": {"formatted_name": "A"}}), 1008, "one more part"),
    (contacts(CARD | {"birthday": "10.12.1815"}), 1009, "birthday"),
    (contacts(CARD | {"birthday": "1815-13-10"}), 1009, "birthday"),
    (contacts(*[CARD] * 101), 1009, "at most 100"),
    (contacts(*[CARD | {"org": {"company": "x" * 1_000}}] * 80), 1001, "bytes"),
    ({"type": "interactive"}, 1008, "`interactive`"),
    (buttons(type="product"), 1026, "catalogues"),
    (buttons(type="carousel"), 1009, "`interactive.type`"),
    (buttons(body=None), 1008, "`interactive.body`"),
    (buttons(body={"text": ""}), 1008, "`interactive.body.text`"),
    (buttons(body={"text": LONG}), 1009, "`interactive.body.text`"),
    (buttons(header={"type": "text", "text": "x" * 61}), 1009, "`interactive.header.text`"),
    (buttons(header={"type": "text"}), 1008, "`interactive.header.text`"),
    (buttons(footer={"text": "x" * 61}), 1009, "`interactive.footer.text`"),
    (buttons(action={}), 1008, "`interactive.action.buttons`"),
    (buttons(action={"buttons": many(4)}), 1009, "at most 3"),
    (buttons(action={"buttons": many(2, title="same")}), 1009, "title"),
    (buttons(action={"buttons": many(2, id="same")}), 1009, "id"),
    (buttons(action={"buttons": many(1, title="x" * 21)}), 1009, "[0].reply.title"),
    (buttons(action={"buttons": many(1, id="x" * 257)}), 1009, "[0].reply.id"),
    (buttons(action={"buttons": many(1, id=" x")}), 1009, "blank"),
    (buttons(action={"buttons": [BUTTON | {"type": "url"}]}), 1009, "buttons[0].type"),
    (listed(action={"sections": [{"rows": [ROW]}]}), 1008, "`interactive.action.button`"),
    (listed(action={"button": "x" * 21, "sections": [{"rows": [ROW]}]}), 1009, "`interactive.action.button`"),
    (listed(action={"button": "b"}), 2015, "sections"),
    (listed(action={"button": "b", "sections": [{"rows": [ROW], "title": "t"}] * 11}), 2015, "10"),
    (listed(action={"button": "b", "sections": [{"rows": []}]}), 2016, "rows"),
    (listed(action={"button": "b", "sections": [{"rows": [ROW | {"id": str(n)} for n in range(11)]}]}), 2016, "10"),
    (listed(action={"button": "b", "sections": [{"rows": [ROW]}, {"rows": [ROW | {"id": "2"}]}]}), 1008, "title"),
    (listed(action={"button": "b", "sections": [{"rows": [ROW], "title": "x" * 25}]}), 1009, "sections[0].title"),
    (listed(action={"button": "b", "sections": [{"rows": [ROW, ROW]}]}), 1009, "another"),
    (listed(action={"button": "b", "sections": [{"rows": [ROW | {"id": "x" * 201}]}]}), 1009, "rows[0].id"),
    (listed(action={"button": "b", "sections": [{"rows": [ROW | {"title": "x" * 25}]}]}), 1009, "rows[0].title"),
    (listed(action={"button": "b", "sections": [{"rows": [ROW | {"description": "x" * 73}]}]}), 1009, "description"),
    ({"type": "reaction"}, 1008, "`reaction`"),
    ({"type": "reaction", "reaction": {"message_id": "", "emoji": "x"}}, 1008, "reaction.message_id"),
    ({"type": "hsm", "hsm": {}}, 1026, "template"),
    ({"type": "order"}, 1009, "`type`"),
    ({"type": ""}, 1009, "`type`"),
    (OPAQUE | {"biz_opaque_callback_data": "x" * 513}, 1009, "biz_opaque_callback_data"),
    (OPAQUE | {"ttl": 0}, 1009, "`ttl`"),
    (OPAQUE | {"ttl": -5}, 1009, "`ttl`"),
    (OPAQUE | {"ttl": {"days": 31}}, 1009, "`ttl`"),
    (OPAQUE | {"ttl": "soon"}, 1009, "`ttl`"),
    (location(name="a\0b"), 1009, "NUL"),
    (buttons(action={"buttons": many(1, title="a\0b")}), 1009, "NUL"),
]


async def send(b: Business, message: dict[str, Any]) -> Any:
    return await b.ask("POST", "/v1/messages", json={"to": TO} | message)


@pytest.mark.covers("GET /v1/messages/{id}", "POST /v1/messages")
def test_each_type_reaches_the_phone_as_it_was_sent_and_is_looked_up_so(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        for message, _ in TAKEN:
            reply = await send(b, message)
            assert reply.status == 201, reply.body
            message_id = reply.json["messages"][0]["id"]
            view = (await b.ask("GET", f"/v1/messages/{message_id}")).json["messages"][0]
            kind = message.get("type", "text")
            assert view["type"] == kind
            if kind != "text":
                assert _within(message[kind], view[kind])
        read = [content.body for content in await _read(b, len(TAKEN))]
        assert read == [body for _, body in TAKEN]

    trade(main, tmp_path)


async def _read(b: Business, count: int) -> list[Any]:
    """Return what the phone decrypts of the first *count* messages."""
    relay = b.world.relay
    await relay.until(lambda: len(relay.posts) >= count)
    return [b.world.phone.read(post.parts[0]) for post in relay.posts[:count]]


def _within(sent: Any, told: Any) -> bool:
    """Tell whether *told* has everything that was sent."""
    if isinstance(sent, dict):
        return all(name in told and _within(value, told[name]) for name, value in sent.items() if value != "reply")
    if isinstance(sent, list):
        return len(sent) == len(told) and all(map(_within, sent, told))
    return bool(sent == told)


@pytest.mark.covers("POST /v1/messages", 1001, 1008, 1009, 1026, 2015, 2016)
def test_what_breaks_a_limit_names_the_field(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        for message, code, words in REFUSED:
            reply = await send(b, message)
            assert reply.status == (501 if code == 1026 else 400), (message, reply.body)
            assert reply.v1_code == code, (message, reply.body)
            assert words in reply.details, (message, reply.details)
        assert b.world.relay.posts == []

    trade(main, tmp_path)


ANSWERS: list[tuple[bodies.Saying, str, dict[str, Any]]] = [
    (bodies.Text("hi"), "text", {"text": {"body": "hi"}}),
    (bodies.Location(1.5, 2.5, "n"), "location", {"location": {"latitude": 1.5, "longitude": 2.5, "name": "n"}}),
    (
        bodies.ContactCards([bodies.ContactCard(bodies.PersonName("A B", "A"))]),
        "contacts",
        {"contacts": [{"name": {"formatted_name": "A B", "first_name": "A"}}]},
    ),
    (
        bodies.ButtonReply("yes", "Yes"),
        "interactive",
        {"interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}},
    ),
    (
        bodies.ListReply("r1", "First", "d"),
        "interactive",
        {"interactive": {"type": "list_reply", "list_reply": {"id": "r1", "title": "First", "description": "d"}}},
    ),
    (bodies.QuickReply("p", "Press"), "button", {"button": {"payload": "p", "text": "Press"}}),
]


@pytest.mark.covers("GET /v1/messages/{id}")
def test_each_type_that_a_customer_sends_is_told_as_the_original_told_it(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        phone = await meet(b.world)
        for body, _, _ in ANSWERS:
            await deliver(b.world, phone.write(body))
        await b.world.events(len(ANSWERS), EventKind.MESSAGE)
        feed = (await b.ask("GET", "/v1/events")).json["events"]
        told = [event["body"]["messages"][0] for event in feed if event["kind"] == "message"]
        for (_, kind, fields), message in zip(ANSWERS, told, strict=True):
            assert message["type"] == kind
            assert {name: message[name] for name in fields} == fields
            view = (await b.ask("GET", f"/v1/messages/{message['id']}")).json["messages"][0]
            assert {name: view[name] for name in fields} == fields

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/messages/{id}", "POST /v1/messages")
@pytest.mark.covers("POST /v1/messages", 1009)
def test_a_reaction_names_the_message_that_it_is_on(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        phone = await meet(b.world)
        await deliver(b.world, phone.write("hi"))
        (event,) = await b.world.events(1, EventKind.MESSAGE)
        reaction = {"message_id": event.message_id, "emoji": "\U0001f44d"}
        reply = await send(b, {"type": "reaction", "reaction": reaction})
        view = (await b.ask("GET", f"/v1/messages/{reply.json['messages'][0]['id']}")).json["messages"][0]
        assert view["reaction"] == reaction
        for emoji, status in (("", 201), ("1\ufe0f\u20e3", 201), ("ok", 400), ("\U0001f44d" * 17, 400)):
            assert (await send(b, {"type": "reaction", "reaction": reaction | {"emoji": emoji}})).status == status

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/messages")
def test_what_a_business_gives_with_a_message_comes_back_with_its_states(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        await send(b, OPAQUE)
        await send(b, {"text": {"body": "x"}})
        await b.world.statuses(4)
        feed = (await b.ask("GET", "/v1/events")).json["events"]
        told = [event["body"]["statuses"][0].get("biz_opaque_callback_data") for event in feed]
        assert sorted(map(str, told)) == ["None", "None", "order 7", "order 7"]
        stored = b"".join(path.read_bytes() for path in (tmp_path / "core").glob("core.sqlite*"))
        assert b"message" in stored and b"order 7" not in stored

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/messages")
def test_a_message_that_waited_longer_than_its_ttl_is_expired(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        relay = b.world.relay
        await send(b, {"text": {"body": "x"}, "ttl": {"minutes": 2}})
        await relay.until(lambda: len(relay.posts) == 1)
        assert relay.posts[0].expires_ms == b.world.clock.now_ms + 120_000

        relay.on_fetch = lambda number: Overloaded("later", 50)
        await send(b, {"text": {"body": "y"}, "ttl": 60, "to": OTHER})
        b.world.clock.now_ms += 60_000
        relay.add(Phone(OTHER))
        relay.on_fetch = lambda number: None
        (event,) = await b.world.events(1, EventKind.EXPIRED)
        assert event.peer == OTHER and event.failure is not None and event.failure.code == 410
        assert len(relay.posts) == 1

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/messages", "PUT /v1/messages/{id}")
@pytest.mark.covers("PUT /v1/messages/{id}", 1006, 1009)
def test_reading_tells_the_customer_once_and_the_business_nothing(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        phone = await meet(b.world)
        items = [phone.write(text) for text in ("one", "two", "three")]
        await deliver(b.world, *items)
        ids = [event.message_id for event in await b.world.events(3, EventKind.MESSAGE)]

        async def mark(message_id: str, **change: Any) -> Any:
            return await b.ask("PUT", f"/v1/messages/{message_id}", json={"status": "read"} | change)

        assert (await mark(ids[1], status="seen")).v1_code == 1009
        assert (await mark("ABGGnothing")).v1_code == 1006
        assert (await mark("gBGGnothing")).v1_code == 1006
        assert (await mark(ids[1])).status == 200
        assert (await mark(ids[0])).status == 200
        assert (await mark(ids[2])).status == 200
        assert (await mark(ids[2])).status == 200
        marks = [content.body for content in await _read(b, 2)]
        assert marks == [Read([items[0].id, items[1].id]), Read([items[2].id])]
        await send(b, {"text": {"body": "after"}})
        await b.world.statuses(2)
        kinds = [event["kind"] for event in (await b.ask("GET", "/v1/events")).json["events"]]
        assert kinds == ["message"] * 3 + ["sent", "delivered"]

    trade(main, tmp_path)
