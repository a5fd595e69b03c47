"""The gateway protocol: what fronts and webhook emitters say to a core. Every message is a call with one answer."""

from enum import StrEnum

import msgspec

from corefast.wire import (
    access,
    certificates,
    contacts,
    event,
    group,
    media,
    peer,
    registration,
    settings,
    stats,
    template,
    webhook,
)
from corefast.wire.body import Saying
from corefast.wire.event import Failure, State
from corefast.wire.media import MediaInfo, MediaRef
from corefast.wire.template import TemplateCall


class Scope(StrEnum):
    SEND = "send"
    READ = "read"
    ADMIN = "admin"


# ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class CheckKey(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """*digest*: SHA-256 of the API key as the client sent it. → `KeyView`. Errors: `token.invalid`."""

    digest: bytes


class KeyView(msgspec.Struct, frozen=True, array_like=True, tag=2):
    id: str
    name: str
    account: str
    scopes: tuple[Scope, ...]
    created_ms: int
    user: str = ""
    """The user whose token it is; empty for an API key."""
    may_choose: bool = False
    """Administers every account and names one in each request; *account* is the only one there is, or empty."""


class NewKey(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """→ `NewKeyMade`. With *key* an existing secret is taken over (`cf_…`), and a repeat is harmless.

    *account* may be left out where there is one, here and in what follows. Errors: `account.unknown`.
    """

    name: str
    scopes: tuple[Scope, ...] = (Scope.SEND, Scope.READ, Scope.ADMIN)
    key: str = ""
    account: str = ""


class NewKeyMade(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """*key* is shown here once and never again; the core stores its digest."""

    view: KeyView
    key: str


class ListKeys(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """→ `Keys`; of all accounts where none is named."""

    account: str = ""


class Keys(msgspec.Struct, frozen=True, array_like=True, tag=6):
    keys: list[KeyView]


class RevokeKey(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """→ `Done`. Errors: `token.invalid` where no key has this id."""

    id: str


class Done(msgspec.Struct, frozen=True, array_like=True, tag=8):
    pass


# ── sending and reading ────────────────────────────────────────────────────────────────────────────────────────────


class Idempotency(msgspec.Struct, frozen=True, array_like=True):
    """*scope*: key id and route; *fingerprint*: SHA-256 of the decoded request."""

    scope: str
    key: str
    fingerprint: bytes


class Send(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """→ `Accepted` once it is durable. *to* in any spelling.

    Errors: `number.invalid`, `recipient.is_sender`, `identity.unacknowledged`, `message.too_long`, `parameter.missing`,
    `parameter.invalid`, `template.…`, `idempotency.running`, `idempotency.mismatch`, `overloaded`, `media.…`,
    `group.…`, `store…`.
    """

    account: str
    to: str
    body: Saying | TemplateCall
    reply_to: str = ""
    idempotency: Idempotency | None = None
    ttl_ms: int = 0
    """How long it may wait for the recipient's device before it is `expired`; 0 for the relay's own limit."""
    opaque: str = ""
    """Comes back with each status."""
    media: MediaRef | None = None
    group: bool = False
    """*to* is the id of a group."""


class Accepted(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """*id* as clients see it; *to* canonical; *replayed* when the idempotency key answered."""

    id: str
    to: str
    replayed: bool = False


class GetMessage(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """→ `MessageView`. Errors: `message.unknown`."""

    account: str
    id: str


class MarkRead(msgspec.Struct, frozen=True, array_like=True, tag=16):
    """→ `Done`, once it is durable that the peer will be told; earlier messages of the peer are read then, too.

    Errors: `message.unknown`, those of `Send`.
    """

    account: str
    id: str


class StateChange(msgspec.Struct, frozen=True, array_like=True):
    state: State
    at_ms: int


class MessageView(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """A message in either direction, with its history oldest first; *body* is None where it could not be read.

    Of ours to a *group*, *peer* is empty and the history is what all its members have reached.
    """

    id: str
    direction: str
    peer: str
    body: Saying | None
    state: State
    history: list[StateChange]
    failure: Failure | None = None
    reply_to: str = ""
    media: MediaInfo | None = None
    group: str = ""


# ── operations ─────────────────────────────────────────────────────────────────────────────────────────────────────


class GetHealth(msgspec.Struct, frozen=True, array_like=True, tag=30):
    """→ `Health` of an account; where none is named, of the worst."""

    account: str = ""


class Health(msgspec.Struct, frozen=True, array_like=True, tag=31):
    """*gateway_status* in the on-premises words: connected, connecting, disconnected, uninitialized, unregistered."""

    node: str
    number: str
    gateway_status: str
    store_ok: bool
    keys_ok: bool
    waiting_messages: int
    waiting_deliveries: int
    version: str


class GetMetrics(msgspec.Struct, frozen=True, array_like=True, tag=32):
    """→ `Metrics`: the core's own, in the Prometheus text format."""


class Metrics(msgspec.Struct, frozen=True, array_like=True, tag=33):
    text: str


Message = (
    CheckKey
    | KeyView
    | NewKey
    | NewKeyMade
    | ListKeys
    | Keys
    | RevokeKey
    | Done
    | Send
    | Accepted
    | GetMessage
    | MarkRead
    | MessageView
    | GetHealth
    | Health
    | GetMetrics
    | Metrics
    | event.Message
    | webhook.Message
    | peer.Message
    | media.Message
    | access.Message
    | template.Message
    | settings.Message
    | stats.Message
    | certificates.Message
    | registration.Message
    | contacts.Message
    | group.Message
)
