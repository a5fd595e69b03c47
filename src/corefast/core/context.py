"""What the parts of a core share: what belongs to the process, and what to one account."""

from collections.abc import Callable

import msgspec

from corefast.core.group.book import Groups
from corefast.core.ids import Ids
from corefast.core.store.deliveries import DeliveryStore
from corefast.core.store.events import EventStore
from corefast.core.store.group_messages import GroupMessageStore
from corefast.core.store.idempotency import IdempotencyStore
from corefast.core.store.inbound import InboundStore
from corefast.core.store.keys import KeyStore
from corefast.core.store.lease import Floors, Lease
from corefast.core.store.media import MediaStore
from corefast.core.store.messages import MessageStore
from corefast.core.store.peers import PeerStore
from corefast.core.store.resend import ResendStore
from corefast.core.store.span import Span
from corefast.endpoint.resend import Book
from corefast.endpoint.stock import OwnKeys
from corefast.endpoint.trust import Policy
from corefast.endpoint.vault import Vault
from corefast.store.database import Database
from corefast.wire.body import MediaKind


class Sequence:
    """Row numbers of one table: given in memory, in order, never twice; those of failed commits stay gaps."""

    __slots__ = ("last",)

    def __init__(self, last: int) -> None:
        self.last = last

    def take(self) -> int:
        self.last += 1
        return self.last


class Bell:
    """Rung after each commit that wrote events."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def ring(self) -> None:
        for listener in self._listeners:
            listener()


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """What all accounts of a core have in common."""

    shard: int
    clock: Callable[[], int]
    """Unix time in milliseconds."""
    random: Callable[[int], bytes]
    database: Database
    vault: Vault
    lease: Lease
    next_peer: Sequence
    """Peers of all accounts are numbered together: sessions are named by their peer alone."""


class Context(msgspec.Struct, kw_only=True):
    """One account as this process holds it."""

    number: str
    span: Span
    own: OwnKeys
    ids: Ids
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    bell: Bell
    identity_policy: Policy = Policy.FLAG
    """What happens when a peer's identity key changes."""
    pass_through: bool = False
    """Bodies are forgotten once they have arrived."""
    auto_download: frozenset[str] = frozenset(MediaKind)
    """Kinds of inbound media that are fetched unasked."""
    name: str = ""
    """The business's name, told with each of its messages."""

    database: Database
    vault: Vault
    lease: Lease
    floors: Floors
    keys: KeyStore
    peers: PeerStore
    messages: MessageStore
    inbound: InboundStore
    events: EventStore
    deliveries: DeliveryStore
    idempotency: IdempotencyStore
    resends: ResendStore
    book: Book
    media: MediaStore
    groups: Groups
    said: GroupMessageStore

    next_message: Sequence
    next_peer: Sequence
    next_inbound: Sequence

    @property
    def account(self) -> int:
        return self.span.account

    @property
    def shard(self) -> int:
        return self.span.shard
