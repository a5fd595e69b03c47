import asyncio

import pytest
from prometheus_client import REGISTRY

from corefast.errors import CallTimeout, LinkLost, LinkOverflow, NumberUnknown, Overloaded, PeerOutOfTurn, RemoteRefused
from corefast.limits import MAX_LINK_OUTBOX_BYTES, MAX_MESSAGE_BYTES
from corefast.native.curve import public_from_private
from corefast.net import transport
from corefast.net.client import connect
from corefast.net.server import serve

from ..link.pair import INITIATOR_PRIVATE, Ask, Note, codec
from .loopback import CLIENT, PUBLIC, SERVER, Memory, loopback


def echo() -> Memory:
    return Memory(answer=lambda ask: Note(ask.body))


def test_call_returns_the_answer(run):
    async def main():
        async with loopback(echo()) as (server, peer, _, _):
            assert await peer.call(Ask(b"one")) == Note(b"one")
            assert await asyncio.gather(*(peer.call(Ask(b"%d" % i)) for i in range(100))) == [
                Note(b"%d" % i) for i in range(100)
            ]

    run(main())


def test_both_sides_know_whom_they_talk_to(run):
    async def main():
        async with loopback() as (server, peer, theirs, _):
            assert peer.their_static == PUBLIC
            peer.notify(Note(b""))
            await theirs.until(lambda memory: memory.messages)
            (other,) = server.peers
            assert other.their_static == public_from_private(INITIATOR_PRIVATE)
            assert other.psk_index is None
            assert other.address.startswith("127.0.0.1:")

    run(main())


def test_one_way_messages_arrive_in_order_both_ways(run):
    async def main():
        async with loopback() as (server, peer, theirs, ours):
            for index in range(1_000):
                peer.notify(Note(b"%d" % index))
            await theirs.until(lambda memory: len(memory.messages) == 1_000)
            (other,) = server.peers
            for message in theirs.messages:
                other.notify(message)
            await ours.until(lambda memory: len(memory.messages) == 1_000)
            assert ours.messages == [Note(b"%d" % index) for index in range(1_000)]

    run(main())


def test_largest_messages_pass_and_credit_comes_back(run):
    body = bytes(MAX_MESSAGE_BYTES - 16)

    async def main():
        async with loopback(echo()) as (_, peer, _, _):
            answers = await asyncio.gather(*(peer.call(Ask(body)) for _ in range(10)))
            assert answers == [Note(body)] * 10

    run(main())


def test_failure_comes_with_code_text_and_delay(run):
    class Refusing(Memory):
        def received(self, peer, message, call):
            raise Overloaded("later", retry_after_ms=250)

    async def main():
        async with loopback(Refusing()) as (_, peer, _, _):
            with pytest.raises(RemoteRefused, match="later") as caught:
                await peer.call(Ask(b""))
            assert (caught.value.code, caught.value.retry_after_ms) == ("overloaded", 250)
            assert peer.is_open

    run(main())


def test_bug_in_a_handler_fails_the_call_and_tells_nothing(run):
    class Broken(Memory):
        def received(self, peer, message, call):
            raise KeyError("a secret")

    async def main():
        async with loopback(Broken()) as (_, peer, _, _):
            with pytest.raises(RemoteRefused) as caught:
                await peer.call(Ask(b""))
            assert (caught.value.code, str(caught.value)) == ("internal", "internal")
            peer.notify(Note(b""))
            with pytest.raises(RemoteRefused):
                await peer.call(Ask(b""))

    run(main())


def test_fatal_error_in_a_handler_closes_the_link(run):
    class Strict(Memory):
        def received(self, peer, message, call):
            raise PeerOutOfTurn("not now")

    async def main():
        async with loopback(Strict()) as (_, peer, _, ours):
            with pytest.raises(RemoteRefused):
                await peer.call(Ask(b""))
            await ours.until(lambda memory: memory.losses)
            assert ours.losses[0].code == "peer.out_of_turn"

    run(main())


def test_error_of_accept_reaches_the_client(run):
    def refuse(peer):
        raise NumberUnknown("no such key")

    async def main():
        server = await serve("127.0.0.1", 0, SERVER, codec, refuse)
        ours = Memory()
        peer = await connect("127.0.0.1", server.port, CLIENT, codec, ours)
        await ours.until(lambda memory: memory.losses)
        assert ours.losses[0].code == "number.unknown"
        await peer.closed()
        await server.close()

    run(main())


def test_close_is_told_to_both_sides_once(run):
    async def main():
        async with loopback() as (server, peer, theirs, ours):
            pending = asyncio.ensure_future(peer.call(Ask(b"")))
            await theirs.until(lambda memory: memory.calls)
            (other,) = server.peers
            peer.close()
            peer.close()
            assert not peer.is_open
            with pytest.raises(LinkLost):
                await pending
            await theirs.until(lambda memory: memory.losses)
            assert (theirs.losses, ours.losses) == ([None], [None])
            assert server.peers == set()
            other.answer(theirs.calls[0], Note(b"late"))
            other.notify(Note(b"late"))
            with pytest.raises(LinkLost):
                await peer.call(Ask(b""))
            with pytest.raises(LinkLost):
                await peer.writable()

    run(main())


