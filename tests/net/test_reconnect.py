import asyncio

import pytest

from corefast.errors import LinkLost
from corefast.net.reconnect import Reconnecting
from corefast.net.server import serve

from ..link.pair import Ask, Note, codec
from .loopback import CLIENT, SERVER, Memory


def echo() -> Memory:
    return Memory(answer=lambda ask: Note(ask.body))


def test_link_comes_back_after_a_restart_of_the_other_side(run):
    async def main():
        opened = []

        async def on_open(peer):
            opened.append(await peer.call(Ask(b"attach")))

        server = await serve("127.0.0.1", 0, SERVER, codec, lambda peer: echo())
        memory = Memory()
        link = Reconnecting("127.0.0.1", server.port, CLIENT, codec, memory, on_open=on_open)
        link.start()
        first = await link.peer()
        assert link.current is first
        assert link.last_error is None
        await server.close()
        await first.closed()
        await asyncio.sleep(0)
        assert link.current is None
        again = await serve("127.0.0.1", server.port, SERVER, codec, lambda peer: echo())
        second = await link.peer()
        assert second is not first
        assert await link.call(Ask(b"x")) == Note(b"x")
        assert opened == [Note(b"attach")] * 2
        assert memory.losses == [None]
        await link.close()
        await second.closed()
        await again.close()

    run(main())


def test_waiting_for_a_peer_ends(run):
    async def main():
        server = await serve("127.0.0.1", 0, SERVER, codec, lambda peer: echo())
        await server.close()
        link = Reconnecting("127.0.0.1", server.port, CLIENT, codec, Memory())
        link.start()
        with pytest.raises(LinkLost):
            await link.peer(timeout_ms=20)
        assert isinstance(link.last_error, LinkLost)
        await link.close()
        with pytest.raises(LinkLost):
            await link.peer()

    run(main())


def test_peer_is_not_handed_out_before_on_open_is_done(run):
    async def main():
        gate, second_try = asyncio.Event(), asyncio.Event()
        tries = []

        async def on_open(peer):
            tries.append(peer)
            if len(tries) == 1:
                raise LinkLost("the first attach fails")
            second_try.set()
            await gate.wait()

        server = await serve("127.0.0.1", 0, SERVER, codec, lambda peer: echo())
        link = Reconnecting("127.0.0.1", server.port, CLIENT, codec, Memory(), on_open=on_open)
        link.start()
        waiting = asyncio.ensure_future(link.peer())
        await asyncio.wait_for(second_try.wait(), 20)
        assert link.current is None
        assert not waiting.done()
        gate.set()
        assert await waiting is tries[1]
        assert not tries[0].is_open
        await link.close()
        await server.close()

    run(main())


def test_several_waiters_all_get_the_peer(run):
    async def main():
        server = await serve("127.0.0.1", 0, SERVER, codec, lambda peer: echo())
        link = Reconnecting("127.0.0.1", server.port, CLIENT, codec, Memory())
        link.start()
        peers = await asyncio.gather(*(link.peer() for _ in range(5)))
        assert len(set(peers)) == 1
        await link.close()
        await server.close()

    run(main())
