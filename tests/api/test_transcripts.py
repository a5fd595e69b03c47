"""What clients of the on-premises API send and rely on, replayed over two real fronts and a real core.

Each file of tests/vectors/transcripts is a conversation in one world. An exchange has `request`; `as` (nobody, `basic
NAME:PASSWORD`, `bearer TOKEN`, `apikey KEY`; else the administrator); `json`, `body` or `file`; then what is expected:
`status`; of an error `code` and `details`; else `answer` or `bytes`; `headers`. `keep` names parts of the answer for
later: `${name}`; `${*7}` are seven letters. `soon`: within a second, as a front remembers for half of one.

In `answer` a text in <> is a type, one behind ~ an expression, `"..."` allows more fields or more of the same entries.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import uvloop

from ..support import pictures
from .client import Client, Reply
from .numbers import desk
from .real import PASSWORD, business
from .test_account import FIRST

FOLDER = Path(__file__).parents[1] / "vectors" / "transcripts"
FILES = {name: getattr(pictures, name) for name in ("JPEG", "PNG", "MP4", "M3GP", "OPUS", "MP3", "AAC", "AMR", "PDF")}
FILES |= {"STICKER": pictures.webp(), "NOTHING": b""}
KINDS: dict[str, type | tuple[type, ...]] = {"<str>": str, "<int>": int, "<bool>": bool, "<any>": object}
MORE = "..."
NAMED = re.compile(r"\$\{(\*?)(\w+)\}")


class Conversation:
    """A client and what it has learned so far."""

    def __init__(self, client: Client, **known: str) -> None:
        self._client = client
        self.known = known

    async def hold(self, exchange: dict[str, Any]) -> None:
        """Say it, and see that the answer is the one expected."""
        for _ in range(20 if "soon" in exchange else 1):
            reply = await self._ask(exchange)
            if reply.status == exchange.get("status") and ("answer" not in exchange or self._fits(exchange, reply)):
                break
            await asyncio.sleep(0.05)
        self._check(exchange, reply)
        for name, place in exchange.get("keep", {}).items():
            self.known[name] = str(part_of(reply.json, place)) if place else reply.body.decode()

    async def _ask(self, exchange: dict[str, Any]) -> Reply:
        method, path = self.fill(exchange["request"]).split(" ", 1)
        headers = self._credentials(exchange.get("as", "bearer ${admin}"))
        if "json" in exchange:
            data: Any = json.dumps(self.fill(exchange["json"])).encode()
            headers["Content-Type"] = "application/json"
        elif "file" in exchange:
            data = FILES[exchange["file"]]
        else:
            data = self.fill(exchange.get("body", "")).encode() or None
        if "type" in exchange:
            headers["Content-Type"] = exchange["type"]
        return await Client.ask(self._client, method, path, data=data, headers=headers)

    def _credentials(self, caller: str) -> dict[str, str]:
        kind, _, secret = self.fill(caller).partition(" ")
        if kind == "nobody":
            return {}
        if kind == "basic":
            return {"Authorization": aiohttp.encode_basic_auth(*secret.split(":", 1))}
        return {"Authorization": f"{kind.title()} {secret}"}

    def _check(self, exchange: dict[str, Any], reply: Reply) -> None:
        assert reply.status == exchange.get("status", reply.status), reply.body
        assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
        if reply.headers.get("content-type") == "application/json":
            assert reply.headers["cache-control"] == "no-cache, private"
            assert msgspec.json.format(reply.body, indent=-1) == reply.body, "not compact"
        for name, pattern in exchange.get("headers", {}).items():
            assert re.fullmatch(pattern, reply.headers[name]), reply.headers
        if "code" in exchange:
            assert reply.v1_code == exchange["code"], reply.body
            assert re.fullmatch(exchange.get("details", ".*"), reply.details), reply.details
        elif "bytes" in exchange:
            assert reply.body == FILES[exchange["bytes"]]
        if "answer" in exchange:
            assert self._fits(exchange, reply), reply.body

    def _fits(self, exchange: dict[str, Any], reply: Reply) -> bool:
        found = reply.json
        meta = found.pop("meta", None)
        assert meta is None or set(meta) == {"version", "api_status"} and meta["api_status"] == "stable"
        return fits(self.fill(exchange["answer"]), found)

    def fill(self, value: Any) -> Any:
        """Return *value* with what is named in it."""
        if isinstance(value, str):
            return NAMED.sub(lambda m: "x" * int(m[2]) if m[1] else self.known[m[2]], value)
        if isinstance(value, dict):
            return {name: self.fill(each) for name, each in value.items()}
        return [self.fill(each) for each in value] if isinstance(value, list) else value


def fits(shape: Any, found: Any) -> bool:
    """Tell whether *found* is as *shape* says."""
    if isinstance(shape, dict):
        is_open, names = MORE in shape, shape.keys() - {MORE}
        has_names = isinstance(found, dict) and (names <= found.keys() if is_open else names == found.keys())
        return has_names and all(fits(shape[name], found[name]) for name in names)
    if isinstance(shape, list):
        if shape[-1:] == [MORE]:
            return isinstance(found, list) and all(fits(shape[0], each) for each in found)
        return isinstance(found, list) and len(shape) == len(found) and all(map(fits, shape, found))
    if isinstance(shape, str) and shape in KINDS:
        return isinstance(found, KINDS[shape])
    if isinstance(shape, str) and shape.startswith("~"):
        return isinstance(found, str) and re.fullmatch(shape[1:], found) is not None
    return type(found) is type(shape) and bool(found == shape)


def part_of(answer: Any, place: str) -> Any:
    for step in place.split("."):
        answer = answer[int(step) if step.isdecimal() else step]
    return answer


@asynccontextmanager
async def conversation(folder: Path, world: dict[str, Any]) -> AsyncIterator[Conversation]:
    if "registration" in world:
        async with desk(folder, registration=world["registration"]) as d:
            code = await d.relay.admission.issue_code(FIRST)
            yield Conversation(d, admin=d.headers["Authorization"].split()[1], code=code)
        return
    async with business(folder, **world) as b:
        admin = "" if "admin_password" in world else await b.token("admin", PASSWORD)
        yield Conversation(b, admin=admin, key=b.key)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_client_of_the_original_is_answered_as_it_was(path: Path, tmp_path: Path) -> None:
    told = json.loads(path.read_bytes())
    faults = []

    async def main() -> None:
        async with conversation(tmp_path, told["world"]) as held:
            for exchange in told["exchanges"]:
                try:
                    await held.hold(exchange)
                except (AssertionError, LookupError) as error:
                    faults.append(f"{json.dumps(exchange)[:300]}\n  {str(error)[:600]}")

    uvloop.run(main())
    assert not faults, "\n".join(faults)
