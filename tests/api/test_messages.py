"""POST /v1/messages and GET /v1/messages/{id}."""

import hashlib

import pytest
import uvloop

from corefast.errors import (
    AccountStopped,
    CallerError,
    CallTimeout,
    IdempotencyMismatch,
    IdempotencyRunning,
    LinkLost,
    MessageTooLong,
    MessageUnknown,
    NumberInvalid,
    Overloaded,
    ParameterMissing,
    RateLimited,
    RecipientIsSender,
    RemoteRefused,
    StoreFull,
)
from corefast.wire.body import Text
from corefast.wire.event import Failure, State
from corefast.wire.gateway import Accepted, GetMessage, MessageView, Send, StateChange

from ..support.fake_core import KEY, READER, SENDER, FakeCore
from .front import AUTH, SEND, front


@pytest.mark.covers("POST /v1/messages")
def test_a_text_is_passed_on_as_it_came_and_answered_with_its_id():
    async def main():
        async with front() as api:
            body = SEND | {"preview_url": True, "context": {"message_id": "ABGGx"}}
            reply = await api.send(json=body)
            assert (reply.status, reply.headers["content-type"]) == (201, "application/json")
            assert reply.json == {
                "messages": [{"id": "gBGGaccepted"}],
                "meta": {"version": "v0.1.0", "api_status": "stable"},
            }
            assert api.core.sent() == [Send("493023125000", "49123123456", Text("Hello world!", True), "ABGGx", None)]

    uvloop.run(main())


def test_every_spelling_of_a_number_reaches_the_core_unchanged():
    spellings = ["+49 123 123456", "0049123123456", "49123123456", "+49-123-123456"]

    async def main():
        async with front() as api:
            for spelling in spellings:
                assert (await api.send(json=SEND | {"to": spelling})).status == 201
                assert (await api.chat(json={"id": spelling, "message": "hi"})).status == 201
            assert [sent.to for sent in api.core.sent()] == [
                one for spelling in spellings for one in (spelling, spelling)
            ]

    uvloop.run(main())


def test_a_json_body_is_read_whatever_its_content_type_says():
    async def main():
        async with front() as api:
            for content_type in ("application/json", "application/x-www-form-urlencoded", "text/plain", "x"):
                headers = AUTH | {"Content-Type": content_type}
                reply = await api.send(data=b' \n{"to":"49123123456","text":{"body":"hi"}}', headers=headers)
                assert reply.status == 201

    uvloop.run(main())


def test_fields_that_nobody_knows_are_ignored():
    async def main():
        async with front() as api:
            assert (await api.send(json=SEND | {"ttl": {"days": 1}, "biz_opaque_callback_data": "x"})).status == 201

    uvloop.run(main())


