"""The Idempotency-Key header, where it is not what the documents say."""

import hashlib

import msgspec
import pytest
import uvloop

from api.idempotency import identity_of
from api.shapes.messages import SendRequest

from .front import AUTH, front


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
