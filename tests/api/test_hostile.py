"""What no client should send, over a real core: refused quickly, without a fault of ours, while others are served."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from resource import getpagesize
from typing import Any

import aiohttp
import pytest

from api import server
from api.openapi import OPERATIONS
from api.operation import Operation
from corefast.store.database import Statement

from ..core.world import CUSTOMER
from .real import Business, trade

QUICK_S = 5.0
"""Within this every attack is refused, and every request of somebody else is answered, however busy the machine."""

TEXT = {"to": CUSTOMER, "text": {"body": "hi"}}
GOOD = json.dumps(TEXT).encode()
MESSAGES = Statement("SELECT count(*) FROM message")


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() / 1_000_000


@contextlib.asynccontextmanager
async def others_are_served(b: Business) -> AsyncIterator[None]:
    """Send as somebody else would for as long as the block runs, on both fronts; nothing else may be sent by it."""
    ended = asyncio.Event()

    async def send() -> int:
        count = 0
        while not ended.is_set() or count < 4:
            async with asyncio.timeout(QUICK_S):
                assert (await b.ask("POST", "/v1/messages", json=TEXT)).status == 201
            count += 1
            await asyncio.sleep(0.005)
        return count

    witness = asyncio.create_task(send())
    try:
        yield
    finally:
        ended.set()
        count = await witness
    assert (await b.world.core.process.database.fetch(MESSAGES))[0][0] == count


async def raw(port: int, data: bytes) -> bytes:
    """Return what comes for *data* until the front hangs up or is silent for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(QUICK_S):
            while piece := await reader.read(65_536):
                answer += piece
                if b"connection: close" not in answer.lower() and answer.startswith(b"HTTP/1.1 "):
                    break
    except ConnectionError:
        pass  # cut while we were still sending
    finally:
        writer.close()
    return answer


# ── HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def attacks(key: str) -> dict[str, tuple[bytes, set[int]]]:
    """Return requests by name, and with which status each may be refused."""
    head = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key.encode() + b"\r\n"
    sized = head + b"Content-Length: %d\r\n" % len(GOOD)

    def body(data: bytes) -> bytes:
        return head + b"Content-Length: %d\r\n\r\n" % len(data) + data

    def said(field: str, value: str) -> bytes:
        return body(f'{{"to":"{CUSTOMER}","text":{{"body":"hi"}},"{field}":{value}}}'.encode())

    lengths = {
        f"length {length}": (head + b"Content-Length: " + length.encode() + b"\r\n\r\n" + GOOD, {400})
        for length in ("x", "-1", "+5", "0x10", "1, 1", "9" * 30, str(2**64), "")
    }
    chunks = {
        f"chunk {chunk!r}": (head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"\r\n", {400})
        for chunk in (b"xyz", b"-1", b"F" * 17, b"5\rhello", b"0x5")
    }
    bodies = {
        "depth of lists": (body(b"[" * 100_000), {400}),
        "depth of objects": (body(b'{"a":' * 20_000), {400}),
        "depth in a field": (said("ttl", "[" * 50_000 + "]" * 50_000), {400}),
        "NUL between": (body(GOOD.replace(b",", b",\0")), {400}),
        "NUL in a text": (body(GOOD.replace(b"hi", b"h\\u0000i")), {400}),
        "NUL alone": (body(bytes(1_000)), {400}),
        "half a surrogate": (body(GOOD.replace(b"hi", b"\\ud800")), {400}),
        "no UTF-8": (body(GOOD.replace(b"hi", b"\xff\xfe")), {400}),
        "a number of 63 bits and one": (said("ttl", str(2**63)), {400}),
        "a number of 64 bits and one": (said("ttl", str(2**64)), {400}),
        "a number of 30 digits": (said("ttl", "9" * 30), {400}),
        "a number of a thousand digits": (said("ttl", "9" * 1_000), {400}),
        "a number below all": (said("ttl", str(-(2**63) - 1)), {400}),
        "no number": (said("ttl", "NaN"), {400}),
        "an infinite place": (said("type", '"location","location":{"latitude":1e400,"longitude":0}'), {400}),
        "a million keys": (body(b"{" + b'"a":1,' * 20_000 + b'"b":1}'), {400}),
    }
    return {
        **lengths,
        **chunks,
        **bodies,
        "two lengths": (sized + b"Content-Length: 1\r\n\r\n" + GOOD, {400}),
        "the same length twice": (sized + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD, {400}),
        "length and chunks": (sized + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
        "chunks and length": (head + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", {400}),
        "a coding after chunks": (head + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", {400}),
        "a header with NUL": (sized + b"X: a\0b\r\n\r\n" + GOOD, {400}),
        "a header with CR": (sized + b"X: a\rb\r\n\r\n" + GOOD, {400}),
        "a blank before the colon": (sized + b"X : y\r\n\r\n" + GOOD, {400}),
        "one header of 40 KB": (sized + b"X: " + b"y" * 40_000 + b"\r\n\r\n" + GOOD, {431}),
        "many headers of 50 KB": (sized + b"a:b\r\n" * 10_000 + b"\r\n" + GOOD, {431}),
        "a path of 40 KB": (b"GET /" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {431}),
        "two Idempotency-Keys": (sized + b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n" + GOOD, {400}),
        "two Authorizations": (sized + b"Authorization: Bearer other\r\n\r\n" + GOOD, {400}),
        "two accounts": (sized + b"X-Corefast-Account: 1\r\nX-Corefast-Account: 2\r\n\r\n" + GOOD, {400}),
        "a gigabyte announced": (head + b"Content-Length: 1000000000\r\n\r\n" + bytes(10_000), {413}),
        "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), {400}),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
        "a tunnel": (b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        "a path upwards": (b"GET /v1/media/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    }


def test_every_attack_is_refused_at_once_and_nothing_is_sent(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        cases = attacks(b.key)
        before = memory_mb()
        async with others_are_served(b):
            for port in b.ports:
                answers = await asyncio.gather(*(raw(port, data) for data, _ in cases.values()))
                for (name, (_, statuses)), answer in zip(cases.items(), answers, strict=True):
                    assert answer.startswith(b"HTTP/1.1 "), name
                    assert int(answer[9:12]) in statuses, (name, answer[:300])
        assert memory_mb() - before < 40

    trade(main, tmp_path)


def test_clients_that_dawdle_are_cut_and_delay_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind has a hundred connections; the bounds are those of a server, only shorter."""
    monkeypatch.setattr(server, "HTTP_READ_TIMEOUT_MS", 400)
    monkeypatch.setattr(server, "SWEEP_S", 0.05)
    starts = (b"", b"GET /livez HTTP/1.1\r\nX", b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")

    async def dawdle(port: int, start: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = asyncio.ensure_future(reader.read())
        writer.write(start)
        while not answer.done():
            writer.write(b"x" if start else b"")
            await asyncio.wait((answer,), timeout=0.1)
        writer.close()
        with contextlib.suppress(ConnectionError):
            return await answer
        return b""

    async def main(b: Business) -> None:
        async with others_are_served(b), asyncio.timeout(10):
            ports = b.ports * 50
            answers = await asyncio.gather(*(dawdle(port, start) for start in starts for port in ports))
        assert {answer[:12] for answer in answers[: len(ports)]} == {b"HTTP/1.1 408"}
        assert {answer[:12] for answer in answers} <= {b"HTTP/1.1 408", b"HTTP/1.1 401", b""}  # lost by our next byte

    trade(main, tmp_path)


def test_connections_beyond_the_bound_are_told_so_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_HTTP_CONNECTIONS", 8)

    async def main(b: Business) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", b.port) for _ in range(9)]
        answers = [reader.read(12) for reader, _ in idle[8:]]
        assert set(await asyncio.gather(*answers)) == {b"HTTP/1.1 503"}
        _, first = idle[0]
        first.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await idle[0][0].read(12) == b"HTTP/1.1 200"
        for _, writer in idle:
            writer.close()
        async with others_are_served(b):
            pass

    trade(main, tmp_path)


def test_a_client_that_has_said_all_still_gets_its_answers(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        request, _ = attacks(b.key)["NUL in a text"]
        for count in (1, 3):
            reader, writer = await asyncio.open_connection("127.0.0.1", b.port)
            writer.write(request.replace(b"h\\u0000i", b"so short") * count)
            writer.write_eof()
            async with asyncio.timeout(QUICK_S):
                assert (await reader.read()).count(b"HTTP/1.1 201") == count
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", b.port)
        writer.write(request[:-10])
        writer.write_eof()
        async with asyncio.timeout(QUICK_S):
            assert await reader.read() == b""
        writer.close()

    trade(main, tmp_path)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/media"])
def test_a_gigabyte_fills_neither_memory_nor_disk(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamed without its length; the bound of a file is smaller here, so that it is soon reached."""
    monkeypatch.setattr("corefast.core.media.writer.Writer.open.__func__.__defaults__", (2_000_000,))
    sent = 0

    async def main(b: Business) -> None:
        async def gigabyte() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(15_259):
                yield bytes(65_536)
                sent += 65_536

        headers = b.headers | {"Content-Type": "application/zip"}
        before = memory_mb()
        async with others_are_served(b):
            try:
                refused = await b.ask("POST", path, data=gigabyte(), headers=headers)
            except aiohttp.ClientError:
                pass  # cut before the answer was read
            else:
                assert refused.status in (400, 413) and refused.v1_code == 1009
        assert sent < 30_000_000 and memory_mb() - before < 40
        assert not b.world.relay.blobs.kept

    trade(main, tmp_path)


# ── every operation ────────────────────────────────────────────────────────────────────────────────────────────────

HOSTILE: list[Any] = [10**30, -(2**63) - 1, "\0", "x" * 70_000, [{}]]
MESSAGES_OF_TYPES: list[Any] = [
    {"type": "location", "location": {"latitude": 1, "longitude": 2, "name": "a"}},
    {
        "type": "contacts",
        "contacts": [{"name": {"formatted_name": "a", "first_name": "b"}, "phones": [{"phone": "1"}]}],
    },
    {
        "type": "interactive",
        "interactive": {"type": "list", "body": {"text": "a"}, "action": {"sections": [{"rows": []}]}},
    },
    {"type": "image", "image": {"id": "a", "caption": "b"}, "ttl": {"days": 1}, "context": {"message_id": "a"}},
    {
        "type": "template",
        "template": {
            "name": "a",
            "components": [
                {
                    "type": "button",
                    "index": 1,
                    "parameters": [
                        {"type": "currency", "currency": {"fallback_value": "a", "code": "EUR", "amount_1000": 1}}
                    ],
                }
            ],
        },
    },
]


def changed(example: Any) -> Iterator[Any]:
    """Yield *example* with each of its values in turn replaced by each of the hostile ones."""
    yield from HOSTILE
    items = example.items() if isinstance(example, dict) else enumerate(example) if isinstance(example, list) else ()
    for name, value in items:
        for other in changed(value):
            copy = example.copy()
            copy[name] = other
            yield copy


def described() -> list[Operation]:
    return [each for each in OPERATIONS if each.tag != "absent" and each.path not in ("/livez", "/readyz", "/metrics")]


def requests() -> Iterator[tuple[str, str, Any]]:
    """Yield method, path and body; templates in one place only, as they are the same in three."""
    for each in described():
        if each.example is not None and each.id not in ("importTemplates", "setTemplate"):
            yield from ((each.method, each.path, body) for body in changed(each.example))
    for message in MESSAGES_OF_TYPES:
        yield from (("POST", "/v1/messages", TEXT | body) for body in changed(message) if isinstance(body, dict))


@pytest.mark.parametrize("part", [0, 1])
def test_no_value_in_any_field_is_a_fault_of_ours(part: int, tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        for method, path, body in list(requests())[part::2]:
            reply = await b.ask(method, path.replace("{", "").replace("}", ""), data=json.dumps(body).encode())
            assert reply.status < 500 or reply.v1_code in (1011, 1026, 2013), (method, path, body, reply.body)

    trade(main, tmp_path)


IDS = ("%00", "%ff%fe", "..%2f..%2fetc%2fpasswd", "x" * 5_000, "9" * 400, "'%20OR%201=1")


def test_no_path_and_no_query_is_a_fault_of_ours(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        for operation in described():
            names = [each["name"] for each in operation.parameters if each["in"] == "query"]
            paths = {re.sub("{[^}]*}", odd, operation.path) for odd in IDS}
            paths |= {f"{operation.path}?{name}={odd}" for odd in IDS for name in names}
            for path in paths - {operation.path}:
                reply = await b.ask(operation.method, path)
                assert reply.status < 500, (operation.id, path, reply.body)

    trade(main, tmp_path)
