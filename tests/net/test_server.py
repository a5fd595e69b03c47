import asyncio
import os

import pytest

from corefast.errors import HandshakeFailed, LinkLost, SetupError, VersionUnsupported
from corefast.link.secure import initiator_ik, initiator_psk, responder_psk
from corefast.net.client import connect, format_relay_url, parse_relay_url
from corefast.net.server import serve

from ..link.pair import INITIATOR_PRIVATE, Ask, Note, codec
from .loopback import CLIENT, SERVER, Memory, loopback


def echo() -> Memory:
    return Memory(answer=lambda ask: Note(ask.body))


def test_wrong_relay_key_is_a_failed_handshake(run):
    async def main():
        async with loopback() as (server, _, _, _):
            stranger = initiator_ik(INITIATOR_PRIVATE, bytes([9] * 32))
            with pytest.raises(HandshakeFailed):
                await connect("127.0.0.1", server.port, stranger, codec, Memory())

    run(main())


def test_each_valid_secret_opens_and_is_told_apart(run):
    async def main():
        seen = []
        secrets = [bytes([index] * 32) for index in range(3)]
        server = await serve(
            "127.0.0.1", 0, responder_psk(secrets), codec, lambda peer: seen.append(peer.psk_index) or echo()
        )
        for index in (2, 0):
            peer = await connect("127.0.0.1", server.port, initiator_psk(secrets[index]), codec, Memory())
            assert await peer.call(Ask(b"")) == Note(b"")
            peer.close()
        assert seen == [2, 0]
        with pytest.raises(HandshakeFailed):
            await connect("127.0.0.1", server.port, initiator_psk(bytes([7] * 32)), codec, Memory())
        await server.close()

    run(main())


def test_nobody_there_is_a_lost_link(run):
    async def main():
        server = await serve("127.0.0.1", 0, SERVER, codec, lambda peer: Memory())
        await server.close()
        with pytest.raises(LinkLost):
            await connect("127.0.0.1", server.port, CLIENT, codec, Memory())

    run(main())


def test_silent_listener_is_a_lost_link(run):
    async def main():
        silent = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(LinkLost):
            await connect("127.0.0.1", port, CLIENT, codec, Memory(), timeout_ms=30)
        silent.close()

    run(main())


def test_http_server_is_told_from_a_corefast(run):
    class Http(asyncio.Protocol):
        def connection_made(self, transport):
            transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def main():
        other = await asyncio.get_running_loop().create_server(Http, "127.0.0.1", 0)
        with pytest.raises(VersionUnsupported):
            await connect("127.0.0.1", other.sockets[0].getsockname()[1], CLIENT, codec, Memory())
        other.close()

    run(main())


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x01\xff\xff\xff",
        b"\x01\x00\x00\x00",
        b"\x01\x00\x00\x60" + bytes(96),
        b"\x01\x00\x00\x05hello",
        b"\x00",
        os.urandom(4_096),
    ],
)
def test_garbage_is_hung_up_on_and_others_are_served(run, data):
    async def main():
        async with loopback(echo()) as (server, peer, _, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(data)
            async with asyncio.timeout(20):
                try:
                    await reader.read()
                except ConnectionResetError:
                    pass
            writer.close()
            assert await peer.call(Ask(b"still")) == Note(b"still")
            assert len(server.peers) == 1

    run(main())


def test_half_a_handshake_harms_nobody(run):
    async def main():
        async with loopback(echo()) as (server, peer, _, _):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"\x01\x00\x00\x60" + bytes(10))
            await writer.drain()
            writer.close()
            assert await peer.call(Ask(b"still")) == Note(b"still")

    run(main())


def test_connections_beyond_the_limit_are_refused_and_room_comes_back(run):
    async def main():
        async with loopback(echo(), max_connections=2) as (server, _, theirs, _):
            second = await connect("127.0.0.1", server.port, CLIENT, codec, Memory())
            with pytest.raises((HandshakeFailed, LinkLost)):
                await connect("127.0.0.1", server.port, CLIENT, codec, Memory())
            assert await second.call(Ask(b"")) == Note(b"")
            second.close()
            await second.closed()
            await theirs.until(lambda memory: memory.losses)
            third = await connect("127.0.0.1", server.port, CLIENT, codec, Memory())
            third.close()
            await third.closed()

    run(main())


def test_server_that_closes_tells_its_peers(run):
    async def main():
        async with loopback() as (server, peer, theirs, ours):
            peer.notify(Note(b""))
            await theirs.until(lambda memory: memory.messages)
            await server.close()
            await ours.until(lambda memory: memory.losses)
            assert ours.losses == [None]

    run(main())


def test_taken_port_is_a_matter_of_setup(run):
    async def main():
        async with loopback() as (server, _, _, _):
            with pytest.raises(SetupError, match=str(server.port)):
                await serve("127.0.0.1", server.port, SERVER, codec, lambda peer: Memory())

    run(main())


# ── the URL ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["127.0.0.1", "relay.example", "::1"])
def test_relay_url_is_read_back(host):
    key = bytes(range(32))
    assert parse_relay_url(format_relay_url(host, 7_000, key)) == (host, 7_000, key)
    assert parse_relay_url(f"  {format_relay_url(host, 7_000, key)}\n") == (host, 7_000, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "corefast://relay.example:7000/",
        "corefast://relay.example:7000/#",
        "corefast://relay.example:7000/#short",
        "corefast://relay.example:7000/#" + "!" * 43,
        "corefast://relay.example:7000/#" + "A" * 44,
        "corefast://relay.example/#" + "A" * 43,
        "corefast://relay.example:99999/#" + "A" * 43,
        "corefast://[::1/#" + "A" * 43,
        "https://relay.example:7000/#" + "A" * 43,
        "corefast://relay.example:7000/x#" + "A" * 43,
    ],
)
def test_incomplete_relay_url_is_refused(text):
    with pytest.raises(SetupError):
        parse_relay_url(text)
