"""The settings of one account: read, changed, reset, and what they mean brought to the parts that they are for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import UNSET

from corefast.core.context import Context
from corefast.core.feed.deliveries import Schedule
from corefast.core.settings import application
from corefast.core.settings.provider import check_providers
from corefast.core.store.settings import SettingStore, Versions
from corefast.errors import ParameterInvalid, ProviderUnknown
from corefast.limits import MAX_SETTINGS_BYTES
from corefast.store.database import Unit
from corefast.wire.event import State
from corefast.wire.settings import (
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
from corefast.wire.webhook import SetWebhook

APPLICATION, PROVIDERS = "application", "providers"
REPLACED_WEBHOOK = "webhook.replaced"
"""The URL of a start in whose place a client has set another one."""

_ALL_STATES = SetWebhook("").statuses
_decode_providers = msgspec.json.Decoder(list[Provider]).decode


class Settings:
    """Serves the settings of `wire.settings`; *given_webhook* is the URL that the operator started the core with."""

    def __init__(self, context: Context, store: SettingStore, schedule: Schedule, given_webhook: str) -> None:
        self._context = context
        self._store = store
        self._schedule = schedule
        self._given_webhook = given_webhook
        self._changing = asyncio.Lock()
        self._versions: Versions = {}
        self.on_changed: list[Callable[[], Awaitable[None]]] = []
        """Called when anything was set, here or through another core."""

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {
            GetApplication: self.get,
            PatchApplication: self.patch,
            ResetApplication: self.reset,
            GetProviders: self.get_providers,
            PutProviders: self.put_providers,
            DropProvider: self.drop_provider,
        }

    @property
    def account(self) -> int:
        return self._context.account

    # ── bringing it into effect ────────────────────────────────────────────────────────────────────────────────────

    async def load(self) -> None:
        """Go on with what was set; the URL of the start counts unless a client has set another one since."""
        await self.refresh(await self._store.versions_of(self._context.account))
        given = self._given_webhook.encode()
        replaced = await self._store.load(self._context.account, REPLACED_WEBHOOK)
        if given and replaced != given and self._given_webhook != self._schedule.webhook.url:
            await self._schedule.set(SetWebhook(self._given_webhook, self._schedule.webhook.statuses))

    async def refresh(self, versions: Versions) -> None:
        """Take over what was set through another core, where *versions* are not those of the last look."""
        if versions == self._versions:
            return
        self._apply(await self._load())
        await self._schedule.reload_webhook()
        for listener in self.on_changed:
            await listener()
        self._versions = versions

    def _apply(self, fields: application.Fields) -> None:
        effect = application.effect_of(fields)
        self._context.pass_through = effect.pass_through
        self._context.auto_download = effect.auto_download
        self._schedule.effect = effect

    async def _load(self) -> application.Fields:
        text = await self._store.load(self._context.account, APPLICATION)
        fields: application.Fields = msgspec.json.decode(text) if text else {}
        return fields

    # ── /v1/settings/application ───────────────────────────────────────────────────────────────────────────────────

    async def get(self, request: GetApplication) -> ApplicationView:
        return self._view(await self._load())

    async def patch(self, request: PatchApplication) -> ApplicationView:
        change, known = application.decode(request.settings)
        async with self._changing:
            merged = application.merge(await self._load(), change)
            before = self._schedule.webhook
            states = application.states_of(known, before.statuses)
            url = before.url
            if known.webhooks is not UNSET and known.webhooks.url is not UNSET:
                url = known.webhooks.url or ""
            return await self._store_all(merged, url, states, is_url_given=url != before.url)

    async def reset(self, request: ResetApplication) -> ApplicationView:
        async with self._changing:
            return await self._store_all({}, "", _ALL_STATES, is_url_given=True)

    async def _store_all(
        self, fields: application.Fields, url: str, states: tuple[State, ...], *, is_url_given: bool
    ) -> ApplicationView:
        before, unit = self._schedule.webhook, Unit()
        if is_url_given:
            self._store.put(unit, self._context.account, REPLACED_WEBHOOK, self._given_webhook.encode())
        self._store.put(unit, self._context.account, APPLICATION, msgspec.json.encode(fields))
        if url != before.url or set(states) != set(before.statuses):
            await self._schedule.set(SetWebhook(url, states), unit)
        else:
            await self._context.database.commit(unit)
        self._apply(fields)
        return self._view(fields)

    def _view(self, fields: application.Fields) -> ApplicationView:
        webhook = self._schedule.webhook
        told = application.view(fields, webhook.url, webhook.statuses, self._context.number)
        return ApplicationView(msgspec.json.encode(told, order="sorted"))

    # ── media providers ────────────────────────────────────────────────────────────────────────────────────────────

    async def get_providers(self, request: GetProviders) -> Providers:
        return Providers(await self.providers())

    async def providers(self) -> list[Provider]:
        """Return who may serve media behind a login."""
        text = await self._store.load(self._context.account, PROVIDERS)
        return _decode_providers(text) if text else []

    async def put_providers(self, request: PutProviders) -> Providers:
        async with self._changing:
            known = {each.name: each for each in await self.providers()}
            known |= {each.name: each for each in request.providers}
            check_providers(request.providers, len(known))
            return await self._store_providers(list(known.values()))

    async def drop_provider(self, request: DropProvider) -> Providers:
        async with self._changing:
            before = await self.providers()
            left = [each for each in before if each.name != request.name]
            if len(left) == len(before):
                raise ProviderUnknown("there is no media provider of that name")
            return await self._store_providers(left)

    async def _store_providers(self, providers: list[Provider]) -> Providers:
        text = msgspec.json.encode(providers)
        if len(text) > MAX_SETTINGS_BYTES:
            raise ParameterInvalid(f"all media providers together have at most {MAX_SETTINGS_BYTES} bytes")
        unit = Unit()
        self._store.put(unit, self._context.account, PROVIDERS, text)
        await self._context.database.commit(unit)
        return Providers(providers)
