"""An event as the on-premises API's webhooks tell it.

The body depends on the event and nothing else, so every attempt, and the feed, has the same bytes. Compact, keys in
alphabetical order, as the original sent them.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from api import schema
from api.saying import tell
from api.shapes import messages as shapes
from api.shapes.media import MediumTold
from corefast.wire.event import Event, EventKind, Failure


class Profile(msgspec.Struct, frozen=True):
    name: str
    """Empty where the customer gave none: programs for the original look it up without asking whether it is there."""


class Contact(msgspec.Struct, frozen=True):
    profile: Profile
    wa_id: str


class Context(msgspec.Struct, frozen=True):
    id: str


class System(msgspec.Struct, frozen=True):
    body: str
    type: str


class Identity(msgspec.Struct, frozen=True):
    """The sender's identity key, where nobody had acknowledged it when the message came."""

    acknowledged: bool
    created_timestamp: int
    hash: str


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    code: int
    title: str
    details: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True, rename={"sender": "from"}):
    sender: str
    id: str
    timestamp: str
    type: str
    text: schema.Text | None = None
    image: MediumTold | None = None
    video: MediumTold | None = None
    audio: MediumTold | None = None
    voice: MediumTold | None = None
    document: MediumTold | None = None
    sticker: MediumTold | None = None
    location: shapes.Location | None = None
    contacts: list[shapes.ContactCard] | None = None
    interactive: shapes.InteractiveTold | None = None
    reaction: shapes.Reaction | None = None
    button: shapes.QuickReply | None = None
    template: shapes.TemplateTold | None = None
    context: Context | None = None
    group_id: str = ""
    identity: Identity | None = None
    system: System | None = None
    errors: list[Trouble] = []


class Recipient(msgspec.Struct, frozen=True):
    recipient_id: str


class Status(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    recipient_id: str
    status: str
    timestamp: str
    message: Recipient
    type: str = msgspec.field(default_factory=lambda: "message")
    """Written always: a factory's default is not left out."""
    errors: list[Trouble] = []
    biz_opaque_callback_data: str = ""
    group_id: str = ""


class Collected(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a collection of garbage came to: complete or failed."""

    status: str
    messages_deleted: int | UnsetType = UNSET
    items_deleted: int | UnsetType = UNSET


class Collection(msgspec.Struct, frozen=True):
    gc: Collected


class ServiceReport(msgspec.Struct, frozen=True, omit_defaults=True):
    message: Collection | None = None
    media: Collection | None = None


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """One webhook: one of its five lists has one entry; `contacts` comes with a message."""

    contacts: list[Contact] = []
    messages: list[Message] = []
    statuses: list[Status] = []
    errors: list[Trouble] = []
    services: list[ServiceReport] = []


EXPIRED = Failure(410, "Message expired", "The recipient's devices did not fetch the message in time.")
FAILED = Failure(500, "Generic error", "The message could not be sent.")
UNREADABLE = Trouble(
    501, "Unknown message type", "A message from this sender could not be decrypted; ask for it once more."
)
UNSUPPORTED = Trouble(501, "Unknown message type", "A message of a type that this release does not know.")
SUPERSEDED = Trouble(
    500, "Generic error", "Another copy of this account attached to the relay; this one no longer sends. Choose one."
)

_encode = msgspec.json.Encoder(order="sorted").encode


def encode_body(event: Event) -> bytes:
    """Return the JSON body for *event*."""
    return _encode(_MAKERS[event.kind](event))


def _message(event: Event) -> Body:
    context = Context(event.reply_to) if event.reply_to else None
    seen = event.identity
    identity = Identity(seen.acknowledged, seen.created_ms, seen.hash) if seen else None
    kind, said = tell(event.body, event.reply_to, event.media)
    facts: dict[str, Any] = dict(said)
    if kind == "unknown":
        facts["errors"] = [UNSUPPORTED]
    if event.group:
        facts["group_id"] = event.group
    message = Message(event.peer, event.message_id, _seconds(event), kind, context=context, identity=identity, **facts)
    return Body([Contact(Profile(event.name), event.peer)], [message])


def _status(event: Event) -> Body:
    return _status_body(event, event.kind.value, None)


def _failed(event: Event) -> Body:
    return _status_body(event, "failed", event.failure or FAILED)


def _expired(event: Event) -> Body:
    """The original has no status of that name: a message that outlived its time is failed with code 410."""
    return _status_body(event, "failed", event.failure or EXPIRED)


def _status_body(event: Event, status: str, failure: Failure | None) -> Body:
    troubles = [Trouble(failure.code, failure.title, failure.details)] if failure else []
    told = Status(
        event.message_id,
        event.peer,
        status,
        _seconds(event),
        Recipient(event.peer),
        errors=troubles,
        biz_opaque_callback_data=event.opaque,
        group_id=event.group,
    )
    return Body(statuses=[told])


def _unreadable(event: Event) -> Body:
    message = Message(event.peer, event.message_id or event.id, _seconds(event), "unknown", errors=[UNREADABLE])
    return Body([Contact(Profile(event.name), event.peer)], [message])


def _identity_changed(event: Event) -> Body:
    return _system_body(event, f"The security code of {event.peer} changed.", "user_identity_changed")


def _bundle_downgraded(event: Event) -> Body:
    text = (
        f"A session with {event.peer} without its post-quantum key was refused: "
        f"old software, or somebody on the way. corefast peer pin {event.peer} allows it."
    )
    return _system_body(event, text, "bundle_downgraded")


def _system_body(event: Event, text: str, kind: str) -> Body:
    system = System(text, kind)
    return Body(messages=[Message(event.peer, event.message_id or event.id, _seconds(event), "system", system=system)])


def _media_failed(event: Event) -> Body:
    details = f"The medium of message {event.message_id} from {event.peer} is not at the relay, or is not genuine."
    return Body(errors=[Trouble(400, "Media download error", details)])


def _superseded(event: Event) -> Body:
    return Body(errors=[SUPERSEDED])


def _messages_collected(event: Event) -> Body:
    return Body(services=[ServiceReport(message=Collection(_collected(event, "messages_deleted")))])


def _media_collected(event: Event) -> Body:
    return Body(services=[ServiceReport(media=Collection(_collected(event, "items_deleted")))])


def _collected(event: Event, name: str) -> Collected:
    return Collected("failed") if event.count < 0 else Collected("complete", **{name: event.count})


def _seconds(event: Event) -> str:
    return str(event.at_ms // 1_000)


_MAKERS: dict[EventKind, Callable[[Event], Body]] = {
    EventKind.MESSAGE: _message,
    EventKind.SENT: _status,
    EventKind.DELIVERED: _status,
    EventKind.READ: _status,
    EventKind.FAILED: _failed,
    EventKind.EXPIRED: _expired,
    EventKind.UNREADABLE: _unreadable,
    EventKind.IDENTITY_CHANGED: _identity_changed,
    EventKind.SUPERSEDED: _superseded,
    EventKind.BUNDLE_DOWNGRADED: _bundle_downgraded,
    EventKind.MESSAGES_COLLECTED: _messages_collected,
    EventKind.MEDIA_COLLECTED: _media_collected,
    EventKind.MEDIA_FAILED: _media_failed,
}
