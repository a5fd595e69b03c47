"""HTTP itself: bounds, slowness, pipelining, methods, unknown paths, the end."""

import asyncio
import socket
import struct
import time

import pytest
import uvloop

from api.server import bind
from corefast.errors import SetupError
from corefast.limits import HTTP_READ_TIMEOUT_MS, MAX_BODY_BYTES, MAX_DISCARDED_BODY_BYTES, MAX_HEAD_BYTES
from corefast.wire.gateway import Accepted, Send

from ..support.fake_core import KEY, FakeCore
from .front import SEND, front

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
BODY = b'{"to":"49123123456","text":{"body":"hi"}}'
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
LAST = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.mark.covers("POST /v1/messages", 1009)
def test_a_body_of_a_megabyte_is_refused_and_the_connection_goes_on():
    async def main():
        async with front() as api:
            for is_chunked in (None, True):
                reply = await api.send(data=b"x" * 1_000_000, chunked=is_chunked)
                assert (reply.status, reply.v1_code) == (413, 1009)
                assert str(MAX_BODY_BYTES) in reply.details
            large = HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
            answers = await api.raw(large + LAST)
            assert answers.startswith(b"HTTP/1.1 413") and b"HTTP/1.1 201" in answers
            assert len(api.core.sent()) == 1

    uvloop.run(main())


@pytest.mark.covers("POST /v1/messages", 1009)
def test_the_largest_body_allowed_is_read():
    async def main():
        async with front() as api:
            text = b'{"to":"49123123456","text":{"body":"hi"},"x":"'
            body = text + b"y" * (MAX_BODY_BYTES - len(text) - 2) + b'"}'
            assert (await api.send(data=body)).status == 201
            assert (await api.send(data=body + b" ")).status == 413

    uvloop.run(main())


def test_a_body_without_end_is_cut_off():
    async def main():
        async with front() as api:
            head = HEAD + b"Content-Length: 99999999999\r\n\r\n"
            try:
                answer = await api.raw(head + b"x" * (2 * MAX_DISCARDED_BODY_BYTES))
            except ConnectionError:
                answer = b""
            assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
            assert (await api.send()).status == 201

    uvloop.run(main())


@pytest.mark.parametrize("cut", (0, 30, 110, 125, 140))
def test_an_offer_of_another_protocol_is_passed_over_and_the_body_read(cut):
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    head, _, body = REQUEST.partition(b"\r\n\r\n")
    offered = head + b"\r\n" + offer + b"\r\n" + body

    async def main():
        async with front() as api:
            reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
            for piece in (offered[:cut], offered[cut:]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)
            upper = offered.replace(b"Upgrade", b"UPGRADE")
            writer.write(upper + LAST)
            answers = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            assert answers.count(b"HTTP/1.1 201") == 3 and answers.count(b"HTTP/1.1") == 3
            assert [sent.body.body for sent in api.core.sent()] == ["hi"] * 3

    uvloop.run(main())


def test_a_body_that_talks_of_upgrades_is_left_alone():
    async def main():
        async with front() as api:
            body = b'{"to":"49123123456","text":{"body":"x"},"more":"' + b"y" * 100_000 + b'",\r\n"Upgrade":"z"}'
            text = b'{"to":"49123123456",\r\n"text":{"body":"\\r\\nConnection: upgrade"}}'
            assert (await api.send(data=body)).status == (await api.send(data=text)).status == 201
            assert api.core.sent()[1].body.body == "\r\nConnection: upgrade"

    uvloop.run(main())


GARBAGE = {
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "a bad length": HEAD + b"Content-Length: x\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "a length beyond 64 bits": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunks": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a header with NUL": HEAD + b"X: a\x00b\r\n\r\n",
    "a folded space": HEAD + b"X : y\r\n\r\n",
    "a tunnel": b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
}


def test_what_is_not_http_is_refused_and_hung_up_on():
    async def main():
        async with front() as api:
            for name, data in GARBAGE.items():
                answer = await api.raw(data)
                assert answer.startswith(b"HTTP/1.1 400 "), name
                assert b"application/problem+json" in answer, name
            assert api.core.sent() == []
            assert (await api.send()).status == 201

    uvloop.run(main())


