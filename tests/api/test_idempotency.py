"""The Idempotency-Key header, where it is not what the documents say."""

import uvloop

from .front import AUTH, front


def test_a_blank_idempotency_key_is_refused_rather_than_ignored():
    async def main():
        async with front() as api:
            for key in ("", " ", '""'):
                reply = await api.send(headers=AUTH | {"Idempotency-Key": key})
                assert (reply.status, reply.v1_code) == (400, 1009)
                assert (await api.chat(headers=AUTH | {"Idempotency-Key": key})).status == 400
            assert api.core.sent() == []

    uvloop.run(main())