MALFORMED = {
    "empty": (b"", 1025, "empty"),
    "blank": (b"  ", 1025, "empty"),
    "cut": (b'{"to":', 1025, "Unable to decode json"),
    "garbage": (b"\x00\xff\xfe", 1025, "Unable to decode json"),
    "single quotes": (b"{'to':'1'}", 1025, "Unable to decode json"),
    "trailing comma": (b'{"to":"1",}', 1025, "trailing comma"),
    "trailing words": (b'{"to":"1"} x', 1025, "trailing"),
    "not a number": (b'{"to":NaN}', 1025, "Unable to decode json"),
    "utf-16": ('{"to":"1"}'.encode("utf-16"), 1025, "Unable to decode json"),
    "no utf-8": (b'{"to":"\xff"}', 1025, "UTF-8"),
    "half a surrogate": (b'{"to":"\\ud800"}', 1025, "Unable to decode json"),
    "a list": (b"[]", 1009, "the body has to be an object"),
    "null": (b"null", 1009, "the body has to be an object"),
    "a word": (b'"x"', 1009, "the body has to be an object"),
    "no recipient": (b'{"text":{"body":"x"}}', 1008, "`to` is missing"),
    "no text": (b'{"to":"49123123456"}', 1008, "`text` is missing"),
    "no body": (b'{"to":"49123123456","text":{}}', 1008, "`text.body` is missing"),
    "a number as recipient": (b'{"to":49123123456}', 1009, "`to` has to be a string"),
    "a huge number": (b'{"to":18446744073709551616}', 1009, "`to` has to be a string"),
    "null as recipient": (b'{"to":null}', 1009, "`to` has to be a string, not null"),
    "a list as text": (b'{"to":"1","text":[]}', 1009, "`text` has to be an object"),
    "a number as body": (b'{"to":"1","text":{"body":1}}', 1009, "`text.body` has to be a string"),
    "a word as flag": (b'{"to":"1","text":{"body":"x"},"preview_url":"true"}', 1009, "`preview_url` has to be true"),
    "another type": (b'{"to":"1","type":"fax"}', 1009, "`type` has to be one of"),
    "a circle": (b'{"to":"1","recipient_type":"circle"}', 1002, "individual"),
    "NUL in the text": (b'{"to":"1","text":{"body":"a\\u0000b"}}', 1009, "`text.body` holds the NUL"),
    "NUL in the recipient": (b'{"to":"1\\u0000","text":{"body":"a"}}', 1009, "`to` holds the NUL"),
    "deep": (b'{"to":"1","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 1009, "64 levels"),
    "deep and open": (b"[" * 100_000, 1009, "64 levels"),
}


@pytest.mark.covers("POST /v1/messages", 1002, 1008, 1009, 1025)
def test_a_malformed_body_is_refused_with_what_to_change():
    async def main():
        async with front() as api:
            for name, (body, code, words) in MALFORMED.items():
                reply = await api.send(data=body)
                assert (name, reply.status, reply.v1_code) == (name, 400, code)
                assert words in reply.details, name
            assert api.core.sent() == []
            assert (await api.send()).status == 201

    uvloop.run(main())


def test_brackets_inside_a_text_are_no_nesting():
    async def main():
        async with front() as api:
            body = SEND | {"text": {"body": '[{"\\' * 500}}
            assert (await api.send(json=body)).status == 201

    uvloop.run(main())


REFUSALS = {
    "number.invalid": (NumberInvalid("write it so"), 400, 1009, "Parameter value is not valid"),
    "recipient.is_sender": (RecipientIsSender("that is you"), 400, 1021, "Bad user"),
    "message.too_long": (MessageTooLong("4096 at most"), 400, 1001, "Message too long"),
    "parameter.missing": (ParameterMissing("text.body is empty"), 400, 1008, "Required parameter is missing"),
    "idempotency.running": (IdempotencyRunning("wait"), 409, 1004, "Resource already exists"),
    "idempotency.mismatch": (IdempotencyMismatch("new key"), 422, 1009, "Parameter value is not valid"),
    "overloaded": (Overloaded("full", 2_500), 503, 1016, "System overloaded"),
    "rate.limited": (RateLimited("slower", 7_000), 429, 1015, "Too many requests"),
    "store.full": (StoreFull("disk /var/x is full"), 503, 1023, "Database error occurred"),
    "message.damaged": (RemoteRefused("message.damaged"), 500, 1023, "Database error occurred"),
    "link.lost": (LinkLost("gone"), 503, 1011, "Service not ready"),
    "call.timeout": (CallTimeout("late"), 503, 1011, "Service not ready"),
    "account.stopped": (AccountStopped("see --adopt-restored"), 503, 1011, "Service not ready"),
    "attach.superseded": (RemoteRefused("attach.superseded"), 503, 1011, "Service not ready"),
    "request": (CallerError("odd"), 500, 1014, "Internal error"),
    "internal": (RemoteRefused("internal"), 500, 1014, "Internal error"),
    "never.heard": (RemoteRefused("never.heard", "a secret"), 500, 1014, "Internal error"),
}


@pytest.mark.covers("POST /v1/messages", 1001, 1004, 1008, 1009, 1011, 1014, 1015, 1016, 1021, 1023)
def test_an_error_of_the_core_is_told_in_the_words_of_the_original():
    def refuse(message):
        raise REFUSALS[message.body.body][0]

    async def main():
        core = FakeCore()
        core.on[Send] = refuse
        async with front(core) as api:
            for name, (_, status, code, title) in REFUSALS.items():
                reply = await api.send(json=SEND | {"text": {"body": name}})
                told = (reply.status, reply.v1_code, reply.json["errors"][0]["title"])
                assert told == (status, code, title), name
                assert ("retry-after" in reply.headers) == (status in (429, 503)), name
                assert "secret" not in reply.details and "/var" not in reply.details, name

    uvloop.run(main())


@pytest.mark.covers("POST /v1/messages", 1011)
def test_why_an_account_takes_no_messages_is_told_in_the_cores_words():
    why = "another copy of this account is at the relay; see --adopt-restored"

    def refuse(message):
        raise AccountStopped(why, 60_000)

    async def main():
        core = FakeCore()
        core.on[Send] = refuse
        async with front(core) as api:
            reply = await api.send()
            assert (reply.status, reply.details, reply.headers["retry-after"]) == (503, why, "60")

    uvloop.run(main())


@pytest.mark.covers("POST /v1/messages", 1016)
def test_retry_after_is_the_cores_wish_in_whole_seconds():
    def refuse(message):
        raise Overloaded("full", 2_500)

    async def main():
        core = FakeCore()
        core.on[Send] = refuse
        async with front(core) as api:
            assert (await api.send()).headers["retry-after"] == "3"

    uvloop.run(main())


@pytest.mark.covers("POST /v1/messages", 1001)
def test_a_text_that_the_core_finds_too_long_is_code_1001():
    def judge(message):
        if len(message.body.body) > 4096:
            raise MessageTooLong("text.body has 5000 characters; 4096 are allowed")
        return Accepted("gBGGx", message.to)

    async def main():
        core = FakeCore()
        core.on[Send] = judge
        async with front(core) as api:
            reply = await api.send(json=SEND | {"text": {"body": "é" * 5_000}})
            assert (reply.status, reply.v1_code) == (400, 1001)
            assert "4096" in reply.details

    uvloop.run(main())


# ── idempotency ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_idempotency_key_goes_to_the_core_with_its_scope_and_the_decoded_request():
    async def main():
        async with front() as api:
            for text in ('"k-1"', "k-1"):
                await api.send(headers=AUTH | {"Idempotency-Key": text})
            spaced = b'{ "text": {"body": "Hello world!"}, "type": "text", "to": "49123123456" }'
            await api.send(headers=AUTH | {"Idempotency-Key": "k-1"}, data=spaced)
            await api.send(headers=AUTH | {"Idempotency-Key": "k-1"}, json=SEND | {"preview_url": True})
            await api.chat(headers=AUTH | {"Idempotency-Key": "k-1"})
            first, *same, other, chat = [sent.idempotency for sent in api.core.sent()]
            assert (first.scope, first.key) == ("key_0/v1.messages", "k-1")
            assert len(first.fingerprint) == hashlib.sha256().digest_size
            assert same == [first, first]
            assert other.fingerprint != first.fingerprint
            assert chat.scope == "key_0/chat"

    uvloop.run(main())


def test_a_replayed_answer_says_so():
    async def main():
        core = FakeCore()
        core.on[Send] = lambda message: Accepted("gBGGsame", message.to, replayed=True)
        async with front(core) as api:
            for reply in (await api.send(), await api.chat()):
                assert (reply.status, reply.headers["idempotency-replayed"]) == (201, "true")
            assert "idempotency-replayed" not in (await api.ask("GET", "/livez")).headers

    uvloop.run(main())


@pytest.mark.covers("POST /v1/messages", 1009)
def test_an_unusable_idempotency_key_is_refused():
    async def main():
        async with front() as api:
            for key in ("a b", "x" * 256, "\u00e9"):
                reply = await api.send(headers=AUTH | {"Idempotency-Key": key})
                assert (reply.status, reply.v1_code) == (400, 1009)
                assert "Idempotency-Key" in reply.details
            assert api.core.sent() == []

    uvloop.run(main())


# ── looking up ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.covers("GET /v1/messages/{id}")
def test_a_message_is_shown_with_its_history():
    view = MessageView(
        id="gBGGx",
        direction="outbound",
        peer="49123123456",
        body=Text("hi"),
        state=State.FAILED,
        history=[StateChange(State.ACCEPTED, 1_900_000_000_123), StateChange(State.FAILED, 1_900_000_001_000)],
        failure=Failure(1006, "Resource not found", "nobody is registered under that number"),
        reply_to="ABGGy",
    )

    async def main():
        core = FakeCore()
        core.on[GetMessage] = lambda message: view
        async with front(core) as api:
            reply = await api.ask("GET", "/v1/messages/gBGGx")
            assert core.calls[-1] == GetMessage("493023125000", "gBGGx")
            assert reply.status == 200
            assert reply.json["messages"] == [
                {
                    "id": "gBGGx",
                    "direction": "outbound",
                    "type": "text",
                    "status": "failed",
                    "history": [
                        {"status": "accepted", "timestamp": "1900000000", "at_ms": 1_900_000_000_123},
                        {"status": "failed", "timestamp": "1900000001", "at_ms": 1_900_000_001_000},
                    ],
                    "to": "49123123456",
                    "text": {"body": "hi"},
                    "context": {"message_id": "ABGGy"},
                    "errors": [
                        {
                            "code": 1006,
                            "title": "Resource not found",
                            "details": "nobody is registered under that number",
                        }
                    ],
                }
            ]
            assert "errors" not in reply.json

    uvloop.run(main())


@pytest.mark.covers("GET /v1/messages/{id}")
def test_an_inbound_message_names_its_sender():
    view = MessageView("ABGGx", "inbound", "49123123456", Text("hi"), State.DELIVERED, [])

    async def main():
        core = FakeCore()
        core.on[GetMessage] = lambda message: view
        async with front(core) as api:
            (message,) = (await api.ask("GET", "/v1/messages/ABGGx")).json["messages"]
            assert message["from"] == "49123123456"
            assert "to" not in message and "errors" not in message

    uvloop.run(main())


@pytest.mark.covers("GET /v1/messages/{id}", 1006)
def test_a_message_that_is_not_ours_is_not_found():
    def refuse(message):
        raise MessageUnknown("no message has this id")

    async def main():
        core = FakeCore()
        core.on[GetMessage] = refuse
        async with front(core) as api:
            for message_id in ("gBGGnone", "..%2f..%2fetc", "%00", "x" * 2_000):
                reply = await api.ask("GET", f"/v1/messages/{message_id}")
                assert (reply.status, reply.v1_code) == (404, 1006)

    uvloop.run(main())


# ── who may ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_is_taken_as_bearer_or_apikey():
    async def main():
        async with front() as api:
            for header in (f"Bearer {KEY}", f"bearer   {KEY}", f"Apikey {KEY}", f"APIKEY {KEY}"):
                assert (await api.send(headers={"Authorization": header})).status == 201

    uvloop.run(main())


WRONG = ["", "Bearer", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY} x", "Bearer " + "x" * 600, "Bearer \u00fc"]


@pytest.mark.covers("GET /v1/events", "GET /v1/health", "POST /v1/messages", 1005)
def test_a_missing_or_wrong_key_is_401_with_code_1005():
    async def main():
        async with front() as api:
            for headers in [{}, *({"Authorization": text} for text in WRONG)]:
                for reply in (
                    await api.send(headers=headers),
                    await api.ask("GET", "/v1/events", headers=headers),
                    await api.ask("GET", "/v1/health", headers=headers),
                ):
                    assert (headers, reply.status, reply.v1_code) == (headers, 401, 1005)
                    assert reply.headers["www-authenticate"].startswith("Bearer")
            assert api.core.sent() == []

    uvloop.run(main())


@pytest.mark.covers("GET /v1/events", "GET /v1/messages/{id}", "POST /v1/messages", 1005)
def test_a_key_without_the_scope_is_403_with_code_1005():
    async def main():
        async with front() as api:
            reply = await api.send(headers={"Authorization": f"Bearer {READER}"})
            assert (reply.status, reply.v1_code) == (403, 1005)
            assert "send" in reply.details
            for path in ("/v1/events", "/v1/messages/gBGGx"):
                assert (await api.ask("GET", path, headers={"Authorization": f"Bearer {SENDER}"})).status == 403
            assert api.core.sent() == []

    uvloop.run(main())
