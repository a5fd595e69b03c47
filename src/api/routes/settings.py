"""/v1/settings/application and the media providers below it."""

from typing import Any

import msgspec

from api.answer import V1, Answer, answer_json, encode
from api.auth import Keys
from api.decode import JsonBody
from api.gateway import Core
from api.operation import AWAY, BODY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import META, MetaAnswer
from api.shapes.settings import (
    AnyFields,
    ApplicationAnswer,
    ProviderList,
    ProviderMedia,
    ProvidersAnswer,
    ProviderSettings,
)
from corefast.wire.gateway import Scope
from corefast.wire.settings import (
    Application,
    ApplicationView,
    DropProvider,
    GetApplication,
    GetProviders,
    PatchApplication,
    Provider,
    Providers,
    PutProviders,
    ResetApplication,
)

_PATH = "/v1/settings/application"


class SettingsRoutes:
    """For administrators."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._body = JsonBody(Application)
        self._object = JsonBody(dict[str, Any])
        self._providers_body = JsonBody(list[Provider])
        self.application = Resource("v1.settings.application", V1, GET=self._get, PATCH=self._patch, DELETE=self._reset)
        self.providers = Resource("v1.settings.media.providers", V1, GET=self._get_providers, POST=self._put_providers)
        self.groups = Resource("v1.settings.groups", V1, PATCH=self._patch_groups)
        self.provider = Resource("v1.settings.media.provider", V1, DELETE=self._drop_provider)

    async def _get(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        found = await self._core.call(GetApplication(caller.account), ApplicationView)
        told = {"application": msgspec.Raw(found.settings)}
        return answer_json(200, {"settings": told, "meta": META})

    async def _patch(self, request: Request) -> Answer:
        """Pass the body on as it came: fields that nobody knows are kept as well."""
        caller = await self._keys.require(request, Scope.ADMIN)
        body = await request.body()
        self._object.decode(body)
        await self._core.call(PatchApplication(caller.account, self._body.settle(body)), ApplicationView)
        return answer_json(200, MetaAnswer())

    async def _patch_groups(self, request: Request) -> Answer:
        """Keep what older clients set there, as a field of the others that nothing here reads."""
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted = self._object.decode(await request.body())
        await self._core.call(PatchApplication(caller.account, encode({"groups": wanted})), ApplicationView)
        return answer_json(200, MetaAnswer())

    async def _reset(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        await self._core.call(ResetApplication(caller.account), ApplicationView)
        return answer_json(200, MetaAnswer())

    async def _get_providers(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        found = await self._core.call(GetProviders(caller.account), Providers)
        return answer_json(200, ProvidersAnswer(ProviderSettings(ProviderMedia(ProviderList(found.providers)))))

    async def _put_providers(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: list[Provider] = self._providers_body.decode(await request.body())
        await self._core.call(PutProviders(caller.account, wanted), Providers)
        return answer_json(200, MetaAnswer())

    async def _drop_provider(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        await self._core.call(DropProvider(caller.account, request.path["name"]), Providers)
        return answer_json(200, MetaAnswer())


OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH,
        id="getApplicationSettings",
        tag="settings",
        summary="All settings (administrators)",
        answer=ApplicationAnswer,
        errors=(*CALLER, *AWAY),
    ),
    Operation(
        method="PATCH",
        path=_PATH,
        id="patchApplicationSettings",
        tag="settings",
        summary="Change settings; absent fields keep their value (administrators)",
        request=Application,
        example={"webhooks": {"url": "https://shop.example/hook", "max_concurrent_requests": 12}},
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, *AWAY),
    ),
    Operation(
        method="DELETE",
        path=_PATH,
        id="resetApplicationSettings",
        tag="settings",
        summary="Back to the defaults; the webhook is off then (administrators)",
        answer=MetaAnswer,
        errors=(*CALLER, *AWAY),
    ),
    Operation(
        method="PATCH",
        path="/v1/settings/groups",
        id="patchGroupSettings",
        tag="settings",
        summary="Keep settings of groups, as `groups` of the others; they have no effect (administrators)",
        request=AnyFields,
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, *AWAY),
    ),
    Operation(
        method="GET",
        path=f"{_PATH}/media/providers",
        id="listMediaProviders",
        tag="settings",
        summary="Names for links that need a login (administrators)",
        answer=ProvidersAnswer,
        errors=(*CALLER, *AWAY),
    ),
    Operation(
        method="POST",
        path=f"{_PATH}/media/providers",
        id="putMediaProviders",
        tag="settings",
        summary="Add media providers, or change those of the same name (administrators)",
        request=list[Provider],
        example=[{"name": "cdn1", "type": "www", "config": {"bearer": "…"}}],
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, *AWAY),
    ),
    Operation(
        method="DELETE",
        path=f"{_PATH}/media/providers/{{name}}",
        id="dropMediaProvider",
        tag="settings",
        summary="Forget a media provider (administrators)",
        answer=MetaAnswer,
        errors=(*CALLER, "provider.unknown", *AWAY),
    ),
)
