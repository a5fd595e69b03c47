"""The shapes of /v1/templates: a template as the Cloud API defines it, so that what it exports can be handed in."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.schema import META, AnswerMeta
from corefast.limits import MAX_IMPORTED_TEMPLATES

TEMPLATE_ID = "1900000000123"

Name = Annotated[str, Meta(description="1 to 512 small letters, digits and _", examples=["order_ready"])]
Namespace = Annotated[str, Meta(description="Left out, any namespace fits when it is sent.")]
Language = Annotated[str, Meta(description="A locale, such as en, en_US or es_419.", examples=["en_US"])]


class NamedExample(msgspec.Struct, frozen=True):
    param_name: str
    example: str


class TemplateExample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value for each variable of the text. Examples of media are not kept."""

    header_text: list[str | list[str]] = []
    header_text_named_params: list[NamedExample] = []
    body_text: list[str | list[str]] = []
    body_text_named_params: list[NamedExample] = []


class TemplateButton(msgspec.Struct, frozen=True, omit_defaults=True):
    type: Annotated[str, Meta(description="QUICK_REPLY, URL, PHONE_NUMBER, COPY_CODE or OTP", examples=["URL"])]
    text: Annotated[str, Meta(description="1 to 25 characters", examples=["Track it"])] = ""
    url: Annotated[str, Meta(description="At most 2000 characters; may end in {{1}}.")] = ""
    phone_number: Annotated[str, Meta(description="In international form.")] = ""
    example: str | list[str] = ""
    otp_type: Annotated[str, Meta(description="Of type OTP: COPY_CODE.")] = ""


class TemplateComponent(msgspec.Struct, frozen=True, omit_defaults=True):
    type: Annotated[str, Meta(description="HEADER, BODY, FOOTER or BUTTONS, each at most once", examples=["BODY"])]
    format: Annotated[str, Meta(description="Of a header: TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION.")] = ""
    text: Annotated[
        str,
        Meta(
            description="Header and footer at most 60 characters, body 1024; variables are {{1}}, {{2}} … or {{name}}.",
            examples=["Hello {{1}}, order {{2}} is ready."],
        ),
    ] = ""
    example: TemplateExample | None = None
    buttons: Annotated[list[TemplateButton], Meta(description="At most 10.")] = []


class TemplateRequest(msgspec.Struct, frozen=True):
    """Fields that are not listed are ignored."""

    name: Name
    language: Language
    components: Annotated[list[TemplateComponent], Meta(description="One of type BODY is needed.")]
    namespace: Namespace = ""
    category: Annotated[str, Meta(description="Kept as it is.", examples=["UTILITY"])] = ""
    parameter_format: Annotated[str, Meta(description="POSITIONAL or NAMED; left out, the texts tell.")] = ""


_Listed = Annotated[
    list[msgspec.Raw], Meta(description=f"As in POST /v1/templates, at most {MAX_IMPORTED_TEMPLATES} in all.")
]


class ImportRequest(msgspec.Struct, frozen=True):
    """What `GET …/message_templates` of the Cloud API answers, or `GET /v1/templates` of another core, as it is."""

    data: _Listed = []
    templates: _Listed = []


class TemplateItem(msgspec.Struct, frozen=True, omit_defaults=True):
    id: Annotated[str, Meta(description="Opaque.", examples=[TEMPLATE_ID])]
    name: Name
    language: Language
    components: list[TemplateComponent]
    namespace: Namespace = ""
    category: str = ""
    parameter_format: str = msgspec.field(default_factory=lambda: "POSITIONAL")
    """Written always, as `status` is: a factory's default is not left out."""
    status: Annotated[str, Meta(description="The only one: nobody has to approve it.")] = msgspec.field(
        default_factory=lambda: "APPROVED"
    )


class TemplateAnswer(msgspec.Struct, frozen=True):
    templates: list[TemplateItem]
    meta: AnswerMeta = META


class TemplateListAnswer(msgspec.Struct, frozen=True):
    templates: Annotated[list[TemplateItem], Meta(description="Oldest first; fewer than `limit` when they are large.")]
    cursor: Annotated[str, Meta(description="Pass it as `after` to get the next ones; empty when these were the last.")]
    meta: AnswerMeta = META


class TakenTemplate(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(examples=[TEMPLATE_ID])]
    name: Name
    language: Language
    is_new: Annotated[bool, Meta(description="False where it replaced one of this name, language and namespace.")]


class RefusedTemplate(msgspec.Struct, frozen=True):
    index: Annotated[int, Meta(description="Its place in `data`, from 0.")]
    name: Annotated[str, Meta(description="Empty where it could not be read.")]
    language: str
    code: Annotated[int, Meta(examples=[1009])]
    title: Annotated[str, Meta(examples=["Parameter value is not valid"])]
    details: Annotated[str, Meta(description="What to change.")]


class ImportAnswer(msgspec.Struct, frozen=True):
    """What was taken and what was not: one that is refused stops no other."""

    templates: list[TakenTemplate]
    refused: list[RefusedTemplate]
    meta: AnswerMeta = META
