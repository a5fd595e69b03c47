"""Who is connected: at most one connection for each device or shard, and the newest wins."""

from collections.abc import Iterable
from typing import Protocol

from corefast.errors import CorefastError
from corefast.relay.mailbox import Device


class Present(Protocol):
    """A connection that holds mailboxes."""

    def evict(self, code: str) -> None:
        """Tell the client that its place is taken, let go of its mailboxes, and hang up."""

    def cut(self, error: CorefastError) -> None:
        """Hang up: what it needs cannot be had."""


def holder(device: Device, shard: int = 0) -> Present | None:
    """Return the connection that holds the device's mailbox of *shard*."""
    outlet = device.box(shard).outlet
    return outlet.owner if outlet is not None else None


def evict(device: Device, shards: Iterable[int], code: str, *, besides: Present | None = None) -> None:
    """Cut every connection that holds one of these mailboxes."""
    for shard in shards:
        present = holder(device, shard)
        if present is not None and present is not besides:
            present.evict(code)
