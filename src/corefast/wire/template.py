"""The gateway's messages about templates: what a business keeps, and what it sends by naming one."""

from enum import StrEnum

import msgspec

from corefast.wire.body import ButtonKind, Location


class HeaderFormat(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    DOCUMENT = "document"
    LOCATION = "location"


class ParameterFormat(StrEnum):
    """How a template's variables are called: {{1}}, {{2}} …, or {{name}}."""

    POSITIONAL = "POSITIONAL"
    NAMED = "NAMED"


class Example(msgspec.Struct, frozen=True, array_like=True):
    """What may stand for the variable *name*; those of positional ones are 1, 2 …"""

    name: str
    value: str


class Header(msgspec.Struct, frozen=True, array_like=True):
    """*text* with at most one variable, and only in the format `TEXT`."""

    format: HeaderFormat
    text: str = ""
    examples: list[Example] = []


class Button(msgspec.Struct, frozen=True, array_like=True):
    """*value*: the URL, which may end in {{1}}, or the number to call; *is_otp*: calls may give its code as a URL's."""

    kind: ButtonKind
    text: str
    value: str = ""
    example: str = ""
    is_otp: bool = False


class Definition(msgspec.Struct, frozen=True, array_like=True):
    """A template as its business wrote it; an empty *namespace* goes with every one, no *format* is found out."""

    name: str
    language: str
    body: str
    namespace: str = ""
    category: str = ""
    format: ParameterFormat | None = None
    header: Header | None = None
    footer: str = ""
    buttons: list[Button] = []
    examples: list[Example] = []


# ── keeping them ───────────────────────────────────────────────────────────────────────────────────────────────────


class NewTemplate(msgspec.Struct, frozen=True, array_like=True, tag=70):
    """→ `TemplateView`. Errors: `template.exists`, `parameter.…`, `template.url`, `template.phone`."""

    account: str
    definition: Definition


class GetTemplate(msgspec.Struct, frozen=True, array_like=True, tag=71):
    """→ `TemplateView`. Errors: `template.unknown`."""

    account: str
    id: str


class ListTemplates(msgspec.Struct, frozen=True, array_like=True, tag=72):
    """→ `TemplatePage`, oldest first, behind *after*; only those of *name* and *language* where these are given."""

    account: str
    after: str = ""
    limit: int = 25
    name: str = ""
    language: str = ""


class SetTemplate(msgspec.Struct, frozen=True, array_like=True, tag=73):
    """→ `TemplateView`: another definition under the same id. Errors: those of `NewTemplate` and `GetTemplate`."""

    account: str
    id: str
    definition: Definition


class DeleteTemplate(msgspec.Struct, frozen=True, array_like=True, tag=74):
    """→ `TemplateView` of what it was. Errors: `template.unknown`."""

    account: str
    id: str


class TemplateView(msgspec.Struct, frozen=True, array_like=True, tag=75):
    id: str
    definition: Definition


class TemplatePage(msgspec.Struct, frozen=True, array_like=True, tag=76):
    """*next*: for the next `ListTemplates`, empty where these were the last."""

    templates: list[TemplateView]
    next: str


class ImportTemplates(msgspec.Struct, frozen=True, array_like=True, tag=77):
    """→ `ImportedTemplates`. One of the same name, language and namespace is replaced; a refused one stops no other."""

    account: str
    definitions: list[Definition]


class Imported(msgspec.Struct, frozen=True, array_like=True):
    """Either *id*, with *is_new* unless it replaced one, or *code* and *text* of what was wrong."""

    id: str = ""
    is_new: bool = False
    code: str = ""
    text: str = ""


class ImportedTemplates(msgspec.Struct, frozen=True, array_like=True, tag=78):
    """In the order of the definitions."""

    results: list[Imported]


# ── sending one ────────────────────────────────────────────────────────────────────────────────────────────────────


class CallParameter(msgspec.Struct, frozen=True, array_like=True):
    """*text*: the words, payload, code, fallback or file name that *type* asks for; *name*: of a named variable.

    The medium of a header goes beside the call, as `Send.media`.
    """

    type: str
    text: str = ""
    name: str = ""
    currency: str = ""
    location: Location | None = None


class CallComponent(msgspec.Struct, frozen=True, array_like=True):
    """*sub_type* and *index* (from 0) are those of a button."""

    type: str
    parameters: list[CallParameter] = []
    sub_type: str = ""
    index: int = 0


class TemplateCall(msgspec.Struct, frozen=True, array_like=True, tag=30):
    """A body that only fronts use: the core puts the template in its place, filled in, before anything is stored."""

    name: str
    language: str
    namespace: str = ""
    components: list[CallComponent] = []


Message = (
    NewTemplate
    | GetTemplate
    | ListTemplates
    | SetTemplate
    | DeleteTemplate
    | TemplateView
    | TemplatePage
    | ImportTemplates
    | ImportedTemplates
)
