"""A client of the API, as tests use it: one request at a time, noted for the table of what is covered."""

import asyncio
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import aiohttp
import msgspec

from .seen import note


class Reply:
    """One answer: status, headers in lower case, body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def v1_code(self) -> int:
        """The one error's code; asserts that the shape is that of the on-premises API."""
        answer = self.json
        assert set(answer) == {"errors", "meta"}
        assert answer["meta"]["api_status"] == "stable"
        (error,) = answer["errors"]
        assert error["title"] and error["details"]
        assert self.headers["content-type"] == "application/json"
        return int(error["code"])

    @property
    def details(self) -> str:
        answer = self.json
        return str(answer["errors"][0]["details"] if "errors" in answer else answer["detail"])

    @property
    def problem(self) -> str:
        """The problem's code; asserts that the shape is that of RFC 9457."""
        answer = self.json
        assert self.headers["content-type"] == "application/problem+json"
        assert answer["status"] == self.status
        assert answer["title"] and answer["detail"] and answer["type"] == f"/docs#{answer['code']}"
        return str(answer["code"])


class Client:
    """Requests to the fronts on *ports* in turn: no two in a row go to the same one."""

    def __init__(self, ports: Sequence[int] = ()) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        self.headers: dict[str, str] = {}
        self.serve(ports)

    def serve(self, ports: Sequence[int]) -> None:
        """Go to the fronts on *ports* from now on."""
        self.ports = tuple(ports)
        self.port = self.ports[0] if ports else 0
        self._turns = cycle(self.ports)

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        """Return the answer; `self.port` is that of the front which gave it."""
        options.setdefault("headers", self.headers)
        self.port = next(self._turns)
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self._session.request(method, url, allow_redirects=False, **options) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            body = await response.read()
        note(method, path, response.status, body)
        return Reply(response.status, headers, body)

    async def raw(self, data: bytes) -> bytes:
        """Return all that comes for *data* until the front hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()

    async def close(self) -> None:
        await self._session.close()
