"""What a message may be, whoever wrote it: what breaks a bound is not sent, and is malformed where it was received.

The limits of what a business sends are finer and its core's; these keep a phone safe from a core that has none.
"""

import re
from collections.abc import Iterable

import msgspec

from corefast.device.choice import choices_of
from corefast.device.name import ID_BYTES
from corefast.endpoint.media import is_sound
from corefast.errors import MessageTooLong, ParameterInvalid
from corefast.limits import MAX_CONTACT_CARDS, MAX_LIST_ROWS, MAX_TEXT_CHARACTERS
from corefast.wire import body as bodies
from corefast.wire.body import Saying
from corefast.wire.content import Medium

MAX_EMOJI_CHARACTERS = 16
_LETTERS = re.compile(r"[0-9A-Za-z]")

_WITH_MEDIA = (bodies.Attachment, bodies.Template, bodies.ReplyButtons)
_ANSWERS = (bodies.ButtonReply, bodies.ListReply, bodies.QuickReply, bodies.Reaction)


def check_received(body: Saying, reply_to: bytes | None, media: Medium | None) -> None:
    """Raise `ParameterInvalid` or `MessageTooLong` for what no honest author sends."""
    if reply_to is not None and len(reply_to) != ID_BYTES:
        raise ParameterInvalid(f"the id of a quoted message has {ID_BYTES} bytes")
    if media is not None and not is_sound(media):
        raise ParameterInvalid("the description of a medium is wrong")
    for text in _texts(body):
        if len(text) > MAX_TEXT_CHARACTERS:
            raise MessageTooLong(f"a text has at most {MAX_TEXT_CHARACTERS} characters")
    match body:
        case bodies.Location() | bodies.Template(location=bodies.Location()):
            _check_place(body if isinstance(body, bodies.Location) else body.location)
        case bodies.Reaction(emoji) if len(emoji) > MAX_EMOJI_CHARACTERS or reply_to is None:
            raise ParameterInvalid("a reaction is one emoji on a message")
        case bodies.Attachment() if media is None:
            raise ParameterInvalid("the medium is missing")
    if len(choices_of(body)) > MAX_LIST_ROWS:
        raise ParameterInvalid(f"there are at most {MAX_LIST_ROWS} things to choose from")


def check_sent(body: Saying, reply_to: bytes | None, media: Medium | None) -> None:
    """Raise `ParameterInvalid` or `MessageTooLong` for what would be of no use to who gets it."""
    check_received(body, reply_to, media)
    if media is not None and not isinstance(body, _WITH_MEDIA):
        raise ParameterInvalid("a medium goes with an attachment, a template or buttons")
    if reply_to is None and isinstance(body, _ANSWERS):
        raise ParameterInvalid("an answer or a reaction needs the id of the message that it belongs to")
    match body:
        case bodies.Text(""):
            raise ParameterInvalid("the text is empty")
        case bodies.ContactCards(cards) if not cards or not all(card.name.formatted_name for card in cards):
            raise ParameterInvalid("a contact has a name: name.formatted_name")
        case bodies.Reaction(emoji) if _LETTERS.search(emoji) and not emoji.endswith("\u20e3"):
            raise ParameterInvalid("a reaction is one emoji, or empty to take it back")


def _check_place(place: bodies.Location | None) -> None:
    assert place is not None
    if not -90 <= place.latitude <= 90 or not -180 <= place.longitude <= 180:  # so is NaN refused
        raise ParameterInvalid("a latitude is from -90 to 90, a longitude from -180 to 180")


def _texts(value: object) -> Iterable[str]:
    """Yield each string in *value*; raise `ParameterInvalid` for a list that is too long."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if len(value) > MAX_CONTACT_CARDS:
            raise ParameterInvalid(f"a list in a message has at most {MAX_CONTACT_CARDS} entries")
        for each in value:
            yield from _texts(each)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _texts(getattr(value, name))
