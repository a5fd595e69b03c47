"""Both loops, and links over loopback sockets."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop


def run_on_asyncio(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main, debug=True)


def run_on_uvloop(main: Coroutine[Any, Any, None]) -> None:
    uvloop.run(main)


@pytest.fixture(params=[run_on_asyncio, run_on_uvloop], ids=["asyncio", "uvloop"])
def run(request) -> Callable[[Awaitable[None]], None]:
    return request.param
