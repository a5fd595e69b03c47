"""Events as JSON objects, with the field names of the on-premises API's webhooks (docs/phone.md)."""

from collections.abc import Callable
from typing import Any

import msgspec

from corefast.device.event import (
    DevicesNews,
    Event,
    GroupChanged,
    IdentityNews,
    Limited,
    LinkFailed,
    MessageReceived,
    MessageSent,
    Offline,
    ReadElsewhere,
    Ready,
    Safety,
    StatusChanged,
    Stopped,
    Unreadable,
)
from corefast.device.file import kind_of
from corefast.device.groups import GroupView
from corefast.device.name import encode_id
from corefast.errors import RateLimited
from corefast.wire import body as bodies
from corefast.wire.content import Medium

_encode = msgspec.json.Encoder().encode

Fields = dict[str, Any]


def line_of(fields: Fields) -> bytes:
    return _encode(fields) + b"\n"


def fields_of(event: Event) -> Fields:
    """Return the JSON object of *event*."""
    return _WRITERS[type(event)](event)


def safety_fields(safety: Safety) -> Fields:
    return {"event": "safety"} | msgspec.structs.asdict(safety)


def group_fields(group: GroupView) -> Fields:
    fields: Fields = {"group": encode_id(group.id), "subject": group.subject, "founder": group.founder}
    return fields | {"members": group.members, "is_member": group.is_member}


# ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────────


def say(message: MessageReceived | MessageSent) -> Fields:
    """Return `type`, the field that it names, and `context` for one that quotes another."""
    kind, said = _said(message)
    fields: Fields = {"type": kind} | ({kind: said} if said is not None else {})
    if message.reply_to is not None and kind != "reaction":
        fields["context"] = {"id": encode_id(message.reply_to)}
    return fields


def _said(message: MessageReceived | MessageSent) -> tuple[str, Any]:
    body = message.body
    match body:
        case bodies.Text(words):
            return "text", words
        case bodies.Location():
            return "location", plain(body)
        case bodies.ContactCards(cards):
            return "contacts", [plain(card) for card in cards]
        case bodies.Reaction(emoji):
            return "reaction", {"message_id": encode_id(message.reply_to or b""), "emoji": emoji}
        case bodies.QuickReply():
            return "button", plain(body)
        case bodies.ButtonReply():
            return "interactive", {"type": "button_reply", "button_reply": plain(body)}
        case bodies.ListReply():
            return "interactive", {"type": "list_reply", "list_reply": plain(body)}
        case bodies.ReplyButtons(buttons=buttons):
            action = {"buttons": [{"type": "reply", "reply": plain(each)} for each in buttons]}
            return "interactive", _interactive("button", body, action) | _header(message.media)
        case bodies.OptionList(label=label, sections=sections):
            return "interactive", _interactive("list", body, {"button": label, "sections": plain(sections)})
        case bodies.Template():
            return "template", plain(body) | ({"media": _medium(message.media)} if message.media else {})
        case bodies.Attachment(kind):
            said = {name: text for name, text in plain(body).items() if name != "kind"}
            return kind.value, said | _medium(message.media)
    return "unsupported", None


def _interactive(kind: str, body: bodies.ReplyButtons | bodies.OptionList, action: Fields) -> Fields:
    fields: Fields = {"type": kind, "body": {"text": body.body}, "action": action}
    if body.header:
        fields["header"] = {"type": "text", "text": body.header}
    if body.footer:
        fields["footer"] = {"text": body.footer}
    return fields


def _medium(medium: Medium | None) -> Fields:
    """Return what may be told of a file; its key stays here."""
    return {"mime_type": medium.mime, "sha256": medium.sha256.hex(), "size": medium.size} if medium else {}


def _header(medium: Medium | None) -> Fields:
    kind = kind_of(medium.mime).value if medium else ""
    return {"header": {"type": kind, kind: _medium(medium)}} if medium else {}


def plain(value: Any) -> Any:
    """Return a struct as an object without its empty fields."""
    if isinstance(value, msgspec.Struct):
        fields = {field.name: getattr(value, field.name) for field in msgspec.structs.fields(value)}
        return {name: plain(each) for name, each in fields.items() if each not in ("", None, [])}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


# ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _received(event: MessageReceived) -> Fields:
    fields: Fields = {"event": "message", "from": event.sender, "id": encode_id(event.id)} | say(event)
    return fields | {"at_ms": event.at_ms} | ({"name": event.name} if event.name else {}) | _group(event)


def _sent(event: MessageSent) -> Fields:
    to: Fields = {} if event.group else {"to": event.recipient}
    fields: Fields = {"event": "sent"} | to | {"id": encode_id(event.id)} | say(event)
    return fields | {"at_ms": event.at_ms, "device": event.device} | _group(event)


def _group(event: MessageReceived | MessageSent) -> Fields:
    return {"group": encode_id(event.group), "subject": event.subject} if event.group else {}


def _group_changed(event: GroupChanged) -> Fields:
    fields: Fields = {"event": "group", "group": encode_id(event.group), "subject": event.subject, "by": event.author}
    changes = {"added": event.added, "removed": event.removed, "left": event.left, "renamed": event.is_renamed}
    return fields | {name: change for name, change in changes.items() if change} | {"at_ms": event.at_ms}


def _status(event: StatusChanged) -> Fields:
    fields: Fields = {"event": "status", "id": encode_id(event.id), "to": event.recipient}
    fields |= {"status": event.status, "at_ms": event.at_ms}
    group = {"group": encode_id(event.group)} if event.group else {}
    return fields | ({"code": event.code} if event.code else {}) | group


def _stored(name: str, event: Unreadable | IdentityNews) -> Fields:
    return {"event": name, "from": event.sender, "id": encode_id(event.id), "at_ms": event.at_ms}


_WRITERS: dict[type, Callable[[Any], Fields]] = {
    Ready: lambda e: {"event": "ready", "number": e.number, "device": e.device},
    Offline: lambda e: {"event": "error", "code": e.code, "text": e.text},
    Limited: lambda e: {"event": "limited", "code": RateLimited.code, "retry_after_ms": e.retry_after_ms},
    Stopped: lambda e: {"event": "error", "code": e.code, "text": e.text},
    MessageReceived: _received,
    MessageSent: _sent,
    ReadElsewhere: lambda e: {"event": "read", "from": e.sender, "ids": [encode_id(each) for each in e.ids]},
    DevicesNews: lambda e: {"event": "devices_changed", "devices": e.devices},
    LinkFailed: lambda e: {"event": "link_failed", "code": e.code, "text": e.text},
    StatusChanged: _status,
    GroupChanged: _group_changed,
    Unreadable: lambda e: _stored("unreadable", e) | {"code": e.code},
    IdentityNews: lambda e: _stored("identity_changed", e),
}
