"""/v1/templates: what a business may send as type template. Of our making; the shapes are those of the Cloud API."""

from api.answer import V1, Answer, answer_json
from api.auth import Keys
from api.decode import JsonBody, refuse_nuls
from api.errors import TABLE, V1_TITLES, code_of, details_of
from api.gateway import Core
from api.operation import AWAY, BODY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.shapes.templates import (
    ImportAnswer,
    ImportRequest,
    RefusedTemplate,
    TakenTemplate,
    TemplateAnswer,
    TemplateListAnswer,
    TemplateRequest,
)
from api.template import definition_of, item_of
from corefast.errors import CallerError, ParameterInvalid, ParameterMissing, RemoteRefused
from corefast.limits import MAX_IMPORT_BYTES, MAX_IMPORTED_TEMPLATES, MAX_PAGE
from corefast.wire.gateway import Scope
from corefast.wire.template import (
    Definition,
    DeleteTemplate,
    GetTemplate,
    ImportedTemplates,
    ImportTemplates,
    ListTemplates,
    NewTemplate,
    SetTemplate,
    TemplatePage,
    TemplateView,
)

DEFAULT_LIMIT = 25


class Templates:
    """The collection, its members, and the way in for many at once. All read; administrators write."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._body = JsonBody(TemplateRequest)
        self._import_body = JsonBody(ImportRequest)
        self.collection = Resource("v1.templates", V1, GET=self._list, POST=self._make)
        self.imports = Resource("v1.templates.import", V1, POST=self._import)
        self.member = Resource("v1.templates.id", V1, GET=self._get, PUT=self._set, DELETE=self._delete)

    async def _list(self, request: Request) -> Answer:
        key = await self._keys.require(request)
        query = request.query()
        found = await self._core.call(
            ListTemplates(
                key.account, query.get("after", ""), limit_of(query), query.get("name", ""), query.get("language", "")
            ),
            TemplatePage,
        )
        return answer_json(200, TemplateListAnswer([item_of(view) for view in found.templates], found.next))

    async def _make(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.ADMIN)
        definition = decode_definition(self._body, await request.body())
        return _one(201, await self._core.call(NewTemplate(key.account, definition), TemplateView))

    async def _get(self, request: Request) -> Answer:
        key = await self._keys.require(request)
        return _one(200, await self._core.call(GetTemplate(key.account, request.path["id"]), TemplateView))

    async def _set(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.ADMIN)
        definition = decode_definition(self._body, await request.body())
        wanted = SetTemplate(key.account, request.path["id"], definition)
        return _one(200, await self._core.call(wanted, TemplateView))

    async def _delete(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.ADMIN)
        return _one(200, await self._core.call(DeleteTemplate(key.account, request.path["id"]), TemplateView))

    # ── many at once ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _import(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.ADMIN)
        given: ImportRequest = self._import_body.decode(await request.body(MAX_IMPORT_BYTES))
        listed = given.data + given.templates
        if not listed:
            raise ParameterMissing("`data` is missing or empty")
        if len(listed) > MAX_IMPORTED_TEMPLATES:
            raise ParameterInvalid(f"one import has at most {MAX_IMPORTED_TEMPLATES} templates")
        fit: dict[int, Definition] = {}
        refused = []
        for at, raw in enumerate(listed):
            try:
                fit[at] = decode_definition(self._body, bytes(raw))
            except CallerError as error:
                refused.append(_refused(at, None, error))
        done = await self._core.call(ImportTemplates(key.account, list(fit.values())), ImportedTemplates)
        taken = []
        for (at, definition), result in zip(fit.items(), done.results, strict=True):
            if result.code:
                refused.append(_refused(at, definition, RemoteRefused(result.code, result.text)))
            else:
                taken.append(TakenTemplate(result.id, definition.name, definition.language, result.is_new))
        return answer_json(200, ImportAnswer(taken, sorted(refused, key=lambda each: each.index)))


def decode_definition(shape: JsonBody, body: bytes) -> Definition:
    """Return the template in *body*, a `TemplateRequest` by *shape*; raise `CallerError` where it is none."""
    wanted: TemplateRequest = shape.decode(body)
    if b"\\u0000" in body:
        refuse_nuls(wanted)
    return definition_of(wanted)


def _refused(at: int, definition: Definition | None, error: CallerError) -> RefusedTemplate:
    code = TABLE[code_of(error)].v1_code
    name, language = (definition.name, definition.language) if definition else ("", "")
    return RefusedTemplate(at, name, language, code, V1_TITLES[code], details_of(error))


def _one(status: int, view: TemplateView) -> Answer:
    return answer_json(status, TemplateAnswer([item_of(view)]))


def limit_of(query: dict[str, str], default: int = DEFAULT_LIMIT) -> int:
    """Return how many templates *query* asks for; raise `ParameterInvalid`."""
    text = query.get("limit", str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MAX_PAGE):
        raise ParameterInvalid(f"`limit` has to be from 1 to {MAX_PAGE}")
    return int(text)


EXAMPLE = {
    "name": "order_ready",
    "language": "en_US",
    "category": "UTILITY",
    "components": [
        {"type": "BODY", "text": "Hello {{1}}, order {{2}} is ready.", "example": {"body_text": [["Ada", "7"]]}},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Thanks"}]},
    ],
}
_ERRORS = (*CALLER, *BODY, "template.exists", "template.buttons", *AWAY)


def _query(name: str, description: str, **more: object) -> dict[str, object]:
    return {"name": name, "in": "query", "schema": {"type": "string"} | more, "description": description}


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/templates",
        id="listTemplates",
        tag="templates",
        summary="The templates there are",
        parameters=(
            _query("limit", "How many at most.", type="integer", minimum=1, maximum=MAX_PAGE, default=DEFAULT_LIMIT),
            _query("after", "The `cursor` of the answer before."),
            _query("name", "Only those of this name."),
            _query("language", "Only those in this language."),
        ),
        answer=TemplateListAnswer,
        errors=(*CALLER, "parameter.invalid", *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/templates",
        id="makeTemplate",
        tag="templates",
        summary="Add a template (administrators)",
        request=TemplateRequest,
        example=EXAMPLE,
        answer=TemplateAnswer,
        status=201,
        errors=_ERRORS,
    ),
    Operation(
        method="POST",
        path="/v1/templates/import",
        id="importTemplates",
        tag="templates",
        summary="Take over what the Cloud API, or another core, lists (administrators); repeating it replaces",
        request=ImportRequest,
        example={"data": [EXAMPLE]},
        answer=ImportAnswer,
        errors=(*CALLER, *BODY, *AWAY),
    ),
    Operation(
        method="GET",
        path="/v1/templates/{id}",
        id="getTemplate",
        tag="templates",
        summary="One template",
        answer=TemplateAnswer,
        errors=(*CALLER, "template.unknown", *AWAY),
    ),
    Operation(
        method="PUT",
        path="/v1/templates/{id}",
        id="setTemplate",
        tag="templates",
        summary="Put another definition in its place (administrators)",
        request=TemplateRequest,
        example=EXAMPLE,
        answer=TemplateAnswer,
        errors=(*_ERRORS, "template.unknown"),
    ),
    Operation(
        method="DELETE",
        path="/v1/templates/{id}",
        id="deleteTemplate",
        tag="templates",
        summary="Delete a template (administrators); messages that were sent stay",
        answer=TemplateAnswer,
        errors=(*CALLER, "template.unknown", *AWAY),
    ),
)
