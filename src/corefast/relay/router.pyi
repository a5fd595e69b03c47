from collections.abc import Callable
from typing import Any

from corefast.relay.mailbox import Account, Device, Item, Mailbox, Outlet
from corefast.relay.store.mailbox import MailboxStore
from corefast.wire.messages import Post

PAGE_ROWS: int
PAGE_BYTES: int

class Router:
    accounts: dict[str, Account]
    devices: dict[int, Device]
    acked: int
    direct: int
    waiting: int
    states: list[int]
    next_due_ms: int
    def __init__(
        self,
        store: MailboxStore,
        clock: Callable[[], int],
        wake: Callable[[], None],
        *,
        next_seq: int = 1,
        journal: Callable[[Item], None] | None = None,
    ) -> None: ...
    def attach(self, outlet: Outlet, shards: list[int]) -> None: ...
    def detach(self, outlet: Outlet) -> None: ...
    def restore(self, mailbox: int, items: int, size: int) -> None: ...
    def box(self, mailbox: int) -> Mailbox: ...
    def post(self, sender: Outlet, posts: list[Post]) -> None: ...
    def ack(self, outlet: Outlet, marks: list[int]) -> None: ...
    def tick(self) -> None: ...
    def flush(self) -> None: ...
    def when_written(self, callback: Callable[[], None]) -> None: ...
    def discard(self, kind: int, rows: list[tuple[Any, ...]]) -> None: ...
