"""What one message says, whatever its form: words shared by businesses, cores and devices.

No id and no key of a medium is in here: a quoted message and an attached medium stand beside the body, since each side
names them in its own way.
"""

from enum import StrEnum

import msgspec


class Text(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A text message."""

    body: str
    preview_url: bool = False


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    VOICE = "voice"
    DOCUMENT = "document"
    STICKER = "sticker"


class Attachment(msgspec.Struct, frozen=True, array_like=True, tag=16):
    """A message that is a medium; the medium itself stands beside the body."""

    kind: MediaKind
    caption: str = ""
    filename: str = ""


class Location(msgspec.Struct, frozen=True, array_like=True, tag=17):
    """A place on the earth (WGS 84, degrees)."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""
    url: str = ""


# ── contact cards (the fields of a vCard that the on-premises API knows) ───────────────────────────────────────────


class PersonName(msgspec.Struct, frozen=True, array_like=True):
    formatted_name: str
    first_name: str = ""
    last_name: str = ""
    middle_name: str = ""
    prefix: str = ""
    suffix: str = ""


class PostalAddress(msgspec.Struct, frozen=True, array_like=True):
    street: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""
    country_code: str = ""
    type: str = ""


class Email(msgspec.Struct, frozen=True, array_like=True):
    email: str = ""
    type: str = ""


class Phone(msgspec.Struct, frozen=True, array_like=True):
    phone: str = ""
    type: str = ""
    wa_id: str = ""


class Url(msgspec.Struct, frozen=True, array_like=True):
    url: str = ""
    type: str = ""


class Organisation(msgspec.Struct, frozen=True, array_like=True):
    company: str = ""
    department: str = ""
    title: str = ""


class ContactCard(msgspec.Struct, frozen=True, array_like=True):
    """*birthday* is YYYY-MM-DD or empty."""

    name: PersonName
    addresses: list[PostalAddress] = []
    emails: list[Email] = []
    phones: list[Phone] = []
    urls: list[Url] = []
    org: Organisation | None = None
    birthday: str = ""


class ContactCards(msgspec.Struct, frozen=True, array_like=True, tag=18):
    cards: list[ContactCard]


# ── templates, as the customer sees them ───────────────────────────────────────────────────────────────────────────


class ButtonKind(StrEnum):
    QUICK_REPLY = "quick_reply"
    URL = "url"
    PHONE = "phone_number"
    COPY_CODE = "copy_code"


class TemplateButton(msgspec.Struct, frozen=True, array_like=True):
    """*value*: what a quick reply sends back, the URL, the number to call, or the code to copy."""

    kind: ButtonKind
    title: str
    value: str = ""


class Template(msgspec.Struct, frozen=True, array_like=True, tag=19):
    """A template with its parameters filled in; a medium of the header stands beside it, a location in it."""

    name: str
    language: str
    body: str
    header: str = ""
    footer: str = ""
    buttons: list[TemplateButton] = []
    location: Location | None = None
    filename: str = ""
    """Of a document in the header."""


# ── interactive messages and what comes back ───────────────────────────────────────────────────────────────────────


class Option(msgspec.Struct, frozen=True, array_like=True):
    """Something to choose: a button, or a row of a list."""

    id: str
    title: str
    description: str = ""


class Section(msgspec.Struct, frozen=True, array_like=True):
    rows: list[Option]
    title: str = ""


class ReplyButtons(msgspec.Struct, frozen=True, array_like=True, tag=20):
    """One to three buttons under a text; a medium of the header stands beside the body."""

    body: str
    buttons: list[Option]
    header: str = ""
    footer: str = ""


class OptionList(msgspec.Struct, frozen=True, array_like=True, tag=21):
    """A list that opens with the button *label*."""

    body: str
    label: str
    sections: list[Section]
    header: str = ""
    footer: str = ""


class ButtonReply(msgspec.Struct, frozen=True, array_like=True, tag=22):
    """A customer pressed a button of `ReplyButtons`; the message quotes the one that had it."""

    id: str
    title: str


class ListReply(msgspec.Struct, frozen=True, array_like=True, tag=23):
    """A customer chose a row of an `OptionList`; the message quotes it."""

    id: str
    title: str
    description: str = ""


class QuickReply(msgspec.Struct, frozen=True, array_like=True, tag=24):
    """A customer pressed a quick reply of a template; the message quotes it."""

    payload: str
    text: str


class Reaction(msgspec.Struct, frozen=True, array_like=True, tag=25):
    """An emoji on the quoted message; an empty one takes it back."""

    emoji: str


Saying = (
    Text
    | Attachment
    | Location
    | ContactCards
    | Template
    | ReplyButtons
    | OptionList
    | ButtonReply
    | ListReply
    | QuickReply
    | Reaction
)
"""Everything that people and businesses say to each other."""


def words_of(body: object) -> str:
    """Return the words of a text; empty for anything else."""
    return body.body if isinstance(body, Text) else ""