def test_a_head_that_is_too_large_is_refused():
    many = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 100) for n in range(1_000))

    async def main():
        async with front() as api:
            for head in (
                b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (2 * MAX_HEAD_BYTES) + b"\r\n\r\n",
                b"GET /" + b"y" * (2 * MAX_HEAD_BYTES) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET /livez HTTP/1.1\r\n" + many + b"\r\n",
            ):
                assert (await api.raw(head)).split(b" ")[1] in (b"400", b"431")
            assert (await api.ask("GET", "/livez", headers={"X": "y" * 8_000})).status == 200

    uvloop.run(main())


def test_a_head_that_never_ends_is_refused_before_it_fills_the_memory():
    async def main():
        async with front() as api:
            loop = asyncio.get_running_loop()
            with socket.create_connection(("127.0.0.1", api.port)) as client:
                client.setblocking(False)
                await loop.sock_sendall(client, b"GET /livez HTTP/1.1\r\nX: ")
                with pytest.raises(ConnectionError):
                    for _ in range(10_000):
                        await loop.sock_sendall(client, b"y" * 4_096)
            assert (await api.send()).status == 201

    uvloop.run(main())


@pytest.mark.parametrize("part", [b"", b"POST /v1/mess", HEAD, HEAD + b"Content-Length: 41\r\n\r\n{", b"\r\n\r\n"])
def test_a_client_that_is_too_slow_is_cut(part):
    async def main():
        async with front() as api:
            reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
            writer.write(part)
            while not (connections := list(api.server.server_state.connections)):
                await asyncio.sleep(0)
            for _ in range(10):
                await asyncio.sleep(0)
            (connection,) = connections
            connection.sweep(time.monotonic())
            assert not connection.transport.is_closing()
            connection.sweep(time.monotonic() + HTTP_READ_TIMEOUT_MS / 1_000 + 1)
            assert (await reader.read()).startswith(b"HTTP/1.1 408")
            writer.close()
            assert (await api.send()).status == 201

    uvloop.run(main())


def test_a_request_that_waits_for_the_core_is_not_slow():
    async def main():
        core, go = FakeCore(), asyncio.Event()

        async def wait(message):
            await go.wait()
            return Accepted("gBGGx", message.to)

        core.on[Send] = wait
        async with front(core) as api:
            reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
            writer.write(REQUEST + REQUEST)
            while not core.sent():
                await asyncio.sleep(0)
            for connection in api.server.server_state.connections:
                connection.sweep(time.monotonic() + 100)
            go.set()
            assert (await reader.readline()).startswith(b"HTTP/1.1 201")
            writer.close()

    uvloop.run(main())


def test_pipelined_requests_are_answered_in_order():
    async def main():
        core = FakeCore()
        core.on[Send] = lambda message: Accepted(f"gBGG{len(core.sent())}", message.to)
        async with front(core) as api:
            answers = await api.raw(REQUEST * 49 + LAST)
            assert answers.count(b"HTTP/1.1 201") == 50
            ids = [answers.index(b'"gBGG%d"' % n) for n in range(1, 51)]
            assert ids == sorted(ids)

    uvloop.run(main())


def test_a_client_that_breaks_off_harms_nobody():
    async def main():
        faults = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: faults.append(context))
        async with front() as api:
            for data in (REQUEST, REQUEST * 5, HEAD + b"Content-Length: 41\r\n\r\n{", b"GET"):
                for turns in range(8):
                    client = socket.create_connection(("127.0.0.1", api.port))
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.setblocking(False)
                    await loop.sock_sendall(client, data)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    client.close()
            assert (await api.send()).status == 201
        assert faults == []

    uvloop.run(main())


def test_a_request_in_single_bytes_is_read():
    async def main():
        async with front() as api:
            reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
            for byte in LAST:
                writer.write(bytes((byte,)))
                await writer.drain()
            assert (await reader.read()).startswith(b"HTTP/1.1 201")
            writer.close()

    uvloop.run(main())


