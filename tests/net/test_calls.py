import asyncio

import pytest
from structlog.testing import capture_logs

from corefast.errors import NumberUnknown, RemoteRefused
from corefast.net.calls import Dispatcher

from ..link.pair import Ask, Note
from .loopback import loopback


def dispatcher_of(function, **options) -> Dispatcher:
    return Dispatcher({Ask: function}, **options)


def test_plain_answer_is_sent(run):
    async def main():
        async with loopback(dispatcher_of(lambda peer, ask: Note(ask.body))) as (_, peer, _, _):
            assert await peer.call(Ask(b"x")) == Note(b"x")

    run(main())


def test_awaited_answer_is_sent(run):
    async def answer(peer, ask):
        await asyncio.sleep(0)
        return Note(ask.body)

    async def main():
        async with loopback(dispatcher_of(answer)) as (_, peer, _, _):
            assert await peer.call(Ask(b"x")) == Note(b"x")

    run(main())


def test_future_is_followed_without_a_task(run):
    async def main():
        future = asyncio.get_running_loop().create_future()
        async with loopback(dispatcher_of(lambda peer, ask: future)) as (_, peer, _, _):
            pending = asyncio.ensure_future(peer.call(Ask(b"x")))
            await asyncio.sleep(0)
            future.set_result(Note(b"y"))
            assert await pending == Note(b"y")

    run(main())


def refuse(peer, ask):
    raise NumberUnknown("nobody")


async def refuse_later(peer, ask):
    raise NumberUnknown("nobody")


def break_down(peer, ask):
    raise KeyError("secret")


async def break_down_later(peer, ask):
    raise KeyError("secret")


async def give_nothing(peer, ask):
    return None


def give_too_much(peer, ask):
    return Note(bytes(2 << 20))


def give_no_message(peer, ask):
    return object()


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (refuse, "number.unknown"),
        (refuse_later, "number.unknown"),
        (break_down, "internal"),
        (break_down_later, "internal"),
        (give_nothing, "internal"),
        (lambda peer, ask: None, "internal"),
        (give_too_much, "internal"),
        (give_no_message, "internal"),
    ],
)
def test_call_without_a_good_answer_fails(run, function, code):
    async def main():
        async with loopback(dispatcher_of(function)) as (_, peer, _, _):
            for _ in range(2):
                with pytest.raises(RemoteRefused) as caught:
                    await peer.call(Ask(b"x"))
                assert caught.value.code == code
                assert "secret" not in str(caught.value)

    run(main())


def test_message_that_is_not_served_closes_the_link(run):
    async def main():
        async with loopback(dispatcher_of(refuse)) as (_, peer, _, ours):
            peer.notify(Note(b""))
            await ours.until(lambda memory: memory.losses)
            assert ours.losses[0].code == "peer.out_of_turn"

    run(main())


def test_loss_is_passed_on_and_late_answers_are_dropped(run):
    async def main():
        lost = asyncio.Queue()
        future = asyncio.get_running_loop().create_future()
        asked = asyncio.Event()

        def ask_later(peer, ask):
            asked.set()
            return future

        handler = dispatcher_of(ask_later, on_lost=lambda peer, error: lost.put_nowait(error))
        async with loopback(handler) as (_, peer, _, _):
            task = asyncio.ensure_future(peer.call(Ask(b"")))
            await asked.wait()
            peer.close()
            assert await lost.get() is None
            future.set_result(Note(b"late"))
            await asyncio.gather(task, return_exceptions=True)

    run(main())


def test_a_call_that_the_end_of_the_program_cancels_is_no_error_of_ours(run):
    async def main():
        future = asyncio.get_running_loop().create_future()
        async with loopback(dispatcher_of(lambda peer, ask: future)) as (_, peer, _, _):
            pending = asyncio.ensure_future(peer.call(Ask(b"x")))
            await asyncio.sleep(0.01)
            future.cancel()
            with pytest.raises(RemoteRefused) as caught:
                await pending
            assert caught.value.code == "link.lost"

    with capture_logs() as lines:
        run(main())
    assert lines == []
