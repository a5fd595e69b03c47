"""Between the JSON of the on-premises API and what a message says (`wire.body`), both ways."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from api.errors import TypeUnserved
from api.schema import Text
from api.shapes import messages as shapes
from api.shapes.media import Medium, MediumTold
from api.template import call_of, header_medium, place_of
from corefast.errors import ParameterInvalid, ParameterMissing
from corefast.wire import body as bodies
from corefast.wire.body import Saying
from corefast.wire.media import MediaInfo, MediaRef
from corefast.wire.template import TemplateCall

T = TypeVar("T")

_ATTACHMENTS = ("image", "video", "audio", "document", "sticker")
_HEADERS = ("image", "video", "document")

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


def media_of(wanted: shapes.SendRequest) -> MediaRef | None:
    """Return the medium that *wanted* names, its own or its header's; None where it has none."""
    if wanted.type in _ATTACHMENTS:
        return _ref(getattr(wanted, wanted.type), "")
    if wanted.type == "template" and wanted.template is not None:
        kind, medium = header_medium(wanted.template)
        return _ref(medium, kind)
    header = wanted.interactive.header if wanted.type == "interactive" and wanted.interactive else None
    if header is None or header.type not in _HEADERS:
        return None
    return _ref(_given(getattr(header, header.type), f"interactive.header.{header.type}"), header.type)


def _ref(medium: Medium | None, kind: str) -> MediaRef | None:
    if medium is None:
        return None
    return MediaRef(medium.id, medium.link, medium.provider.name if medium.provider else "", kind)


def quoted_by(wanted: shapes.SendRequest) -> str:
    """Return the id of the message that *wanted* answers, or reacts to; empty where it begins anew."""
    if wanted.type == "reaction" and wanted.reaction is not None:
        return wanted.reaction.message_id
    return wanted.context.message_id if wanted.context else ""


_MAX_TTL_S = 2**40
"""More than the core allows, and less than the wire can carry."""


def ttl_ms_of(wanted: shapes.SendRequest) -> int:
    """Return how long *wanted* may wait for its recipient, 0 where that is not said."""
    ttl = wanted.ttl
    if ttl is None or ttl == shapes.Ttl():
        return 0
    if isinstance(ttl, shapes.Ttl):
        ttl = ((ttl.days * 24 + ttl.hours) * 60 + ttl.minutes) * 60 + ttl.seconds
    if ttl < 1:
        raise ParameterInvalid("`ttl` has to be a second or more: seconds, or {days, hours, minutes, seconds}")
    return min(ttl, _MAX_TTL_S) * 1_000


def _text(wanted: shapes.SendRequest) -> Saying:
    if wanted.text is None:
        raise ParameterMissing('`text` is missing: "text": {"body": "…"}')
    return bodies.Text(wanted.text.body, wanted.preview_url)


def _attachment(wanted: shapes.SendRequest) -> Saying:
    given: Medium = _given(getattr(wanted, wanted.type), wanted.type)
    return bodies.Attachment(bodies.MediaKind(wanted.type), given.caption, given.filename)


def _location(wanted: shapes.SendRequest) -> Saying:
    return place_of(_given(wanted.location, "location"), "location")


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
    header = _header(given.header, given.type)
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


def _header(header: shapes.Header | None, kind: str) -> str:
    if header is None or kind == "button" and header.type in _HEADERS:
        return ""
    if header.type != "text":
        also = " (or image, video or document, with buttons)"
        raise ParameterInvalid(f"`interactive.header.type` has to be text{also}")
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
    **dict.fromkeys(_ATTACHMENTS, _attachment),
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "reaction": _reaction,
    "template": _template,
}


# ── to JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────


def tell(body: Saying | None, quoted: str, media: MediaInfo | None = None) -> tuple[str, dict[str, object]]:
    """Return the type of a message and the fields that hold it.

    *quoted* is the id of the message it answers, *media* what stands beside the body.
    """
    match body:
        case bodies.Text(words):
            return "text", {"text": Text(words)}
        case bodies.Attachment(kind, caption, filename) if media is not None:
            return kind.value, {kind.value: _told_medium(media, caption, base_name(filename))}
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
            return "interactive", {"interactive": _told_buttons(body, media)}
        case bodies.OptionList():
            return "interactive", {"interactive": _told_list(body)}
        case bodies.Template():
            return "template", {"template": _told_template(body, media)}
    return "unknown", {}


def _told_medium(media: MediaInfo, caption: str = "", filename: str = "") -> MediumTold:
    if not media.is_ready:
        return MediumTold(media.mime, media.sha256, "", caption, filename, "undownloaded")
    return MediumTold(media.mime, media.sha256, media.id, caption, filename)


def base_name(filename: str) -> str:
    """Return a customer's name of a file without what could lead a careless reader elsewhere."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    name = "".join(each for each in name if each.isprintable()).strip()
    return "" if name in (".", "..") else name


def _told_buttons(body: bodies.ReplyButtons, media: MediaInfo | None) -> shapes.InteractiveTold:
    buttons = [shapes.Button(shapes.Reply(each.id, each.title)) for each in body.buttons]
    told = _told("button", body, shapes.Action(buttons=buttons))
    return told if media is None else msgspec.structs.replace(told, header=_told_header(media))


def _told_header(media: MediaInfo, filename: str = "") -> shapes.HeaderTold:
    kind = media.mime.partition("/")[0]
    kind = kind if kind in _HEADERS else "document"
    return shapes.HeaderTold(kind, **{kind: _told_medium(media, "", base_name(filename))})  # type: ignore[arg-type]


def _told_list(body: bodies.OptionList) -> shapes.InteractiveTold:
    sections = [_same(section, shapes.Section) for section in body.sections]
    return _told("list", body, shapes.Action(button=body.label, sections=sections))


def _told(kind: str, body: bodies.ReplyButtons | bodies.OptionList, action: shapes.Action) -> shapes.InteractiveTold:
    header = shapes.HeaderTold("text", body.header) if body.header else None
    footer = shapes.Words(body.footer) if body.footer else None
    words = shapes.Words(body.body)
    return shapes.InteractiveTold(kind, action=action, body=words, header=header, footer=footer)


def _told_template(body: bodies.Template, media: MediaInfo | None) -> shapes.TemplateTold:
    buttons = [shapes.TemplateToldButton(each.kind, each.title, each.value) for each in body.buttons]
    location = _same(body.location, shapes.Location) if body.location else None
    header = shapes.HeaderTold("text", body.header) if body.header else None
    if media is not None:
        header = _told_header(media, body.filename)
    language = shapes.TemplateLanguage(body.language)
    return shapes.TemplateTold(body.name, language, body.body, header, body.footer, buttons, location)
