"""Templates from HTTP to the phone: kept, listed, changed, taken over from the Cloud API, sent by name."""

from pathlib import Path
from typing import Any

import pytest

from corefast.wire import body as bodies
from corefast.wire.event import EventKind
from corefast.wire.gateway import NewKey, NewKeyMade, Scope

from ..core.test_receive import deliver
from ..support.pictures import JPEG, PDF
from .real import Business, trade

TO = "49123123456"
BODY = {"type": "BODY", "text": "Hello {{1}}, order {{2}} is ready.", "example": {"body_text": [["Ada", "7"]]}}
ORDER = {
    "name": "order",
    "language": "en_US",
    "category": "UTILITY",
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "For {{1}}", "example": {"header_text": ["you"]}},
        BODY,
        {"type": "FOOTER", "text": "Thank you"},
        {
            "type": "BUTTONS",
            "buttons": [
                {"type": "QUICK_REPLY", "text": "Fine"},
                {"type": "URL", "text": "Track", "url": "https://example.com/t/{{1}}", "example": ["7"]},
                {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+493023125000"},
                {"type": "COPY_CODE", "text": "Copy code", "example": ["25OFF"]},
            ],
        },
    ],
}
CALL = [
    {"type": "header", "parameters": [{"type": "text", "text": "you"}]},
    {"type": "body", "parameters": [{"type": "text", "text": "Ada"}, {"type": "text", "text": "7"}]},
    {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "payload", "payload": "ok-7"}]},
    {"type": "button", "sub_type": "url", "index": 1, "parameters": [{"type": "text", "text": "7"}]},
    {
        "type": "button",
        "sub_type": "copy_code",
        "index": "3",
        "parameters": [{"type": "coupon_code", "coupon_code": "25OFF"}],
    },
]
SEEN = bodies.Template(
    "order",
    "en_US",
    "Hello Ada, order 7 is ready.",
    "For you",
    "Thank you",
    [
        bodies.TemplateButton(bodies.ButtonKind.QUICK_REPLY, "Fine", "ok-7"),
        bodies.TemplateButton(bodies.ButtonKind.URL, "Track", "https://example.com/t/7"),
        bodies.TemplateButton(bodies.ButtonKind.PHONE, "Call", "+493023125000"),
        bodies.TemplateButton(bodies.ButtonKind.COPY_CODE, "Copy code", "25OFF"),
    ],
)


def definition(**change: Any) -> dict[str, Any]:
    """A template of one body."""
    return {"name": "plain", "language": "en", "components": [{"type": "BODY", "text": "Hi"}]} | change


def message(name: str = "order", language: Any = "en_US", components: Any = CALL, **change: Any) -> dict[str, Any]:
    code = {"policy": "deterministic", "code": language} if isinstance(language, str) else language
    return {
        "to": TO,
        "type": "template",
        "template": {"name": name, "language": code, "components": components} | change,
    }


async def make(b: Business, **change: Any) -> str:
    reply = await b.ask("POST", "/v1/templates", json=definition(**change))
    assert reply.status == 201, reply.body
    return str(reply.json["templates"][0]["id"])


async def send(b: Business, *given: Any, headers: dict[str, str] | None = None, **change: Any) -> Any:
    headers = {"Authorization": f"Bearer {b.key}"} | (headers or {})
    return await b.ask("POST", "/v1/messages", json=message(*given, **change), headers=headers)


async def key_of(b: Business, *scopes: Scope) -> dict[str, str]:
    made = await b.world.front.call(NewKey("limited", scopes))
    assert isinstance(made, NewKeyMade)
    return {"Authorization": f"Bearer {made.key}"}


