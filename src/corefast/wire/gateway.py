"""The gateway protocol: what fronts and webhook emitters say to a core. Every message is a call with one answer."""

from enum import StrEnum

import msgspec

from corefast.wire import access, certificates, contacts, group, media, registration, settings, stats, template
from corefast.wire.body import Saying, Text
from corefast.wire.media import MediaInfo, MediaRef
from corefast.wire.template import TemplateCall


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


class Scope(StrEnum):
    SEND = "send"
    READ = "read"
    ADMIN = "admin"


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """Why a message failed: a webhook error code of the on-premises API, its title, and a sentence for people."""

    code: int
    title: str
    details: str


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
        return self.body.body if isinstance(self.body, Text) else ""


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


# ── webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────────


class SetWebhook(msgspec.Struct, frozen=True, array_like=True, tag=20):
    """→ `Webhook`. An empty URL turns webhooks off. The secret is made on the first call and kept."""

    url: str
    statuses: tuple[State, ...] = (State.SENT, State.DELIVERED, State.READ, State.FAILED)
    account: str = ""


class GetWebhook(msgspec.Struct, frozen=True, array_like=True, tag=21):
    """→ `Webhook`."""

    account: str = ""


class Webhook(msgspec.Struct, frozen=True, array_like=True, tag=22):
    """*secret* is `whsec_…` (Standard Webhooks).

    With deliveries come how many may be posted at a time (*concurrency*; 0: as the emitter likes), and a name for the
    certificates to trust besides the system's (*authorities*, of `GetAuthorities`; empty: none).
    """

    url: str
    secret: str
    statuses: tuple[State, ...]
    concurrency: int = 0
    authorities: str = ""


class ClaimDeliveries(msgspec.Struct, frozen=True, array_like=True, tag=23):
    """→ `Deliveries`: events due now of one account, at most one of each conversation at a time.

    It waits up to *wait_ms* for the first one; accounts take turns. A claim lasts as long as the link that made it.
    Without a webhook it waits and comes back empty.
    """

    limit: int = 100
    wait_ms: int = 20_000


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """*attempt* counts from 1."""

    event: Event
    attempt: int


class Deliveries(msgspec.Struct, frozen=True, array_like=True, tag=24):
    webhook: Webhook
    deliveries: list[Delivery]


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """*status*: the HTTP status, 0 when none came; *disable*: the receiver answered 410; *took_ms*: the attempt."""

    event_id: str
    delivered: bool
    status: int = 0
    error: str = ""
    retry_after_ms: int = 0
    disable: bool = False
    took_ms: int = 0


class ReportDeliveries(msgspec.Struct, frozen=True, array_like=True, tag=25):
    """→ `Done` once it is durable."""

    outcomes: list[Outcome]


class ListDead(msgspec.Struct, frozen=True, array_like=True, tag=26):
    """→ `DeadDeliveries`: those that used up their schedule, oldest first."""

    limit: int = 100
    account: str = ""


class DeadDelivery(msgspec.Struct, frozen=True, array_like=True):
    event_id: str
    attempts: int
    last_ms: int
    status: int
    error: str


class DeadDeliveries(msgspec.Struct, frozen=True, array_like=True, tag=27):
    deliveries: list[DeadDelivery]


class ReplayDeliveries(msgspec.Struct, frozen=True, array_like=True, tag=28):
    """Put dead deliveries (all of them when *event_ids* is empty) back on the schedule. → `Done`."""

    event_ids: list[str] = []
    account: str = ""


# ── peers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class PeerPin(StrEnum):
    """What the operator allows one peer: an older protocol than everybody else has to speak (docs/protocol.md)."""

    NONE = "none"
    WITHOUT_SPQR = "without_spqr"
    X3DH = "x3dh"


class GetPeer(msgspec.Struct, frozen=True, array_like=True, tag=40):
    """→ `PeerView`. *number* in any spelling; *account* may be left out. Errors: `number.invalid`, `token.invalid`."""

    number: str
    account: str = ""


class PeerView(msgspec.Struct, frozen=True, array_like=True, tag=41):
    """A peer as we know it; of a number that we never met all but *number* and *pin* is empty.

    *identity_hash* names its identity key, which *created_ms* was first seen (0: before that was noted); *acknowledged*
    is false from a change of the key on until `AcceptIdentity`; *blocked* where nothing is sent meanwhile. *devices*
    have a session with us. *safety_number*: 60 digits in groups of five, the same on the peer's side; left out in
    lists. *downgraded*: its keys lack the post-quantum one, and nothing is sent for that reason.
    """

    number: str
    identity_hash: str
    created_ms: int
    acknowledged: bool
    blocked: bool
    pin: PeerPin
    downgraded: bool
    devices: int
    safety_number: str = ""


class PinPeer(msgspec.Struct, frozen=True, array_like=True, tag=42):
    """→ `PeerView`. The sessions with the peer end, and new ones begin as *pin* says. Errors as `GetPeer`."""

    number: str
    pin: PeerPin
    account: str = ""


class AcceptIdentity(msgspec.Struct, frozen=True, array_like=True, tag=43):
    """Acknowledge the identity key with this *hash*. → `PeerView`. A repeat is harmless.

    Errors: those of `GetPeer`, `peer.unknown`, `identity.mismatch` where the peer has another key by now.
    """

    number: str
    hash: str
    account: str = ""


class ListPeers(msgspec.Struct, frozen=True, array_like=True, tag=44):
    """→ `Peers` that are pinned, not acknowledged or downgraded, behind row *after*. Errors: `token.invalid`."""

    after: int = 0
    limit: int = 100
    account: str = ""


class Peers(msgspec.Struct, frozen=True, array_like=True, tag=45):
    """*next* is for the next `ListPeers`; 0 where these were the last."""

    peers: list[PeerView]
    next: int


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
    | ReadEvents
    | Events
    | SetWebhook
    | GetWebhook
    | Webhook
    | ClaimDeliveries
    | Deliveries
    | ReportDeliveries
    | ListDead
    | DeadDeliveries
    | ReplayDeliveries
    | GetPeer
    | PeerView
    | PinPeer
    | AcceptIdentity
    | ListPeers
    | Peers
    | GetHealth
    | Health
    | GetMetrics
    | Metrics
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
