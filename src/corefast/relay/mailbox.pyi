from collections.abc import Callable
from typing import Any

from corefast.address import Address
from corefast.relay.presence import Present

__pyx_capi__: dict[str, object]

ID_BYTES: int
SHARD_BITS: int
MAX_SHARDS: int
ITEM_OVERHEAD: int

class Account:
    number: str
    devices_version: int
    shards: int
    devices: list[Device]
    def __init__(self, number: str, devices_version: int, shards: int) -> None: ...

class Device:
    row: int
    address: Address
    account: Account
    is_gone: bool
    def __init__(self, row: int, address: Address, account: Account) -> None: ...
    def box(self, shard: int) -> Mailbox: ...

class Mailbox:
    key: int
    owner: Device
    items: int
    bytes: int
    outlet: Outlet | None
    def __init__(self, owner: Device, key: int) -> None: ...

class Post:
    def __init__(self, id: bytes, sender: Outlet) -> None: ...

class Item:
    seq: int
    box: Mailbox
    sender: Device
    id: bytes
    kind: int
    at_ms: int
    body: bytes
    def __init__(self, box: Mailbox, sender: Device, id: bytes, kind: int, body: bytes) -> None: ...
    def row(self) -> tuple[Any, ...]: ...

class Outlet:
    device: Device
    owner: Present
    boxes: list[Mailbox]
    is_open: bool
    unanswered: int
    mark: int
    def __init__(
        self, device: Device, send: Callable[[Any], None], owner: Present | None = None, last_mark: int = 0
    ) -> None: ...
