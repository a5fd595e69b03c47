"""What the supervisor asks the front."""

import asyncio

import pytest
import uvloop

from corefast.supervisor.front import takes_key
from tests.support.programs import free_port


@pytest.mark.parametrize(
    ("answer", "is_good"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", False),
        (b"\r\n200", False),
        (b"", False),
    ],
)
def test_only_a_200_says_that_the_key_is_good(answer: bytes, is_good: bool):
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    async def main() -> bool:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await takes_key(server.sockets[0].getsockname()[1], "cf_key")

    assert uvloop.run(main()) is is_good
    assert requests[0].startswith(b"GET /v1/health ") and b"Authorization: Bearer cf_key\r\n" in requests[0]


def test_a_front_that_is_not_there_takes_no_key():
    assert uvloop.run(takes_key(free_port(), "cf_key")) is False
