"""The Idempotency-Key header, where it is not what the documents say."""

import asyncio
import hashlib

import msgspec
import pytest
import uvloop

from api.idempotency import identity_of
from api.shapes.messages import SendRequest

from .front import AUTH, SEND, front
from .real import trade
from .test_hostile import MESSAGES


@pytest.mark.covers("POST /v1/messages", 1009)
def test_a_blank_idempotency_key_is_refused_rather_than_ignored():
    async def main():
        async with front() as api:
            for key in ("", " ", '""'):
                reply = await api.send(headers=AUTH | {"Idempotency-Key": key})
                assert (reply.status, reply.v1_code) == (400, 1009)
                assert (await api.chat(headers=AUTH | {"Idempotency-Key": key})).status == 400
            assert api.core.sent() == []

    uvloop.run(main())


@pytest.mark.covers("POST /v1/messages")
def test_a_request_repeated_on_another_front_at_the_same_time_is_sent_once(tmp_path):
    async def main(b):
        async def send(body="hi"):
            headers = b.headers | {"Idempotency-Key": "order-7"}
            return await b.ask("POST", "/v1/messages", headers=headers, json=SEND | {"text": {"body": body}})

        replies = await asyncio.gather(*(send() for _ in range(10)))
        assert {reply.status for reply in replies} <= {201, 409}
        ids = {reply.json["messages"][0]["id"] for reply in replies if reply.status == 201}
        for _ in b.ports:
            again = await send()
            assert again.headers["idempotency-replayed"] == "true" and {again.json["messages"][0]["id"]} == ids
            assert (await send("another")).status == 422
        await b.world.relay.until(lambda: b.world.relay.posts)
        assert (await b.world.core.process.database.fetch(MESSAGES))[0][0] == 1

    trade(main, tmp_path)


def test_a_field_of_a_later_release_changes_what_a_request_is_only_where_it_is_said():
    decode = msgspec.json.Decoder(SendRequest).decode
    plain = b'{"to": "49123", "text": {"body": "hello"}}'
    encode = msgspec.msgpack.Encoder(order="deterministic").encode
    first_release = "1129e30958e5b794d9ab4372333f422ab901e44e1f8303a59cc498f223f52f21"
    assert hashlib.sha256(encode(identity_of(decode(plain)))).hexdigest() == first_release
    same = [plain, plain[:-1] + b', "ttl": null}', plain[:-1] + b', "biz_opaque_callback_data": ""}']
    assert len({encode(identity_of(decode(body))) for body in same}) == 1
    others = [plain, plain[:-1] + b', "ttl": 60}', plain[:-1] + b', "biz_opaque_callback_data": "x"}']
    others += [plain.replace(b"hello", b"bye"), plain.replace(b"49123", b"49124")]
    assert len({encode(identity_of(decode(body))) for body in others}) == len(others)
