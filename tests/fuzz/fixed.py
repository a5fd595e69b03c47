"""Keys, randomness and states that are the same in every run, so that a kept input means the same tomorrow."""

import json
from collections.abc import Callable
from hashlib import shake_256
from pathlib import Path
from typing import Any

from corefast.errors import CorefastError

RECORDED = json.loads((Path(__file__).parent.parent / "vectors" / "session" / "format_2.json").read_text())
"""Sessions that were recorded with the messages on their way to them."""


class Draw:
    """A stream of bytes that depends on *seed* alone; call it like os.urandom."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return shake_256(self._seed + self._count.to_bytes(8, "big")).digest(size)


def refusal_of(call: Callable[[], Any]) -> CorefastError | None:
    """Return the typed error that *call* raises, None where it raises none; any other error passes."""
    try:
        call()
    except CorefastError as error:
        return error
    return None


def snapshot_of(state: str) -> bytes:
    return bytes.fromhex(RECORDED[state]["snapshot"])


def messages_of(state: str) -> list[bytes]:
    return [bytes.fromhex(message) for message, _ in RECORDED[state]["messages"]]
