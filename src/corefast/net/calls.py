"""A handler made of functions, one for each type of message."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from corefast.errors import CorefastError, LinkLost, PeerOutOfTurn
from corefast.net.complaint import complain
from corefast.net.transport import Peer

Function = Callable[[Peer, Any], Any]
"""Takes a message; returns its answer, an awaitable of it, or None for a one-way message."""


class Dispatcher:
    """Calls the function of a message's type and sends back what it returns or raises.

    A raised `CorefastError` fails the call with its code; anything else fails it with `internal` and is logged. A
    type that is not in the table is out of turn and closes the link. A coroutine runs as a task, a plain answer or a
    future needs none. Tasks are not cancelled when the link ends (half of their work may be durable); their answer
    is dropped.
    """

    def __init__(
        self,
        functions: Mapping[type, Function],
        on_lost: Callable[[Peer, Exception | None], None] | None = None,
    ) -> None:
        self._functions = dict(functions)
        self._on_lost = on_lost
        self._running: set[asyncio.Future[Any]] = set()

    def received(self, peer: Peer, message: Any, call: int) -> None:
        function = self._functions.get(type(message))
        if function is None:
            raise PeerOutOfTurn(f"{type(message).__name__} is not served here")
        result = function(peer, message)
        if result is None and not call:
            return
        if isinstance(result, Awaitable):
            self._follow(asyncio.ensure_future(result), peer, call)
        elif call:
            _answer(peer, call, result)

    def lost(self, peer: Peer, error: Exception | None) -> None:
        if self._on_lost is not None:
            self._on_lost(peer, error)

    def _follow(self, future: asyncio.Future[Any], peer: Peer, call: int) -> None:
        self._running.add(future)

        def done(future: asyncio.Future[Any]) -> None:
            self._running.discard(future)
            # Only the end of the program cancels what it serves.
            error = LinkLost("the program is ending") if future.cancelled() else future.exception()
            if error is not None:
                _fail(peer, call, error)
            elif call:
                _answer(peer, call, future.result())

        future.add_done_callback(done)


def _answer(peer: Peer, call: int, result: Any) -> None:
    try:
        if result is None:
            raise TypeError("a call was left without an answer")
        peer.answer(call, result)
    except (TypeError, ValueError) as error:  # not a message, or longer than one may be
        _fail(peer, call, error)


def _fail(peer: Peer, call: int, error: BaseException) -> None:
    if not isinstance(error, CorefastError):
        complain("handler.failed", error)
    if call:
        peer.fail(call, error)
    elif isinstance(error, CorefastError):
        complain("handler.failed", error)
        if error.fatal:
            peer.close(error)