def test_connection_cut_by_the_network_is_a_loss(run):
    async def main():
        async with loopback() as (server, peer, theirs, ours):
            pending = asyncio.ensure_future(peer.call(Ask(b"")))
            await theirs.until(lambda memory: memory.calls)
            (other,) = server.peers
            other._transport.abort()
            with pytest.raises(LinkLost):
                await pending
            await ours.until(lambda memory: memory.losses)
            assert isinstance(ours.losses[0], LinkLost)

    run(main())


def test_call_times_out_and_its_late_answer_is_dropped(run):
    async def main():
        async with loopback() as (server, peer, theirs, _):
            with pytest.raises(CallTimeout):
                await peer.call(Ask(b""), timeout_ms=1)
            (other,) = server.peers
            other.answer(theirs.calls[0], Note(b"late"))
            theirs.answer = lambda ask: Note(ask.body)
            assert await peer.call(Ask(b"next")) == Note(b"next")

    run(main())


def test_callback_form_hears_answers_and_errors(run):
    async def main():
        async with loopback(echo()) as (_, peer, _, _):
            results = asyncio.Queue()
            peer.call_soon_result(Ask(b"1"), results.put_nowait)
            assert results.empty()
            assert await results.get() == Note(b"1")
            peer.close()
            peer.call_soon_result(Ask(b"2"), results.put_nowait)
            assert results.empty()
            assert isinstance(await results.get(), LinkLost)

    run(main())


def test_callback_that_raises_harms_nobody(run):
    async def main():
        async with loopback(echo()) as (_, peer, _, _):
            peer.call_soon_result(Ask(b"1"), lambda result: 1 / 0)
            assert await peer.call(Ask(b"2")) == Note(b"2")

    run(main())


def test_cancelled_call_is_harmless(run):
    async def main():
        async with loopback(echo()) as (_, peer, _, _):
            task = asyncio.ensure_future(peer.call(Ask(b"1")))
            await asyncio.sleep(0)
            task.cancel()
            assert await peer.call(Ask(b"2")) == Note(b"2")

    run(main())


def test_slow_reader_fills_the_outbox_and_is_cut(run):
    async def main():
        async with loopback() as (server, peer, theirs, ours):
            peer.notify(Note(b""))
            await theirs.until(lambda memory: memory.messages)
            (other,) = server.peers
            other._transport.pause_reading()
            body = bytes(MAX_MESSAGE_BYTES // 2)
            for _ in range(2 * (MAX_LINK_OUTBOX_BYTES // len(body))):
                peer.notify(Note(body))
            await ours.until(lambda memory: memory.losses)
            assert isinstance(ours.losses[0], LinkOverflow)
            assert not peer.is_open

    run(main())


def test_peer_that_does_not_read_cannot_hold_a_closed_link(run, monkeypatch):
    monkeypatch.setattr(transport, "LINGER_MS", 1)

    async def main():
        async with loopback() as (server, peer, theirs, ours):
            peer.notify(Note(b""))
            await theirs.until(lambda memory: memory.messages)
            (other,) = server.peers
            other._transport.pause_reading()
            for _ in range(7):
                peer.notify(Note(bytes(MAX_MESSAGE_BYTES // 2)))
            await asyncio.sleep(0)
            peer.close()
            await asyncio.wait_for(peer.closed(), 4)
            assert ours.losses == [None]

    run(main())


def test_links_are_counted(run):
    def value(name, **labels):
        return REGISTRY.get_sample_value(f"corefast_link_{name}", labels) or 0

    async def main():
        opened = value("handshakes_total", outcome="opened")
        sent = value("sent_bytes_total")
        async with loopback(echo()) as (_, peer, _, _):
            await peer.call(Ask(bytes(10_000)))
            assert value("connections", role="client") == value("connections", role="server") == 1
        assert value("handshakes_total", outcome="opened") == opened + 2
        assert value("connections", role="client") == value("connections", role="server") == 0
        assert 20_000 < value("sent_bytes_total") - sent < 21_000

    run(main())


def test_writable_waits_for_the_reader(run):
    async def main():
        async with loopback() as (server, peer, theirs, _):
            body = bytes(MAX_MESSAGE_BYTES // 2)
            sent = 0
            while sent < 40:
                await peer.writable()
                peer.notify(Note(body))
                sent += 1
                assert peer.outbox_bytes < MAX_LINK_OUTBOX_BYTES
            await theirs.until(lambda memory: len(memory.messages) == 40)

    run(main())


def test_a_connect_cancelled_at_any_moment_ends_as_cancelled(run):
    """uvloop closes the socket of a cancelled connect by itself; the complaint about it must not hide the cancel."""

    async def main():
        server = await serve("127.0.0.1", 0, SERVER, codec, lambda peer: Memory())
        for turns in range(40):
            task = asyncio.ensure_future(connect("127.0.0.1", server.port, CLIENT, codec, Memory()))
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.done():
                task.result().close()
                continue
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await server.close()

    run(main())
