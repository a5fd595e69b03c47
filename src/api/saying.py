"""Between the JSON of the on-premises API and what a message says (`wire.body`), both ways."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from api.errors import TypeUnserved
from api.schema import Text
from api.shapes import messages as shapes
from api.template import call_of
from corefast.errors import ParameterInvalid, ParameterMissing
from corefast.wire import body as bodies
from corefast.wire.body import Saying
from corefast.wire.template import TemplateCall

T = TypeVar("T")

UNSERVED = {
    "hsm": "use type template with `template`",
    "product": "catalogues are not part of corefast",
    "product_list": "catalogues are not part of corefast",
    "catalog_message": "catalogues are not part of corefast",
    "flow": "flows are not part of corefast",
}
"""Types of the original that nobody sends here, and what is in their place."""


# ── from JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────


def saying_of(wanted: shapes.SendRequest) -> Saying | TemplateCall:
    """Return what *wanted* says; raise where a field is missing or the type is none."""
    if (reason := UNSERVED.get(wanted.type)) is not None:
        raise TypeUnserved(f"type {wanted.type} is not served: {reason}")
    maker = _MAKERS.get(wanted.type)
    if maker is None:
        raise ParameterInvalid(f"`type` has to be one of {', '.join(sorted(_MAKERS))}")
    return maker(wanted)


def quoted_by(wanted: shapes.SendRequest) -> str:
    """Return the id of the message that *wanted* answers, or reacts to; empty where it begins anew."""
    if wanted.type == "reaction" and wanted.reaction is not None:
        return wanted.reaction.message_id
    return wanted.context.message_id if wanted.context else ""


def ttl_ms_of(wanted: shapes.SendRequest) -> int:
    """Return how long *wanted* may wait for its recipient, 0 where that is not said."""
    ttl = wanted.ttl
    if ttl is None:
        return 0
    if isinstance(ttl, shapes.Ttl):
        ttl = ((ttl.days * 24 + ttl.hours) * 60 + ttl.minutes) * 60 + ttl.seconds
    if ttl < 1:
        raise ParameterInvalid("`ttl` has to be a second or more: seconds, or {days, hours, minutes, seconds}")
    return ttl * 1_000


def _text(wanted: shapes.SendRequest) -> Saying:
    if wanted.text is None:
        raise ParameterMissing('`text` is missing: "text": {"body": "…"}')
    return bodies.Text(wanted.text.body, wanted.preview_url)


def _location(wanted: shapes.SendRequest) -> Saying:
    return _same(_given(wanted.location, "location"), bodies.Location)


def _contacts(wanted: shapes.SendRequest) -> Saying:
    return bodies.ContactCards([_same(card, bodies.ContactCard) for card in _given(wanted.contacts, "contacts")])


def _reaction(wanted: shapes.SendRequest) -> Saying:
    return bodies.Reaction(_given(wanted.reaction, "reaction").emoji)


def _interactive(wanted: shapes.SendRequest) -> Saying:
    given = _given(wanted.interactive, "interactive")
    if (reason := UNSERVED.get(given.type)) is not None:
        raise TypeUnserved(f"interactive type {given.type} is not served: {reason}")
    if given.type not in ("button", "list"):
        raise ParameterInvalid("`interactive.type` has to be button or list")
    body = _given(given.body, "interactive.body").text
    footer = given.footer.text if given.footer else ""
    header = _header(given.header)
    if given.type == "button":
        for at, button in enumerate(given.action.buttons):
            if button.type != "reply":
                raise ParameterInvalid(f"`interactive.action.buttons[{at}].type` has to be reply")
        buttons = [bodies.Option(each.reply.id, each.reply.title) for each in given.action.buttons]
        return bodies.ReplyButtons(body, buttons, header, footer)
    sections = [
        bodies.Section([bodies.Option(row.id, row.title, row.description) for row in each.rows], each.title)
        for each in given.action.sections
    ]
    return bodies.OptionList(body, given.action.button, sections, header, footer)


def _header(header: shapes.Header | None) -> str:
    if header is None:
        return ""
    if header.type != "text":
        raise ParameterInvalid("`interactive.header.type` has to be text")
    if not header.text:
        raise ParameterMissing("`interactive.header.text` is missing")
    return header.text


def _template(wanted: shapes.SendRequest) -> TemplateCall:
    return call_of(_given(wanted.template, "template"))


def _given(field: T | None, name: str) -> T:
    if field is None:
        raise ParameterMissing(f"`{name}` is missing")
    return field


def _same(value: msgspec.Struct, kind: type[T]) -> T:
    """Return *value* as the struct *kind*, whose fields have the same names."""
    return msgspec.convert(value, kind, from_attributes=True)


_MAKERS: dict[str, Callable[[shapes.SendRequest], Saying | TemplateCall]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "reaction": _reaction,
    "template": _template,
}


# ── to JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────


def tell(body: Saying | None, quoted: str) -> tuple[str, dict[str, object]]:
    """Return the type of a message and the fields that hold it; *quoted* is the id of the message it answers."""
    match body:
        case bodies.Text(words):
            return "text", {"text": Text(words)}
        case bodies.Location():
            return "location", {"location": _same(body, shapes.Location)}
        case bodies.ContactCards(cards):
            return "contacts", {"contacts": [_same(card, shapes.ContactCard) for card in cards]}
        case bodies.Reaction(emoji):
            return "reaction", {"reaction": shapes.Reaction(quoted, emoji)}
        case bodies.QuickReply():
            return "button", {"button": _same(body, shapes.QuickReply)}
        case bodies.ButtonReply():
            reply = shapes.InteractiveTold("button_reply", button_reply=_same(body, shapes.ButtonReply))
            return "interactive", {"interactive": reply}
        case bodies.ListReply():
            reply = shapes.InteractiveTold("list_reply", list_reply=_same(body, shapes.ListReply))
            return "interactive", {"interactive": reply}
        case bodies.ReplyButtons():
            return "interactive", {"interactive": _told_buttons(body)}
        case bodies.OptionList():
            return "interactive", {"interactive": _told_list(body)}
        case bodies.Template():
            return "template", {"template": _told_template(body)}
    return "unknown", {}


def _told_buttons(body: bodies.ReplyButtons) -> shapes.InteractiveTold:
    buttons = [shapes.Button(shapes.Reply(each.id, each.title)) for each in body.buttons]
    return _told("button", body, shapes.Action(buttons=buttons))


def _told_list(body: bodies.OptionList) -> shapes.InteractiveTold:
    sections = [_same(section, shapes.Section) for section in body.sections]
    return _told("list", body, shapes.Action(button=body.label, sections=sections))


def _told(kind: str, body: bodies.ReplyButtons | bodies.OptionList, action: shapes.Action) -> shapes.InteractiveTold:
    header = shapes.Header("text", body.header) if body.header else None
    footer = shapes.Words(body.footer) if body.footer else None
    words = shapes.Words(body.body)
    return shapes.InteractiveTold(kind, action=action, body=words, header=header, footer=footer)


def _told_template(body: bodies.Template) -> shapes.TemplateTold:
    buttons = [shapes.TemplateToldButton(each.kind, each.title, each.value) for each in body.buttons]
    location = _same(body.location, shapes.Location) if body.location else None
    language = shapes.TemplateLanguage(body.language)
    return shapes.TemplateTold(body.name, language, body.body, body.header, body.footer, buttons, location)
