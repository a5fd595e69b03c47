"""The shapes of the API, once: routes decode and encode them, openapi.json describes them."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from corefast import __version__
from corefast.limits import MAX_TEXT_CHARACTERS

NUMBER_EXAMPLE = "49123123456"
ID_EXAMPLE = "gBGGSRcAAAAAAgkLl0Y0Pw"

# ── both ways ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Text(msgspec.Struct, frozen=True):
    body: Annotated[str, Meta(description=f"1 to {MAX_TEXT_CHARACTERS} characters", examples=["Hello world!"])]


class Context(msgspec.Struct, frozen=True):
    message_id: Annotated[str, Meta(description="The message that this one answers.", examples=[ID_EXAMPLE])]


class AnswerMeta(msgspec.Struct, frozen=True):
    version: Annotated[str, Meta(examples=["v0.1.0"])] = f"v{__version__}"
    api_status: Annotated[str, Meta(description="stable, deprecated or experimental")] = "stable"


META = AnswerMeta()


class MetaAnswer(msgspec.Struct, frozen=True):
    """The answer where there is nothing to tell."""

    meta: AnswerMeta = META


# ── POST /v1/messages ──────────────────────────────────────────────────────────────────────────────────────────────


class SentMessage(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(description="Opaque; the same in webhooks and look-ups.", examples=[ID_EXAMPLE])]


class SendAnswer(msgspec.Struct, frozen=True):
    messages: list[SentMessage]
    meta: AnswerMeta = META


# ── GET /v1/messages/{id} ──────────────────────────────────────────────────────────────────────────────────────────


class StatusChange(msgspec.Struct, frozen=True):
    status: Annotated[str, Meta(description="accepted, sent, delivered, read, failed or expired")]
    timestamp: Annotated[str, Meta(description="Unix seconds.", examples=["1900000000"])]
    at_ms: Annotated[int, Meta(description="The same in Unix milliseconds.", examples=[1900000000123])]


class ErrorItem(msgspec.Struct, frozen=True, omit_defaults=True):
    code: Annotated[int, Meta(examples=[1009])]
    title: Annotated[str, Meta(examples=["Parameter value is not valid"])]
    details: Annotated[str, Meta(description="What to change.")] = ""


class StoredMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message in either direction with all that became of it."""

    id: Annotated[str, Meta(examples=[ID_EXAMPLE])]
    direction: Annotated[str, Meta(description="outbound or inbound")]
    type: Annotated[str, Meta(examples=["text"])]
    status: Annotated[str, Meta(description="Its present state; it never goes back.", examples=["delivered"])]
    history: Annotated[list[StatusChange], Meta(description="Every state it has been in, oldest first.")]
    to: Annotated[str | UnsetType, Meta(description="The customer, when outbound.", examples=[NUMBER_EXAMPLE])] = UNSET
    from_: Annotated[str | UnsetType, Meta(description="The customer, when inbound.")] = msgspec.field(
        name="from", default=UNSET
    )
    group_id: Annotated[str | UnsetType, Meta(description="The group that it was said in.")] = UNSET
    text: Text | UnsetType = UNSET
    image: Annotated[Any, Meta(description="As in webhooks; so are video, audio, voice, document, sticker.")] = UNSET
    video: Any = UNSET
    audio: Any = UNSET
    voice: Any = UNSET
    document: Any = UNSET
    sticker: Any = UNSET
    location: Annotated[Any, Meta(description="As in POST /v1/messages.")] = UNSET
    contacts: Annotated[Any, Meta(description="As in POST /v1/messages.")] = UNSET
    interactive: Annotated[Any, Meta(description="As in POST /v1/messages, or the answer as in webhooks.")] = UNSET
    reaction: Annotated[Any, Meta(description="As in POST /v1/messages.")] = UNSET
    template: Annotated[Any, Meta(description="As the customer sees it: name, language, texts and buttons.")] = UNSET
    button: Annotated[Any, Meta(description="A pressed quick reply, as in webhooks.")] = UNSET
    context: Context | UnsetType = UNSET
    errors: Annotated[list[ErrorItem] | UnsetType, Meta(description="Why it failed.")] = UNSET


