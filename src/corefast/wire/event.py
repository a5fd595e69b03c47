"""The gateway's messages about the feed: what happened to messages, and around them."""

from enum import StrEnum

import msgspec

from corefast.wire.body import Saying, words_of
from corefast.wire.media import MediaInfo


class State(StrEnum):
    """A message's life; it never goes back."""

    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    EXPIRED = "expired"


class EventKind(StrEnum):
    MESSAGE = "message"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    IDENTITY_CHANGED = "identity_changed"
    SUPERSEDED = "superseded"
    BUNDLE_DOWNGRADED = "bundle_downgraded"
    MEDIA_FAILED = "media_failed"
    MESSAGES_COLLECTED = "messages_collected"
    MEDIA_COLLECTED = "media_collected"


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """Why a message failed: a webhook error code of the on-premises API, its title, and a sentence for people."""

    code: int
    title: str
    details: str


class SeenIdentity(msgspec.Struct, frozen=True, array_like=True):
    """The identity key under which a message came, as it stood then: *hash* names it, *created_ms* is when it came."""

    hash: str
    created_ms: int
    acknowledged: bool


class Event(msgspec.Struct, frozen=True, array_like=True):
    """One fact of the feed, the same bytes each time it is read.

    *id* is `evt_…`, stable; *position* orders events of one *shard*; *message_id* as clients see it; *body*, *name*
    and *reply_to* only for `MESSAGE`, *identity* for one under a key that was not acknowledged then; *failure* only for
    `FAILED` and `EXPIRED`.
    """

    id: str
    shard: int
    position: int
    kind: EventKind
    at_ms: int
    peer: str = ""
    message_id: str = ""
    body: Saying | None = None
    name: str = ""
    reply_to: str = ""
    failure: Failure | None = None
    identity: SeenIdentity | None = None

    opaque: str = ""
    """What the business gave with the message; only for its states."""
    media: MediaInfo | None = None

    count: int = 0
    """How many things a collection dropped, -1 where it failed."""
    group: str = ""
    """Where it was said; *message_id* is the same for all members then."""

    @property
    def text(self) -> str:
        """The words of a text message, else nothing."""
        return words_of(self.body)


class ReadEvents(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """→ `Events` after the opaque cursor (empty: the oldest kept), waiting up to *wait_ms* for the first one."""

    account: str
    after: str = ""
    limit: int = 100
    wait_ms: int = 0


class Events(msgspec.Struct, frozen=True, array_like=True, tag=15):
    events: list[Event]
    cursor: str
    oldest: str
    """The cursor before the oldest event kept: a reader that is behind it has missed some."""


Message = ReadEvents | Events
