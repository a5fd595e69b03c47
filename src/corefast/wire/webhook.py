"""The gateway's messages about webhooks: where they go, what is due, and what became of it."""

import msgspec

from corefast.wire.event import Event, State


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


Message = (
    SetWebhook
    | GetWebhook
    | Webhook
    | ClaimDeliveries
    | Deliveries
    | ReportDeliveries
    | ListDead
    | DeadDeliveries
    | ReplayDeliveries
)