class MessageAnswer(msgspec.Struct, frozen=True):
    messages: list[StoredMessage]
    meta: AnswerMeta = META


# ── GET /v1/events ─────────────────────────────────────────────────────────────────────────────────────────────────


class FeedEvent(msgspec.Struct, frozen=True):
    """One event; *body* is byte for byte what the webhook gets under the same id."""

    id: Annotated[str, Meta(description="Stable; also the webhook-id.", examples=["evt_5dGk"])]
    kind: Annotated[
        str,
        Meta(
            description="message, sent, delivered, read, failed, expired, unreadable, identity_changed, "
            "bundle_downgraded, media_failed, superseded, messages_collected or media_collected",
            examples=["message"],
        ),
    ]
    at_ms: Annotated[int, Meta(description="Unix milliseconds.", examples=[1900000000123])]
    body: Annotated[msgspec.Raw, Meta(description="contacts, messages, statuses or errors, as in docs/webhooks.md")]


class EventsAnswer(msgspec.Struct, frozen=True):
    events: list[FeedEvent]
    cursor: Annotated[str, Meta(description="Pass it as `after` to get what comes next.")]
    oldest: Annotated[str, Meta(description="The cursor before the oldest event kept.")]
    meta: AnswerMeta = META


# ── POST /api/vN/chat ──────────────────────────────────────────────────────────────────────────────────────────────


class ChatRequest(msgspec.Struct, frozen=True):
    """A text or a file to one customer. Fields that are not listed are ignored."""

    id: Annotated[str, Meta(description="The number, in any usual spelling.", examples=[NUMBER_EXAMPLE])]
    message: Annotated[
        str | None,
        Meta(
            description=f"1 to {MAX_TEXT_CHARACTERS} characters; a caption beside an attachment",
            examples=["Hello world!"],
        ),
    ] = None
    apikey: Annotated[str | None, Meta(description="The API key, where no Authorization header is sent.")] = None
    linkpreview: Annotated[int | str | None, Meta(description="1 lets the phone show a preview of a link.")] = None
    attachment: Annotated[str | None, Meta(description="A link to a file that is sent.")] = None
    filename: Annotated[str | None, Meta(description="The name of the attachment.")] = None


class ChatAnswer(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(description="Opaque; the same in webhooks and look-ups.", examples=[ID_EXAMPLE])]
    status: Annotated[str, Meta(examples=["accepted"])] = "accepted"


# ── health ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class GatewayHealth(msgspec.Struct, frozen=True, omit_defaults=True):
    gateway_status: Annotated[
        str, Meta(description="connected, connecting, disconnected, uninitialized or unregistered")
    ]
    errors: Annotated[list[ErrorItem], Meta(description="What is wrong besides.")] = []


class HealthAnswer(msgspec.Struct, frozen=True):
    health: GatewayHealth
    meta: AnswerMeta = META


class Checks(msgspec.Struct, frozen=True):
    core: bool
    store: bool
    keys: bool
    relay: Annotated[str, Meta(description="The gateway status; ready does not need it: messages wait.")]


class ReadyAnswer(msgspec.Struct, frozen=True):
    status: Annotated[str, Meta(description="ready, not ready or draining")]
    checks: Checks


class LiveAnswer(msgspec.Struct, frozen=True):
    status: str = "alive"


# ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class ErrorAnswer(msgspec.Struct, frozen=True):
    """An error in the shape of the on-premises API."""

    errors: list[ErrorItem]
    meta: AnswerMeta = META


class Problem(msgspec.Struct, frozen=True):
    """An error as RFC 9457 tells it."""

    type: Annotated[str, Meta(description="Where the documentation explains it.", examples=["/docs#number.invalid"])]
    title: Annotated[str, Meta(examples=["Parameter value is not valid"])]
    status: Annotated[int, Meta(examples=[400])]
    detail: Annotated[str, Meta(description="What to change.")]
    code: Annotated[str, Meta(description="Stable, for programs.", examples=["number.invalid"])]