@pytest.mark.covers(
    "DELETE /v1/templates/{id}",
    "GET /v1/templates",
    "GET /v1/templates/{id}",
    "POST /v1/templates",
    "PUT /v1/templates/{id}",
)
@pytest.mark.covers("DELETE /v1/templates/{id}", "GET /v1/templates/{id}", 1005, 1006)
@pytest.mark.covers("POST /v1/messages", 2001)
@pytest.mark.covers("POST /v1/templates", 1004, 1005, 1008, 1009, 2010, 2011, 2013)
@pytest.mark.covers("POST /v1/templates/import", 1005)
@pytest.mark.covers("PUT /v1/templates/{id}", 1004, 1005, 1006, 1009)
def test_a_template_is_kept_changed_and_deleted(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        made = await b.ask("POST", "/v1/templates", json=ORDER)
        (item,) = made.json["templates"]
        assert made.status == 201 and set(made.json) == {"templates", "meta"}
        assert item == ORDER | {"id": item["id"], "parameter_format": "POSITIONAL", "status": "APPROVED"}
        path = f"/v1/templates/{item['id']}"
        assert (await b.ask("GET", path)).json["templates"] == [item]
        again = await b.ask("POST", "/v1/templates", json=ORDER)
        assert (again.status, again.v1_code) == (409, 1004)

        other = await make(b)
        taken = await b.ask("PUT", path, json=definition())
        assert (taken.status, taken.v1_code) == (409, 1004)
        assert (await b.ask("PUT", path, json=definition(name="A"))).v1_code == 1009
        assert (await b.ask("PUT", path, json=definition(name="renamed"))).status == 200
        assert (await send(b)).v1_code == 2001
        assert (await send(b, "renamed", "en", [])).status == 201
        assert (await b.ask("POST", "/v1/templates", json=ORDER)).status == 201

        assert (await b.ask("DELETE", path)).json["templates"][0]["name"] == "renamed"
        assert (await send(b, "renamed", "en", [])).v1_code == 2001
        for method in ("GET", "DELETE", "PUT"):
            for unknown in (path, "/v1/templates/0", "/v1/templates/x", f"/v1/templates/0{other}"):
                gone = await b.ask(method, unknown, json=definition(name="new"))
                assert (gone.status, gone.v1_code) == (404, 1006)

        reader, sender = await key_of(b, Scope.READ), await key_of(b, Scope.SEND)
        for headers in (reader, sender):
            assert (await b.ask("GET", f"/v1/templates/{other}", headers=headers)).status == 200
            assert (await b.ask("GET", "/v1/templates", headers=headers)).status == 200
            for method, where in (("POST", ""), ("POST", "/import"), ("PUT", f"/{other}"), ("DELETE", f"/{other}")):
                refused = await b.ask(method, f"/v1/templates{where}", json=definition(name="new"), headers=headers)
                assert (refused.status, refused.v1_code) == (403, 1005)
        assert (await b.ask("GET", f"/v1/templates/{other}", headers={})).status == 401

        buttons = {"type": "BUTTONS", "buttons": [{"type": "FLOW", "text": "x"}]}
        body, url = {"type": "BODY", "text": "x"}, {"type": "URL", "text": "x", "url": "ftp://x"}
        phone = {"type": "PHONE_NUMBER", "text": "x", "phone_number": "12"}
        wrong: list[tuple[dict[str, Any], int, str]] = [
            ({"components": None}, 1009, "`components`"),
            ({"components": []}, 1008, "BODY"),
            ({"components": [body, body]}, 1009, "`components[1]`"),
            ({"components": [body, {"type": "CAROUSEL"}]}, 1009, "`components[1].type`"),
            ({"components": [body, {"type": "HEADER", "format": "GIF"}]}, 1009, "`header.format`"),
            ({"components": [body, buttons]}, 2013, "`buttons[0].type`"),
            ({"components": [body, buttons | {"buttons": [url]}]}, 2010, "`buttons[0].url`"),
            ({"components": [body, buttons | {"buttons": [phone]}]}, 2011, "`buttons[0].phone_number`"),
            ({"components": [{"type": "BODY", "text": ""}]}, 1008, "`body.text`"),
            ({"components": [{"type": "BODY", "text": "a\0b"}]}, 1009, "NUL"),
            ({"name": "a-b"}, 1009, "`name`"),
            ({"language": "en-US"}, 1009, "`language`"),
            ({"parameter_format": "BOTH"}, 1009, "`parameter_format`"),
        ]
        for change, code, words in wrong:
            refused = await b.ask("POST", "/v1/templates", json=definition(**change))
            assert (refused.status, refused.v1_code) == (501 if code == 2013 else 400, code), refused.body
            assert words in refused.details

    trade(main, tmp_path)


@pytest.mark.covers("DELETE /v1/templates/{id}", "GET /v1/templates", "POST /v1/templates", "POST /v1/templates/import")
@pytest.mark.covers("GET /v1/templates", 1009)
def test_templates_are_listed_page_by_page(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        names = [f"t_{n}" for n in range(5)]
        for name in names:
            await make(b, name=name)
            await make(b, name=name, language="de")

        async def read(query: str) -> Any:
            reply = await b.ask("GET", f"/v1/templates?{query}")
            assert reply.status == 200
            return [(each["name"], each["language"]) for each in reply.json["templates"]], reply.json["cursor"]

        first, cursor = await read("limit=6")
        assert first == [(name, language) for name in names[:3] for language in ("en", "de")]
        await b.ask("DELETE", f"/v1/templates/{cursor}")  # of all the one that the cursor is made of
        rest, end = await read(f"limit=6&after={cursor}")
        assert rest == [(name, language) for name in names[3:] for language in ("en", "de")] and end == ""
        assert await read("name=t_1") == ([("t_1", "en"), ("t_1", "de")], "")
        assert await read("name=t_1&language=de") == ([("t_1", "de")], "")
        assert await read("name=nothing") == ([], "")
        for query in ("limit=0", "limit=x", "limit=1001", "after=x", "after=-1"):
            reply = await b.ask("GET", f"/v1/templates?{query}")
            assert (reply.status, reply.v1_code) == (400, 1009)

        long = "x" * 1_000
        examples = {"body_text": [["y" * 14_000]]}
        data = [
            definition(name=f"big_{n}", components=[{"type": "BODY", "text": long + "{{1}}", "example": examples}])
            for n in range(40)
        ]
        for part in (data[:30], data[30:]):
            assert (await b.ask("POST", "/v1/templates/import", json={"data": part})).status == 200
        found, cursor = [], ""
        while True:
            page, cursor = await read(f"limit=1000&after={cursor}")
            found += page
            if not cursor:
                break
        assert len(page) < len(found) == 49

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/templates")
def test_the_phone_shows_a_template_filled_in_and_its_quick_reply_comes_back(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        assert (await b.ask("POST", "/v1/templates", json=ORDER)).status == 201
        reply = await send(b)
        assert reply.status == 201, reply.body
        message_id = reply.json["messages"][0]["id"]
        await b.world.relay.until(lambda: b.world.relay.posts)
        content = b.world.phone.read(b.world.relay.posts[0].parts[0])
        assert content.body == SEEN

        view = (await b.ask("GET", f"/v1/messages/{message_id}")).json["messages"][0]
        assert view["type"] == "template"
        assert view["template"] == {
            "name": "order",
            "language": {"code": "en_US"},
            "header": {"type": "text", "text": "For you"},
            "body": "Hello Ada, order 7 is ready.",
            "footer": "Thank you",
            "buttons": [
                {"type": "quick_reply", "text": "Fine", "value": "ok-7"},
                {"type": "url", "text": "Track", "value": "https://example.com/t/7"},
                {"type": "phone_number", "text": "Call", "value": "+493023125000"},
                {"type": "copy_code", "text": "Copy code", "value": "25OFF"},
            ],
        }
        pressed = bodies.QuickReply(content.body.buttons[0].value, "Fine")
        await deliver(b.world, b.world.phone.write(pressed))
        await b.world.events(1, EventKind.MESSAGE)
        events = (await b.ask("GET", "/v1/events")).json["events"]
        (told,) = [each["body"]["messages"][0] for each in events if each["kind"] == "message"]
        assert told["type"] == "button" and told["button"] == {"payload": "ok-7", "text": "Fine"}

        # A phone that sends such a thing is told of as it is.
        await deliver(b.world, b.world.phone.write(SEEN))
        await b.world.events(2, EventKind.MESSAGE)
        events = (await b.ask("GET", "/v1/events")).json["events"]
        assert events[-1]["body"]["messages"][0]["template"]["body"] == SEEN.body

    trade(main, tmp_path)


def part(at: int, **change: Any) -> list[Any]:
    """The call with another component in one place."""
    return [component | change if index == at else component for index, component in enumerate(CALL)]


def words(*given: Any) -> list[Any]:
    return [{"type": "text", "text": each} if isinstance(each, str) else each for each in given]


EURO = {"fallback_value": "1", "code": "EURO", "amount_1000": 1}
IMAGE = {"type": "image", "image": {"link": "https://example.com/x.png"}}
AUDIO = {"type": "audio", "audio": {"link": "https://example.com/x.mp3"}}
HEADED = [{"type": "header", "parameters": [IMAGE]}]
REFUSED: list[tuple[int, str, dict[str, Any]]] = [
    (2000, "2 variables", message(components=part(1, parameters=words("a")))),
    (2001, "name", message(name="nothing")),
    (2001, "en_US", message(language="de")),
    (2001, "namespace", message(name="spaced", language="en", namespace="third")),
    (2004, "1024", message(components=part(1, parameters=words("a", "b" * 1_025)))),
    (2005, "1024", message(components=part(1, parameters=words("a", "b" * 1_024)))),
    (2006, "new line", message(components=part(1, parameters=words("a", "b\nc")))),
    (2007, "control", message(components=part(1, parameters=words("a", "b\u202ec")))),
    (2008, "image", message(name="image", language="en", components=[{"type": "header", "parameters": [AUDIO]}])),
    (2009, "an image", message(name="image", language="en", components=[])),
    (2012, "no header", message(name="spaced", language="en", namespace="first", components=HEADED)),
    (2009, "button 1", message(components=[each for each in CALL if each.get("sub_type") != "url"])),
    (2010, "URL", message(components=part(3, parameters=words("a b")))),
    (2012, "text, currency", message(components=part(1, parameters=words("a", IMAGE)))),
    (2012, "code", message(components=part(1, parameters=words("a", {"type": "currency", "currency": EURO})))),
    (2012, "url", message(components=part(3, sub_type="copy_code"))),
    (2012, "4 buttons", message(components=part(3, index="4"))),
    (2013, "sub_type", message(components=part(2, sub_type="catalog"))),
    (2014, "namespaces", message(name="spaced", language="en", components=[])),
    (1008, "`template`", {"to": TO, "type": "template"}),
    (1008, "currency", message(components=part(1, parameters=words("a", {"type": "currency"})))),
    (1008, "date_time", message(components=part(1, parameters=words("a", {"type": "date_time"})))),
    (1008, "location", message(components=part(1, parameters=words("a", {"type": "location"})))),
    (
        1008,
        "amount_1000",
        message(
            components=part(1, parameters=words({"type": "currency", "currency": {"fallback_value": "", "code": ""}}))
        ),
    ),
    (1009, "policy", message(language={"code": "en_US", "policy": "fallback"})),
    (1009, "index", message(components=part(3, index="one"))),
    (1009, "index", message(components=part(3, index="²"))),
    (1009, "second time", message(components=[*CALL, CALL[0]])),
    (1009, "NUL", message(components=part(2, parameters=[{"type": "payload", "payload": "a\0"}]))),
]


@pytest.mark.covers("POST /v1/templates")
@pytest.mark.covers(
    "POST /v1/messages", 1008, 1009, 2000, 2001, 2004, 2005, 2006, 2007, 2008, 2009, 2010, 2012, 2013, 2014
)
def test_a_call_that_does_not_fit_its_template_is_refused_with_the_originals_code(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        assert (await b.ask("POST", "/v1/templates", json=ORDER)).status == 201
        await make(b, name="image", components=[{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "x"}])
        for namespace in ("first", "second"):
            await make(b, name="spaced", namespace=namespace)
        for code, said, wanted in REFUSED:
            reply = await b.ask("POST", "/v1/messages", json=wanted)
            assert reply.status == {2001: 404, 2013: 501}.get(code, 400), (wanted, reply.body)
            assert reply.v1_code == code, (wanted, reply.body)
            assert said in reply.details, (wanted, reply.details)
        assert b.world.relay.posts == []

        assert (await send(b, "spaced", "en", [], namespace="second")).status == 201
        assert (await send(b, namespace="whatever the client says")).status == 201

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/templates")
@pytest.mark.covers("POST /v1/messages", 1006, 1008, 1009, 2008, 2009, 2012)
def test_a_medium_is_the_header(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        async def put(data: bytes, mime: str) -> str:
            headers = {"Authorization": f"Bearer {b.key}", "Content-Type": mime}
            return str((await b.ask("POST", "/v1/media", data=data, headers=headers)).json["media"][0]["id"])

        async def call(name: str, kind: str, medium: Any, **more: Any) -> Any:
            components = [{"type": "header", "parameters": [{"type": kind, kind: medium}]}]
            return await send(b, name, "en", components, **more)

        for name in ("image", "document"):
            header, body = {"type": "HEADER", "format": name.upper()}, {"type": "BODY", "text": "Look"}
            await make(b, name=name, components=[header, body])
        jpeg, pdf = await put(JPEG, "image/jpeg"), await put(PDF, "application/pdf")

        reply = await call("image", "image", {"id": jpeg})
        assert reply.status == 201, reply.body
        shown = await call("document", "document", {"id": pdf, "filename": "offer.pdf"})
        await b.world.relay.until(lambda: len(b.world.relay.posts) == 2)
        first, second = [b.world.phone.read(post.parts[0]) for post in b.world.relay.posts]
        assert first.body == bodies.Template("image", "en", "Look")
        assert first.media is not None and (first.media.mime, first.media.size) == ("image/jpeg", len(JPEG))
        assert second.body.filename == "offer.pdf" and second.media.mime == "application/pdf"
        view = (await b.ask("GET", f"/v1/messages/{shown.json['messages'][0]['id']}")).json["messages"][0]
        document = view["template"]["header"]["document"]
        assert (document["mime_type"], document["filename"]) == ("application/pdf", "offer.pdf")

        refused = [
            (await call("image", "image", {"id": pdf}), 2008),
            (await call("image", "document", {"id": pdf}), 2012),
            (await call("image", "sticker", {"id": pdf}), 2008),
            (await call("image", "image", {"id": "nothing"}), 1006),
            (await call("image", "image", {}), 1008),
            (await call("image", "image", None), 1008),
            (await call("image", "image", {"id": jpeg, "link": "https://example.com/x"}), 1009),
            (await send(b, "image", "en", []), 2009),
        ]
        for answer, code in refused:
            assert answer.v1_code == code, answer.body
        assert len(b.world.relay.posts) == 2

        once = {"Idempotency-Key": "k1"}
        again = [await call("image", "image", {"id": jpeg}, headers=once) for _ in range(2)]
        assert [each.status for each in again] == [201, 201]
        assert again[0].json["messages"] == again[1].json["messages"]

    trade(main, tmp_path)


@pytest.mark.covers("DELETE /v1/templates/{id}", "POST /v1/templates")
@pytest.mark.covers("POST /v1/messages", 2001)
def test_a_repeated_send_is_answered_even_when_its_template_is_gone(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        template = await make(b)
        given: Any = ("plain", "en", [])
        once = {"Idempotency-Key": "k1"}
        first = await send(b, *given, headers=once)
        assert first.status == 201
        assert (await b.ask("DELETE", f"/v1/templates/{template}")).status == 200
        again = await send(b, *given, headers=once)
        assert (again.status, again.json["messages"]) == (201, first.json["messages"])
        for _ in range(2):  # one that failed leaves its key free
            assert (await send(b, *given, headers={"Idempotency-Key": "k2"})).v1_code == 2001
        await make(b)
        assert (await send(b, *given, headers={"Idempotency-Key": "k2"})).status == 201

    trade(main, tmp_path)


# ── taken over from the Cloud API ──────────────────────────────────────────────────────────────────────────────────

OTP = {
    "name": "login_code",
    "parameter_format": "POSITIONAL",
    "components": [
        {
            "type": "BODY",
            "text": "*{{1}}* is your verification code.",
            "add_security_recommendation": True,
            "example": {"body_text": [["123456"]]},
        },
        {"type": "FOOTER", "text": "This code expires in 5 minutes.", "code_expiration_minutes": 5},
        {
            "type": "BUTTONS",
            "buttons": [
                {
                    "type": "URL",
                    "text": "Copy code",
                    "url": "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}",
                    "example": ["https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp123456"],
                }
            ],
        },
    ],
    "language": "en",
    "status": "APPROVED",
    "category": "AUTHENTICATION",
    "message_send_ttl_seconds": 600,
    "id": "100000000000001",
}
NAMED = {
    "name": "named",
    "parameter_format": "NAMED",
    "components": [
        {
            "type": "BODY",
            "text": "Hello {{first_name}}",
            "example": {"body_text_named_params": [{"param_name": "first_name", "example": "Ada"}]},
        }
    ],
    "language": "en_US",
    "status": "APPROVED",
    "category": "MARKETING",
    "sub_category": "CUSTOM",
    "id": "100000000000002",
}
PICTURE = {
    "name": "picture",
    "components": [
        {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["https://example.com/expires"]}},
        {"type": "BODY", "text": "Look", "example": {"body_text": []}},
    ],
    "language": "es_ES",
    "status": "PAUSED",
    "category": "MARKETING",
    "id": "100000000000003",
}
CAROUSEL = definition(name="cards", components=[{"type": "BODY", "text": "x"}, {"type": "CAROUSEL", "cards": []}])
EXPORT = {
    "data": [OTP, NAMED, PICTURE, CAROUSEL, definition(name="Bad Name"), 7, definition(), definition()],
    "paging": {"cursors": {"before": "MAZDZD", "after": "MjQZD"}},
}


@pytest.mark.covers("GET /v1/templates", "POST /v1/templates/import")
@pytest.mark.covers("POST /v1/templates/import", 1008, 1009, 1025)
def test_what_the_cloud_api_lists_is_taken_over_as_it_is(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        async def take(body: Any) -> Any:
            return await b.ask("POST", "/v1/templates/import", json=body)

        reply = await take(EXPORT)
        assert reply.status == 200
        taken = [(each["name"], each["is_new"]) for each in reply.json["templates"]]
        assert taken == [("login_code", True), ("named", True), ("picture", True), ("plain", True), ("plain", False)]
        refused = [(each["index"], each["code"]) for each in reply.json["refused"]]
        assert refused == [(3, 1009), (4, 1009), (5, 1009)]
        assert "`components[1].type`" in reply.json["refused"][0]["details"]
        assert reply.json["refused"][1]["name"] == "Bad Name"

        again = await take(EXPORT)
        assert [(each["name"], each["is_new"]) for each in again.json["templates"]] == [
            (name, False) for name, _ in taken
        ]
        assert [each["id"] for each in again.json["templates"]] == [each["id"] for each in reply.json["templates"]]
        answer = (await b.ask("GET", "/v1/templates")).json
        listed = answer["templates"]
        assert [each["name"] for each in listed] == ["login_code", "named", "picture", "plain"]
        assert listed[1]["components"] == NAMED["components"] and listed[1]["parameter_format"] == "NAMED"
        assert listed[0]["components"][2]["buttons"] == [{"type": "OTP", "text": "Copy code", "otp_type": "COPY_CODE"}]
        exported = await take(answer)
        assert exported.json["refused"] == [] and not any(each["is_new"] for each in exported.json["templates"])

        code = words("123456")
        otp = [
            {"type": "body", "parameters": code},
            {"type": "button", "sub_type": "url", "index": "0", "parameters": code},
        ]
        assert (await send(b, "login_code", "en", otp)).status == 201
        name = [{"type": "text", "text": "Ada", "parameter_name": "first_name"}]
        assert (await send(b, "named", "en_US", [{"type": "body", "parameters": name}])).status == 201
        await b.world.relay.until(lambda: len(b.world.relay.posts) == 2)
        seen = [b.world.phone.read(post.parts[0]).body for post in b.world.relay.posts]
        assert seen[0].buttons == [bodies.TemplateButton(bodies.ButtonKind.COPY_CODE, "Copy code", "123456")]
        assert seen[1].body == "Hello Ada"

        for body, code_ in (({"data": []}, 1008), ({}, 1008), ({"data": {}}, 1009), ({"data": [{}] * 1_001}, 1009)):
            wrong = await take(body)
            assert (wrong.status, wrong.v1_code) == (400, code_)
        broken = await b.ask("POST", "/v1/templates/import", data=b"{")
        assert (broken.status, broken.v1_code) == (400, 1025)
        large = await b.ask("POST", "/v1/templates/import", data=b" " * 600_000)
        assert (large.status, large.v1_code) == (413, 1009)

    trade(main, tmp_path)