# ── methods and paths ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_method_that_is_not_served_is_405_with_those_that_are():
    async def main():
        async with front() as api:
            reply = await api.ask("DELETE", "/v1/messages")
            assert (reply.status, reply.v1_code, reply.headers["allow"]) == (405, 1009, "OPTIONS, POST")
            reply = await api.ask("GET", "/api/v7/chat")
            assert (reply.status, reply.problem, reply.headers["allow"]) == (405, "method.not_allowed", "OPTIONS, POST")
            reply = await api.ask("POST", "/v1/events")
            assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")

    uvloop.run(main())


def test_options_and_head_are_served():
    async def main():
        async with front() as api:
            reply = await api.ask("OPTIONS", "/v1/messages", headers={})
            assert (reply.status, reply.headers["allow"], reply.body) == (204, "OPTIONS, POST", b"")
            assert "content-length" not in reply.headers
            reply = await api.ask("HEAD", "/livez")
            assert (reply.status, reply.body) == (200, b"")
            assert reply.headers["content-length"] == str(len((await api.ask("GET", "/livez")).body))

    uvloop.run(main())


def test_an_unknown_path_is_404_in_the_shape_of_its_neighbours():
    async def main():
        async with front() as api:
            for path in ("/v1", "/v1/", "/v1/nothing", "/v1/nothing/", "/v1/messages/x/y"):
                for method in ("GET", "POST", "PATCH"):
                    reply = await api.ask(method, path)
                    assert (path, reply.status, reply.v1_code) == (path, 404, 1006)
            for path in ("//", "/v2", "/v11/messages", "/api", "/docs/../secret", "/%00", "/docs/%2e%2e/app.py"):
                reply = await api.ask("GET", path)
                assert (path, reply.status, reply.problem) == (path, 404, "path.unknown")

    uvloop.run(main())


@pytest.mark.covers("POST /v1/messages", 1025)
def test_every_answer_has_a_request_id_of_its_own():
    async def main():
        async with front() as api:
            replies = [await api.send(), await api.chat(), await api.ask("GET", "/nowhere"), await api.send(data=b"")]
            ids = [reply.headers["x-request-id"] for reply in replies]
            assert len(set(ids)) == 4
            assert all(len(one) == 32 and set(one) <= set("0123456789abcdef") for one in ids)

    uvloop.run(main())


@pytest.mark.covers("POST /v1/messages", 1014)
def test_a_fault_of_ours_is_500_and_tells_nothing():
    def fail(message):
        raise KeyError("49123123456 said secret things")

    async def main():
        core = FakeCore()
        core.on[Send] = fail
        async with front(core) as api:
            reply = await api.send()
            assert (reply.status, reply.v1_code) == (500, 1014)
            assert b"49123123456" not in reply.body and b"secret" not in reply.body
            reply = await api.chat()
            assert (reply.status, reply.problem) == (500, "internal")

    uvloop.run(main())


# ── the end ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_that_runs_at_the_stop_is_finished():
    async def main():
        core, go = FakeCore(), asyncio.Event()

        async def wait(message):
            await go.wait()
            return Accepted("gBGGlast", message.to)

        core.on[Send] = wait
        async with front(core) as api:
            running = asyncio.ensure_future(api.send())
            while not core.sent():
                await asyncio.sleep(0)
            api.draining.set()
            stopping = asyncio.ensure_future(api.server.stop())
            while api.server.servers[0].is_serving():
                await asyncio.sleep(0)
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", api.port)
            go.set()
            reply = await running
            assert (reply.status, reply.headers["connection"]) == (201, "close")
            await stopping

    uvloop.run(main())


def test_a_port_that_is_taken_is_named():
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(SetupError, match="in use.*--listen"):
            bind("127.0.0.1", taken.getsockname()[1])


def test_sends_without_a_pause_are_all_answered():
    async def main():
        async with front() as api:
            replies = await asyncio.gather(*(api.send(json=SEND) for _ in range(200)))
            assert {reply.status for reply in replies} == {201}

    uvloop.run(main())
