"""How a message looks in a terminal. What others wrote is shown as words and never as commands or lines of ours."""

import unicodedata
from collections.abc import Iterator

from rich.text import Text as Styled

from corefast.device.choice import choices_of
from corefast.device.file import kind_of
from corefast.wire import body as bodies
from corefast.wire.body import ButtonKind, Saying
from corefast.wire.content import Medium, Unsupported

INDENT = "      "
"""Before each further line of a message, so that none looks like the beginning of another."""

MAX_CARDS = 10
"""Contact cards that are shown of one message."""

_EXCERPT = 24
_JOINERS = "\u200c\u200d"
"""Control characters that many scripts and emoji are written with, and that move nothing."""

_ICONS = {"image": "🖼", "video": "🎞", "audio": "🎵", "voice": "🎤", "document": "📄", "sticker": "🏷"}


def printable(text: str) -> str:
    """Return *text* without control characters: whoever writes to us must not steer our terminal."""
    return "".join(each if each == "\n" or _is_safe(each) else "�" for each in text)


def one_line(text: str) -> str:
    """Return *text* printable and without line breaks."""
    return printable(text).replace("\n", " ")


def excerpt(text: str, length: int = _EXCERPT) -> str:
    line = one_line(text)
    return line if len(line) <= length else line[: length - 1] + "…"


def gist(body: Saying | Unsupported) -> str:
    """Return what a message says in a few words."""
    match body:
        case bodies.Text(words) | bodies.ReplyButtons(body=words) | bodies.OptionList(body=words):
            return excerpt(words)
        case bodies.Template(body=words):
            return excerpt(words)
        case bodies.ButtonReply(title=words) | bodies.ListReply(title=words) | bodies.QuickReply(text=words):
            return excerpt(words)
        case bodies.Reaction(emoji):
            return excerpt(emoji)
        case bodies.Location():
            return excerpt(f"📍 {body.name or f'{body.latitude:.5f}, {body.longitude:.5f}'}")
        case bodies.ContactCards(cards):
            return excerpt("👤 " + ", ".join(card.name.formatted_name for card in cards))
        case bodies.Attachment(kind, caption, filename):
            return excerpt(f"{_ICONS[kind]} {caption or filename or kind}")
    return "…"


def draw(body: Saying | Unsupported, quoted: str, media: Medium | None = None) -> Styled:
    """Return *body* with its further lines indented; *quoted* is the gist of the message that it answers."""
    line = Styled()
    match body:
        case bodies.Reaction(emoji):
            line.append(one_line(emoji) or "takes the reaction back")
            return line.append(f" to “{quoted}”", style="dim")
    if quoted:
        line.append(f"↪ “{quoted}” ", style="dim")
    for at, (text, style) in enumerate((*_file(media), *_lines(body))):
        line.append("\n" + INDENT if at else "")
        line.append(printable(text).replace("\n", "\n" + INDENT), style=style)
    return line


Lines = Iterator[tuple[str, str]]
"""Texts, which may have line breaks of their own, and their styles."""


def _lines(body: Saying | Unsupported) -> Lines:
    match body:
        case bodies.Text(words):
            yield words, ""
        case bodies.Location():
            yield from _place(body)
        case bodies.ContactCards(cards):
            for card in cards[:MAX_CARDS]:
                yield from _card(card)
            if len(cards) > MAX_CARDS:
                yield f"… and {len(cards) - MAX_CARDS} more", "dim"
        case bodies.ButtonReply(title=words) | bodies.ListReply(title=words) | bodies.QuickReply(text=words):
            yield f"▸ {one_line(words)}", "bold"
        case bodies.ReplyButtons() | bodies.OptionList() | bodies.Template():
            yield from _framed(body)
        case bodies.Attachment(_, caption, filename):
            if filename:
                yield one_line(filename), "bold"
            if caption:
                yield caption, ""
        case _:
            yield "a message of a kind that this release does not know", "yellow"


def _file(medium: Medium | None) -> Lines:
    if medium is not None:
        kind = kind_of(medium.mime).value
        yield f"{_ICONS[kind]} {kind}, {medium.mime}, {_size(medium.size)}; /save N keeps it", "bold"


def _size(size: int) -> str:
    if size < 10_000:
        return f"{size:,} bytes"
    return f"{size / 1e3:,.0f} kB" if size < 10_000_000 else f"{size / 1e6:,.0f} MB"


def _framed(body: bodies.ReplyButtons | bodies.OptionList | bodies.Template) -> Lines:
    if body.header:
        yield body.header, "bold"
    yield body.body, ""
    if isinstance(body, bodies.Template) and body.location is not None:
        yield from _place(body.location)
    if body.footer:
        yield body.footer, "dim"
    if isinstance(body, bodies.OptionList):
        yield from _rows(body)
    elif isinstance(body, bodies.ReplyButtons):
        for at, button in enumerate(body.buttons, 1):
            yield f"{at:>2}  {one_line(button.title)}", "cyan"
    else:
        yield from _pressed(body)
    if choices_of(body):
        yield "type a number to answer", "dim"


def _rows(body: bodies.OptionList) -> Lines:
    yield one_line(body.label), "bold"
    at = 0
    for section in body.sections:
        if section.title:
            yield one_line(section.title), "underline"
        for row in section.rows:
            at += 1
            about = f" — {one_line(row.description)}" if row.description else ""
            yield f"{at:>2}  {one_line(row.title)}{about}", "cyan"


def _pressed(body: bodies.Template) -> Lines:
    at = 0
    for button in body.buttons:
        if button.kind is ButtonKind.QUICK_REPLY:
            at += 1
            yield f"{at:>2}  {one_line(button.title)}", "cyan"
        else:
            yield f"{one_line(button.title)}: {one_line(button.value)}", "cyan"


def _place(place: bodies.Location) -> Lines:
    at = f"{place.latitude:.6f}", f"{place.longitude:.6f}"
    name = ", ".join(one_line(each) for each in (place.name, place.address) if each)
    yield f"📍 {name or ', '.join(at)}", "bold"
    yield f"https://www.openstreetmap.org/?mlat={at[0]}&mlon={at[1]}#map=16/{at[0]}/{at[1]}", "blue"
    if place.url:
        yield one_line(place.url), "blue"


def _card(card: bodies.ContactCard) -> Lines:
    yield f"👤 {one_line(card.name.formatted_name)}", "bold"
    org = card.org
    facts = [("", ", ".join(filter(None, (org.title, org.department, org.company))))] if org else []
    facts += [(each.type, each.phone or each.wa_id) for each in card.phones]
    facts += [(each.type, each.email) for each in card.emails]
    facts += [(each.type, each.url) for each in card.urls]
    facts += [(each.type, _address(each)) for each in card.addresses]
    facts.append(("born", card.birthday))
    for kind, fact in facts[:MAX_CARDS]:
        if fact:
            yield one_line(f"{kind.lower()} {fact}".strip()), ""


def _address(address: bodies.PostalAddress) -> str:
    town = " ".join(filter(None, (address.zip, address.city)))
    return ", ".join(filter(None, (address.street, town, address.state, address.country)))


def _is_safe(character: str) -> bool:
    is_control = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return not is_control or character in _JOINERS
