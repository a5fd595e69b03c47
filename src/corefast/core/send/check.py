"""What the body of a message may be: the limits of the on-premises API, whoever asks.

Each complaint names the field as the on-premises API and the Cloud API call it.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec

from corefast.errors import (
    MessageTooLong,
    ParameterInvalid,
    ParameterMissing,
    ParameterUnneeded,
    RowCount,
    SectionCount,
)
from corefast.limits import (
    MAX_BODY_CHARACTERS,
    MAX_BUTTONS,
    MAX_CONTACT_CARDS,
    MAX_FILENAME_CHARACTERS,
    MAX_LIST_ROWS,
    MAX_OPAQUE_CHARACTERS,
    MAX_PLAINTEXT_BYTES,
    MAX_SECTIONS,
    MAX_TEXT_CHARACTERS,
    MESSAGE_TTL_MS,
)
from corefast.wire import body as bodies
from corefast.wire.body import Saying

_encode = msgspec.msgpack.Encoder().encode
_ENVELOPE_BYTES = 1_024
"""What a message has besides its body, padding included."""

_LETTERS = re.compile(r"[0-9A-Za-z]")


def check_body(body: Saying, reply_to: str = "") -> None:
    """Raise a `CallerError` that names the field which has to be changed, unless a business may send *body*."""
    check = _CHECKS.get(type(body))
    if check is None:
        raise ParameterInvalid("`type`: a business does not send this type of message")
    if isinstance(body, bodies.Reaction) and not reply_to:
        raise ParameterMissing("`reaction.message_id` is missing or empty")
    check(body)


def check_more(ttl_ms: int, opaque: str) -> None:
    """Raise `ParameterInvalid` unless a message may have these."""
    if not 0 <= ttl_ms <= MESSAGE_TTL_MS:
        raise ParameterInvalid(f"`ttl` has to be from 1 second to {MESSAGE_TTL_MS // 86_400_000} days")
    _at_most("biz_opaque_callback_data", opaque, MAX_OPAQUE_CHARACTERS)


def _text(body: bodies.Text) -> None:
    if not body.body:
        raise ParameterMissing("text.body is missing or empty")
    if len(body.body) > MAX_TEXT_CHARACTERS:
        raise MessageTooLong(f"text.body has {len(body.body)} characters; the limit is {MAX_TEXT_CHARACTERS}")


def _attachment(body: bodies.Attachment) -> None:
    kind = body.kind
    if body.caption and kind in (bodies.MediaKind.AUDIO, bodies.MediaKind.VOICE, bodies.MediaKind.STICKER):
        raise ParameterUnneeded(f"`{kind}.caption`: there is none with {kind}")
    check_filename(kind, body.filename, kind)
    _at_most(f"{kind}.caption", body.caption, MAX_BODY_CHARACTERS)


def check_filename(field: str, filename: str, kind: str) -> None:
    """Raise a `CallerError` unless the medium *field*, of that kind, may have this name."""
    if filename and kind != bodies.MediaKind.DOCUMENT:
        raise ParameterUnneeded(f"`{field}.filename` goes with a document")
    _at_most(f"{field}.filename", filename, MAX_FILENAME_CHARACTERS)
    if not filename.isprintable() or any(each in filename for each in "/\\"):
        raise ParameterInvalid(f"`{field}.filename` is a name without a path, in printable characters")


def _location(body: bodies.Location) -> None:
    if not -90 <= body.latitude <= 90:  # so is NaN refused
        raise ParameterInvalid("`location.latitude` has to be from -90 to 90")
    if not -180 <= body.longitude <= 180:
        raise ParameterInvalid("`location.longitude` has to be from -180 to 180")
    _at_most("location.name", body.name, MAX_BODY_CHARACTERS)
    _at_most("location.address", body.address, MAX_BODY_CHARACTERS)


def _contacts(body: bodies.ContactCards) -> None:
    if not body.cards:
        raise ParameterMissing("`contacts` is empty")
    if len(body.cards) > MAX_CONTACT_CARDS:
        raise ParameterInvalid(f"`contacts` has at most {MAX_CONTACT_CARDS} entries")
    for at, card in enumerate(body.cards):
        name = card.name
        if not name.formatted_name:
            raise ParameterMissing(f"`contacts[{at}].name.formatted_name` is missing or empty")
        if not any((name.first_name, name.last_name, name.middle_name, name.prefix, name.suffix)):
            raise ParameterMissing(f"`contacts[{at}].name` needs one more part, such as first_name")
        if card.birthday and not _is_date(card.birthday):
            raise ParameterInvalid(f"`contacts[{at}].birthday` has to be YYYY-MM-DD")
    if len(_encode(body)) > MAX_PLAINTEXT_BYTES - _ENVELOPE_BYTES:
        raise MessageTooLong(f"`contacts` has more than {MAX_PLAINTEXT_BYTES - _ENVELOPE_BYTES} bytes in all")


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _buttons(body: bodies.ReplyButtons) -> None:
    _frame(body.body, body.header, body.footer)
    if not body.buttons:
        raise ParameterMissing("`interactive.action.buttons` is missing or empty")
    if len(body.buttons) > MAX_BUTTONS:
        raise ParameterInvalid(f"`interactive.action.buttons` has at most {MAX_BUTTONS} entries")
    for at, button in enumerate(body.buttons):
        place = f"interactive.action.buttons[{at}].reply"
        _between(f"{place}.id", button.id, 256)
        _between(f"{place}.title", button.title, 20)
        if button.id != button.id.strip():
            raise ParameterInvalid(f"`{place}.id` has a blank at an end")
    _unlike("interactive.action.buttons[].reply.id", [button.id for button in body.buttons])
    _unlike("interactive.action.buttons[].reply.title", [button.title for button in body.buttons])


def _list(body: bodies.OptionList) -> None:
    _frame(body.body, body.header, body.footer)
    _between("interactive.action.button", body.label, 20)
    if not 1 <= len(body.sections) <= MAX_SECTIONS:
        raise SectionCount(f"`interactive.action.sections` has 1 to {MAX_SECTIONS} entries")
    rows = [row for section in body.sections for row in section.rows]
    if not 1 <= len(rows) <= MAX_LIST_ROWS or not all(section.rows for section in body.sections):
        raise RowCount(f"a list has 1 to {MAX_LIST_ROWS} rows over all sections, and a section at least one")
    for at, section in enumerate(body.sections):
        place = f"interactive.action.sections[{at}]"
        if len(body.sections) > 1 and not section.title:
            raise ParameterMissing(f"`{place}.title` is needed where there are several sections")
        _at_most(f"{place}.title", section.title, 24)
        for nth, row in enumerate(section.rows):
            _between(f"{place}.rows[{nth}].id", row.id, 200)
            _between(f"{place}.rows[{nth}].title", row.title, 24)
            _at_most(f"{place}.rows[{nth}].description", row.description, 72)
    _unlike("interactive.action.sections[].rows[].id", [row.id for row in rows])


def _frame(body: str, header: str, footer: str) -> None:
    _between("interactive.body.text", body, MAX_BODY_CHARACTERS)
    _at_most("interactive.header.text", header, 60)
    _at_most("interactive.footer.text", footer, 60)


def _reaction(body: bodies.Reaction) -> None:
    if len(body.emoji) > 16 or _LETTERS.search(body.emoji) and not body.emoji.endswith("\u20e3"):
        raise ParameterInvalid("`reaction.emoji` has to be one emoji, or empty to take the reaction back")


def _between(field: str, text: str, most: int) -> None:
    if not text:
        raise ParameterMissing(f"`{field}` is missing or empty")
    _at_most(field, text, most)


def _at_most(field: str, text: str, most: int) -> None:
    if len(text) > most:
        raise ParameterInvalid(f"`{field}` has {len(text)} characters; the limit is {most}")


def _unlike(field: str, texts: list[str]) -> None:
    if len(set(texts)) != len(texts):
        raise ParameterInvalid(f"`{field}`: each has to be another one")


_CHECKS: dict[type, Callable[[Any], None]] = {
    bodies.Text: _text,
    bodies.Attachment: _attachment,
    bodies.Location: _location,
    bodies.ContactCards: _contacts,
    bodies.ReplyButtons: _buttons,
    bodies.OptionList: _list,
    bodies.Reaction: _reaction,
}
