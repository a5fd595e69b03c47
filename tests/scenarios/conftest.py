"""One event loop for the stories of a module, so that they can share the processes that one of them started."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

Tell = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(scope="module")
def tell() -> Iterator[Tell]:
    """Run a coroutine on the module's loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner.run
