from collections.abc import Callable

from corefast.relay.mailbox import Item
from corefast.relay.store.mailbox import MailboxStore

class Ledger:
    waiting: int
    def __init__(self, store: MailboxStore, written: Callable[[list[Item], list[bool] | None], None]) -> None: ...
