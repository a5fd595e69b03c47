"""/v1/configs: webhook and templates in the words of a vendor who hosts the on-premises API (`api.auth.VENDOR_HEADER`).

The same settings and templates as below /v1/settings and /v1/templates, in other words.
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from api.answer import V1, Answer, answer_json
from api.auth import Keys
from api.decode import JsonBody
from api.gateway import Core
from api.operation import AWAY, BODY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.routes.templates import EXAMPLE, decode_definition, limit_of
from api.schema import MetaAnswer
from api.shapes.configs import ConfiguredNumber, ConfiguredTemplates, ConfiguredWebhook, WebhookSettings
from api.shapes.templates import TemplateItem, TemplateRequest
from api.template import item_of
from corefast.errors import ParameterInvalid, TemplateUnknown
from corefast.limits import MAX_PAGE, MAX_TEMPLATES
from corefast.wire.gateway import Scope
from corefast.wire.settings import Application, ApplicationView, GetApplication, PatchApplication, Webhooks
from corefast.wire.template import DeleteTemplate, ListTemplates, NewTemplate, TemplatePage, TemplateView

_WEBHOOK, _TEMPLATES, _NUMBER = "/v1/configs/webhook", "/v1/configs/templates", "/v1/configs/phone_number"


class Configs:
    """Administrators change; templates are read with any key."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._webhook_body = JsonBody(WebhookSettings)
        self._template_body = JsonBody(TemplateRequest)
        self.webhook = Resource("v1.configs.webhook", V1, GET=self._get_webhook, POST=self._set_webhook)
        self.templates = Resource("v1.configs.templates", V1, GET=self._list, POST=self._make)
        self.number = Resource("v1.configs.phone_number", V1, GET=self._get_number)
        self.template = Resource("v1.configs.templates.name", V1, DELETE=self._delete)

    async def _get_webhook(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        return _tell(await self._core.call(GetApplication(caller.account), ApplicationView))

    async def _set_webhook(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: WebhookSettings = self._webhook_body.decode(await request.body())
        if wanted.headers:
            raise ParameterInvalid("`headers` are not sent with webhooks here: they are signed (docs/webhooks.md)")
        change = msgspec.json.encode(Application(webhooks=Webhooks(url=wanted.url)))
        return _tell(await self._core.call(PatchApplication(caller.account, change), ApplicationView))

    async def _get_number(self, request: Request) -> Answer:
        caller = await self._keys.require(request)
        found = await self._core.call(GetApplication(caller.account), ApplicationView)
        return answer_json(200, ConfiguredNumber(msgspec.json.decode(found.settings)["wa_id"]))

    async def _list(self, request: Request) -> Answer:
        key = await self._keys.require(request)
        query = request.query()
        limit, offset = limit_of(query, MAX_PAGE), _offset(query)
        found, total = [], 0
        async for view in self._views(key.account, query.get("name", "")):
            if offset <= total < offset + limit:
                found.append(item_of(view))
            total += 1
        return answer_json(200, ConfiguredTemplates(found, len(found), total, limit, offset))

    async def _make(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.ADMIN)
        definition = decode_definition(self._template_body, await request.body())
        return answer_json(201, item_of(await self._core.call(NewTemplate(key.account, definition), TemplateView)))

    async def _delete(self, request: Request) -> Answer:
        """Delete a template in every language, as there one is named."""
        key = await self._keys.require(request, Scope.ADMIN)
        name = request.path["name"]
        found = [view.id async for view in self._views(key.account, name)]
        if not found:
            raise TemplateUnknown("no template has this name")
        for template in found:
            await self._core.call(DeleteTemplate(key.account, template), TemplateView)
        return answer_json(200, MetaAnswer())

    async def _views(self, account: str, name: str) -> AsyncIterator[TemplateView]:
        """Yield the account's templates, of that name where one is given."""
        after = ""
        while True:
            page = await self._core.call(ListTemplates(account, after, MAX_PAGE, name, ""), TemplatePage)
            for view in page.templates:
                yield view
            if not (after := page.next):
                return


def _tell(found: ApplicationView) -> Answer:
    webhooks = msgspec.json.decode(found.settings).get("webhooks", {})
    return answer_json(200, ConfiguredWebhook(webhooks.get("url") or ""))


def _offset(query: dict[str, str]) -> int:
    text = query.get("offset", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= MAX_TEMPLATES):
        raise ParameterInvalid(f"`offset` has to be from 0 to {MAX_TEMPLATES}")
    return int(text)


def _operation(method: str, path: str, name: str, summary: str, **more: Any) -> Operation:
    errors = (*CALLER, *more.pop("errors", ()), *AWAY)
    return Operation(method=method, path=path, id=name, tag="settings", summary=summary, errors=errors, **more)


_PAGE = tuple(
    {"name": name, "in": "query", "schema": {"type": "integer", "minimum": least, "maximum": most}}
    for name, least, most in (("limit", 1, MAX_PAGE), ("offset", 0, MAX_TEMPLATES))
)

OPERATIONS = (
    _operation("GET", _WEBHOOK, "getWebhook", "Where webhooks go (administrators)", answer=ConfiguredWebhook),
    _operation(
        "POST",
        _WEBHOOK,
        "setWebhook",
        "Set where webhooks go (administrators)",
        request=WebhookSettings,
        example={"url": "https://shop.example/hook"},
        answer=ConfiguredWebhook,
        errors=BODY,
    ),
    _operation("GET", _NUMBER, "configuredNumber", "The business's number", answer=ConfiguredNumber),
    _operation(
        "GET",
        _TEMPLATES,
        "configuredTemplates",
        "The templates there are, 1000 unless `limit` says less",
        answer=ConfiguredTemplates,
        parameters=(*_PAGE, {"name": "name", "in": "query", "schema": {"type": "string"}}),
        errors=("parameter.invalid",),
    ),
    _operation(
        "POST",
        _TEMPLATES,
        "configureTemplate",
        "Add a template (administrators)",
        request=TemplateRequest,
        example=EXAMPLE,
        answer=TemplateItem,
        status=201,
        errors=(*BODY, "template.exists", "template.buttons"),
    ),
    _operation(
        "DELETE",
        _TEMPLATES + "/{name}",
        "deleteTemplates",
        "Delete a template in all its languages (administrators)",
        answer=MetaAnswer,
        errors=("template.unknown",),
    ),
)
