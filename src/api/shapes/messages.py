"""The shapes of POST /v1/messages: one field for each type of message, as the on-premises API names them.

Only shapes and words: how long a field may be is the core's to check, and it names the field when it refuses.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from api.schema import ID_EXAMPLE, NUMBER_EXAMPLE, Context, Text
from api.shapes.media import Medium, MediumTold

Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""What every reader of JSON has exactly, and the wire can carry; the core says what makes sense."""


class Location(msgspec.Struct, frozen=True, omit_defaults=True):
    latitude: Annotated[float | str, Meta(description="-90 to 90; may be in quotes", examples=[52.52])]
    longitude: Annotated[float | str, Meta(description="-180 to 180", examples=[13.4])]
    name: str = ""
    address: Annotated[str, Meta(description="Shown with a name only.")] = ""
    url: Annotated[str, Meta(description="Only in what customers send.")] = ""


# ── contact cards ──────────────────────────────────────────────────────────────────────────────────────────────────


class PersonName(msgspec.Struct, frozen=True, omit_defaults=True):
    """`formatted_name` and at least one more part."""

    formatted_name: str
    first_name: str = ""
    last_name: str = ""
    middle_name: str = ""
    prefix: str = ""
    suffix: str = ""


class PostalAddress(msgspec.Struct, frozen=True, omit_defaults=True):
    street: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""
    country_code: str = ""
    type: Annotated[str, Meta(description="HOME or WORK")] = ""


class Email(msgspec.Struct, frozen=True, omit_defaults=True):
    email: str = ""
    type: str = ""


class Phone(msgspec.Struct, frozen=True, omit_defaults=True):
    phone: str = ""
    type: Annotated[str, Meta(description="CELL, MAIN, IPHONE, HOME or WORK")] = ""
    wa_id: str = ""


class Url(msgspec.Struct, frozen=True, omit_defaults=True):
    url: str = ""
    type: str = ""


class Organisation(msgspec.Struct, frozen=True, omit_defaults=True):
    company: str = ""
    department: str = ""
    title: str = ""


class ContactCard(msgspec.Struct, frozen=True, omit_defaults=True):
    name: PersonName
    addresses: list[PostalAddress] = []
    emails: list[Email] = []
    phones: list[Phone] = []
    urls: list[Url] = []
    org: Organisation | None = None
    birthday: Annotated[str, Meta(description="YYYY-MM-DD")] = ""


# ── interactive messages ───────────────────────────────────────────────────────────────────────────────────────────


class Words(msgspec.Struct, frozen=True):
    text: str


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    type: Annotated[str, Meta(description="text; with buttons also image, video or document", examples=["text"])]
    text: Annotated[str, Meta(description="At most 60 characters.")] = ""
    image: Medium | None = None
    video: Medium | None = None
    document: Medium | None = None


class Reply(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(description="1 to 256 characters, no blank at either end; comes back in the answer.")]
    title: Annotated[str, Meta(description="1 to 20 characters, each button another.")]


class Button(msgspec.Struct, frozen=True):
    reply: Reply
    type: str = "reply"


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    id: Annotated[str, Meta(description="1 to 200 characters; comes back in the answer.")]
    title: Annotated[str, Meta(description="1 to 24 characters")]
    description: Annotated[str, Meta(description="At most 72 characters.")] = ""


class Section(msgspec.Struct, frozen=True, omit_defaults=True):
    rows: list[Row] = []
    title: Annotated[str, Meta(description="At most 24 characters; needed when there are several sections.")] = ""


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    button: Annotated[str, Meta(description="What opens a list; 1 to 20 characters.")] = ""
    buttons: Annotated[list[Button], Meta(description="1 to 3, for type button.")] = []
    sections: Annotated[list[Section], Meta(description="1 to 10 with 10 rows in all, for type list.")] = []


class Interactive(msgspec.Struct, frozen=True, omit_defaults=True):
    type: Annotated[str, Meta(description="button or list", examples=["button"])]
    action: Action
    body: Annotated[Words | None, Meta(description="1 to 1024 characters")] = None
    header: Header | None = None
    footer: Annotated[Words | None, Meta(description="At most 60 characters.")] = None


class Reaction(msgspec.Struct, frozen=True):
    message_id: Annotated[str, Meta(description="The message that it is put on.", examples=[ID_EXAMPLE])]
    emoji: Annotated[str, Meta(description="One emoji; empty takes the reaction back.", examples=["👍"])] = ""


class Ttl(msgspec.Struct, frozen=True):
    days: Whole = 0
    hours: Whole = 0
    minutes: Whole = 0
    seconds: Whole = 0


class MarkRequest(msgspec.Struct, frozen=True):
    status: Annotated[str, Meta(description="The only one is read.", examples=["read"])]


# ── templates ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Currency(msgspec.Struct, frozen=True):
    """An amount; the customer sees `fallback_value`."""

    fallback_value: Annotated[str, Meta(examples=["EUR 100.99"])]
    code: Annotated[str, Meta(description="ISO 4217", examples=["EUR"])]
    amount_1000: Annotated[Whole, Meta(description="A thousand times the amount.", examples=[100990])]


class DateTime(msgspec.Struct, frozen=True):
    """A time; the customer sees `fallback_value`, and other fields are ignored."""

    fallback_value: Annotated[str, Meta(examples=["25 February"])]


class TemplateParameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """`type` names the field that holds it."""

    type: Annotated[
        str, Meta(description="text, currency, date_time, image, video, document, location, payload or coupon_code")
    ]
    text: str = ""
    currency: Currency | None = None
    date_time: DateTime | None = None
    image: Medium | None = None
    video: Medium | None = None
    document: Medium | None = None
    location: Location | None = None
    payload: Annotated[str, Meta(description="What a quick reply sends back; else its text does.")] = ""
    coupon_code: str = ""
    parameter_name: Annotated[str, Meta(description="Of a variable with a name.")] = ""


class TemplateCallComponent(msgspec.Struct, frozen=True, omit_defaults=True):
    type: Annotated[str, Meta(description="header, body or button")]
    parameters: Annotated[list[TemplateParameter], Meta(description="One for each variable, in their order.")] = []
    sub_type: Annotated[str, Meta(description="Of a button: quick_reply, url or copy_code.")] = ""
    index: Annotated[Whole | str, Meta(description="Which button, from 0.")] = 0


class TemplateLanguage(msgspec.Struct, frozen=True, omit_defaults=True):
    code: Annotated[str, Meta(examples=["en_US"])]
    policy: Annotated[str, Meta(description="The only one is deterministic.")] = "deterministic"


class TemplateMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A template of GET /v1/templates, with its parameters."""

    name: Annotated[str, Meta(examples=["order_ready"])]
    language: TemplateLanguage
    namespace: Annotated[str, Meta(description="Needed only where templates of several have the same name.")] = ""
    components: Annotated[
        list[TemplateCallComponent], Meta(description="Those of the template that have parameters.")
    ] = []


# ── the request ────────────────────────────────────────────────────────────────────────────────────────────────────


class SendRequest(msgspec.Struct, frozen=True):
    """A message to one customer or a group: `type` names the field that holds it.

    Fields that are not listed are ignored.
    """

    to: Annotated[
        str, Meta(description="The number, in any usual spelling; or the id of a group.", examples=[NUMBER_EXAMPLE])
    ]
    type: Annotated[
        str,
        Meta(
            description="text, image, video, audio, document, sticker, location, contacts, interactive, reaction or "
            "template",
            examples=["text"],
        ),
    ] = "text"
    text: Annotated[Text | None, Meta(description="For type text.")] = None
    image: Annotated[Medium | None, Meta(description="For type image: JPEG or PNG, 5 MB.")] = None
    video: Annotated[Medium | None, Meta(description="For type video: MP4 or 3GPP, 16 MB.")] = None
    audio: Annotated[Medium | None, Meta(description="For type audio: AAC, MP4, AMR, MPEG or Opus, 16 MB.")] = None
    document: Annotated[Medium | None, Meta(description="For type document: any type, 100 MB.")] = None
    sticker: Annotated[Medium | None, Meta(description="For type sticker: WebP of 512 by 512 pixels.")] = None
    location: Annotated[Location | None, Meta(description="For type location.")] = None
    contacts: Annotated[list[ContactCard] | None, Meta(description="For type contacts.")] = None
    interactive: Annotated[Interactive | None, Meta(description="For type interactive.")] = None
    reaction: Annotated[Reaction | None, Meta(description="For type reaction.")] = None
    template: Annotated[TemplateMessage | None, Meta(description="For type template.")] = None
    recipient_type: Annotated[str, Meta(description="individual or group")] = "individual"
    preview_url: Annotated[bool, Meta(description="Let the phone show a preview of a link in a text.")] = False
    context: Annotated[Context | None, Meta(description="Makes the message a reply.")] = None
    ttl: Annotated[
        Ttl | Whole | None,
        Meta(description="How long it may wait for the phone, 30 days at most; a number is seconds."),
    ] = None
    biz_opaque_callback_data: Annotated[
        str, Meta(description="At most 512 characters of yours; comes back with each status.")
    ] = ""
    hsm: Annotated[Any, Meta(description="Deprecated by the original and not served: use type template.")] = None


# ── what customers answer (webhooks and look-ups) ──────────────────────────────────────────────────────────────────


class ButtonReply(msgspec.Struct, frozen=True):
    id: str
    title: str


class ListReply(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    title: str
    description: str = ""


class HeaderTold(msgspec.Struct, frozen=True, omit_defaults=True):
    type: str
    text: str = ""
    image: MediumTold | None = None
    video: MediumTold | None = None
    document: MediumTold | None = None


class InteractiveTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer chose; or, when looked up, what was sent."""

    type: Annotated[str, Meta(description="button_reply or list_reply; button or list", examples=["button_reply"])]
    button_reply: ButtonReply | None = None
    list_reply: ListReply | None = None
    action: Action | None = None
    body: Words | None = None
    header: HeaderTold | None = None
    footer: Words | None = None


class QuickReply(msgspec.Struct, frozen=True):
    payload: str
    text: str


class TemplateToldButton(msgspec.Struct, frozen=True, omit_defaults=True):
    """*value*: the payload, the URL, the number, or the code."""

    type: Annotated[str, Meta(description="quick_reply, url, phone_number or copy_code")]
    text: str
    value: str = ""


class TemplateTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """A template as the customer sees it, with its parameters filled in."""

    name: str
    language: TemplateLanguage
    body: str
    header: HeaderTold | None = None
    footer: str = ""
    buttons: list[TemplateToldButton] = []
    location: Location | None = None
