"""POST /api/v{N}/chat."""

import pytest
import uvloop

from corefast.errors import NumberInvalid, Overloaded
from corefast.wire.body import Attachment, MediaKind, Text
from corefast.wire.gateway import Send
from corefast.wire.media import MediaRef

from ..support.fake_core import KEY, READER, FakeCore
from .front import AUTH, CHAT, front

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.covers("POST /api/v7/chat")
def test_the_call_of_the_readme_works_as_it_is_pasted():
    """`curl -d` says form and sends JSON."""

    async def main():
        async with front() as api:
            body = b'{"id":"49123123456","message":"Hello world!"}'
            reply = await api.chat(data=body, headers=AUTH | FORM)
            assert (reply.status, reply.headers["content-type"]) == (201, "application/json")
            assert reply.json == {"id": "gBGGaccepted", "status": "accepted"}
            assert api.core.sent() == [Send("493023125000", "49123123456", Text("Hello world!"))]

    uvloop.run(main())


@pytest.mark.covers("POST /api/v7/chat")
def test_any_version_number_will_do_and_nothing_else():
    async def main():
        async with front() as api:
            for version in ("1", "7", "17"):
                assert (await api.ask("POST", f"/api/v{version}/chat", json=CHAT)).status == 201
            for version in ("", "x", "7x", "99999", "-1", "\u0667"):
                reply = await api.ask("POST", f"/api/v{version}/chat", json=CHAT)
                assert (reply.status, reply.problem) == (404, "path.unknown")

    uvloop.run(main())


@pytest.mark.covers("POST /api/v7/chat")
def test_the_key_may_be_in_the_body_or_the_query():
    async def main():
        async with front() as api:
            assert (await api.chat(json=CHAT | {"apikey": KEY}, headers={})).status == 201
            assert (await api.ask("POST", f"/api/v7/chat?apikey={KEY}", json=CHAT, headers={})).status == 201
            reply = await api.chat(json=CHAT | {"apikey": "wrong"}, headers={})
            assert (reply.status, reply.problem) == (401, "token.invalid")
            reply = await api.chat(json=CHAT, headers={})
            assert (reply.status, reply.problem) == (401, "token.invalid")
            reply = await api.chat(json=CHAT | {"apikey": KEY}, headers={"Authorization": "Bearer wrong"})
            assert (reply.status, reply.problem) == (401, "token.invalid")
            reply = await api.chat(json=CHAT | {"apikey": READER}, headers={})
            assert (reply.status, reply.problem) == (403, "scope.missing")
            assert len(api.core.sent()) == 2

    uvloop.run(main())


@pytest.mark.covers("POST /api/v7/chat")
def test_a_form_is_read_too():
    async def main():
        async with front() as api:
            body = "id=%2B49+123+123456&message=Gr%C3%BC%C3%9Fe&apikey=" + KEY
            assert (await api.chat(data=body, headers=FORM)).status == 201
            (sent,) = api.core.sent()
            assert (sent.to, sent.body) == ("+49 123 123456", Text("Gr\u00fc\u00dfe"))
            for bad in ("message=x", "id=%ff&message=x", "&".join(f"a{n}=1" for n in range(100))):
                assert (await api.chat(data=bad, headers=FORM | AUTH)).status == 400

    uvloop.run(main())


@pytest.mark.covers("POST /api/v7/chat")
def test_fields_that_nobody_knows_are_ignored():
    async def main():
        async with front() as api:
            extra = {"conversation_status": "open", "push": 1, "buttons": [1], "linkpreview": 1, "attachment": ""}
            assert (await api.chat(json=CHAT | extra)).status == 201
            assert api.core.sent()[0].body.preview_url and api.core.sent()[0].media is None

    uvloop.run(main())


@pytest.mark.covers("POST /api/v7/chat")
def test_an_attachment_is_sent_as_what_its_name_says():
    async def main():
        cases = [
            ({"attachment": "https://example.org/x.PNG?a=b.pdf"}, Attachment(MediaKind.IMAGE, "Hello world!")),
            ({"attachment": "https://example.org/x.mp4", "message": None}, Attachment(MediaKind.VIDEO)),
            ({"attachment": "https://example.org/x.ogg", "message": ""}, Attachment(MediaKind.AUDIO)),
            ({"attachment": "https://example.org/x.ogg"}, Attachment(MediaKind.DOCUMENT, "Hello world!", "x.ogg")),
            (
                {"attachment": "https://x.org/1", "filename": "a.pdf"},
                Attachment(MediaKind.DOCUMENT, CHAT["message"], "a.pdf"),
            ),
        ]
        for extra, body in cases:
            async with front() as api:
                assert (await api.chat(json=CHAT | extra)).status == 201
                (sent,) = api.core.sent()
                assert (sent.body, sent.media) == (body, MediaRef(link=extra["attachment"]))
        async with front() as api:
            assert (await api.chat(json={"id": "49123123456"})).problem == "parameter.missing"
            reply = await api.chat(json=CHAT | {"attachment": "https://x.org/a\u0000"})
            assert (reply.status, reply.problem) == (400, "parameter.invalid")

    uvloop.run(main())


MALFORMED = {
    "empty": (b"", 400, "body.malformed"),
    "cut": (b'{"id":"1"', 400, "body.malformed"),
    "a list": (b"[1]", 400, "parameter.invalid"),
    "a number as id": (b'{"id":49123123456,"message":"x"}', 400, "parameter.invalid"),
    "no message": (b'{"id":"1"}', 400, "parameter.missing"),
    "a list as message": (b'{"id":"1","message":["x"]}', 400, "parameter.invalid"),
    "NUL": (b'{"id":"1","message":"a\\u0000"}', 400, "parameter.invalid"),
    "deep": (b'{"id":' + b"[" * 100_000, 400, "parameter.invalid"),
    "large": (b'{"id":"1","message":"' + b"x" * 1_000_000 + b'"}', 413, "body.too_large"),
}


@pytest.mark.covers("POST /api/v7/chat")
def test_a_malformed_body_is_a_problem_with_what_to_change():
    async def main():
        async with front() as api:
            for name, (body, status, code) in MALFORMED.items():
                reply = await api.chat(data=body)
                assert (name, reply.status, reply.problem) == (name, status, code)
            assert api.core.sent() == []
            assert (await api.chat()).status == 201

    uvloop.run(main())


def test_an_error_of_the_core_is_a_problem():
    errors = {"number": NumberInvalid("write it so"), "busy": Overloaded("full", 2_500)}

    def refuse(message):
        raise errors[message.body.body]

    async def main():
        core = FakeCore()
        core.on[Send] = refuse
        async with front(core) as api:
            reply = await api.chat(json=CHAT | {"message": "number"})
            assert (reply.status, reply.problem, reply.details) == (400, "number.invalid", "write it so")
            reply = await api.chat(json=CHAT | {"message": "busy"})
            assert (reply.status, reply.problem, reply.headers["retry-after"]) == (503, "overloaded", "3")

    uvloop.run(main())
