"""What a link reports: facts in the order in which they happened."""

from collections.abc import Callable
from typing import Any

import msgspec

from corefast.errors import CorefastError

Context = Callable[[Any], None]
"""What the caller of `Link.call` gets back with the answer."""


class Opened(msgspec.Struct, frozen=True):
    """The handshake is over and the other side has proved that it is alive."""

    their_static: bytes | None
    psk_index: int | None


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message came; *call* is the number to answer to, 0 for a one-way message."""

    message: Any
    call: int


class Answered(msgspec.Struct, frozen=True, gc=False):
    """A call of ours ended; *result* is the answer, `RemoteRefused` or `CallTimeout`."""

    context: Any
    result: Any


class Closed(msgspec.Struct, frozen=True):
    """The link is over; None when the other side said that it is done. Always the last event."""

    error: CorefastError | None


Event = Opened | Received | Answered | Closed
