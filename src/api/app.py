"""Puts the front together: one core, its routes, the server."""

import asyncio
import gc
import resource
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from api.auth import Keys
from api.certificate import OFF, Certificate, mode_of, names_of
from api.config import ApiConfig
from api.fallback import Fallback
from api.gateway import Core, CoreLink, parse_address, read_secret
from api.proxy import Proxied, parse_proxies
from api.routes.absent import Absent
from api.routes.account import Accounts
from api.routes.backup import Backup
from api.routes.certificates import Certificates
from api.routes.chat import Chat
from api.routes.configs import Configs
from api.routes.contacts import Contacts
from api.routes.docs import Docs
from api.routes.events import EventFeed
from api.routes.groups import Groups
from api.routes.health import HealthView
from api.routes.media import MediaFiles
from api.routes.messages import Messages
from api.routes.metrics import MetricsView
from api.routes.profile import ProfileRoutes
from api.routes.services import Services
from api.routes.settings import SettingsRoutes
from api.routes.stats import Stats
from api.routes.templates import Templates
from api.routes.users import Users
from api.server import Server, bind
from corefast.process import announce

COLLECT_EVERY = 20_000
"""Objects allocated and not freed before the collector looks: at the default of 700 it took 6 % of the front."""


def build(core: Core, draining: asyncio.Event, *, files: Core | None = None, open_metrics: bool = True) -> ASGIApp:
    """Return the ASGI application; *draining* is set when it should not start anything long any more.

    *files* is another way to the same core, on which files delay nothing.
    """
    keys = Keys(core, now_ms)
    figures = MetricsView(core, keys, is_open=open_metrics)
    docs = Docs()
    routes = [
        *_messaging(core, keys, MediaFiles(files or core, keys), EventFeed(core, keys, draining)),
        *_settings(core, keys),
        *_operations(core, keys, HealthView(core, keys, draining, now_ms), figures),
        Route("/openapi.json", docs.openapi),
        *Absent(keys).routes,
        *(Route(path, asset) for path, asset in docs.assets.items()),
    ]
    fallback = Fallback()
    fallback.router = Router(routes, redirect_slashes=False, default=fallback)
    return fallback.router


def _messaging(core: Core, keys: Keys, media: MediaFiles, feed: EventFeed) -> list[Route]:
    """What is said, to whom, and what came of it."""
    messages = Messages(core, keys)
    templates = Templates(core, keys)
    contacts = Contacts(core, keys)
    groups = Groups(core, keys)
    return [
        Route("/v1/messages", messages.collection),
        Route("/api/v{version}/chat", Chat(core, keys).resource),
        Route("/v1/messages/{id}", messages.member),
        Route("/v1/media", media.collection),
        Route("/v1/media/{id}", media.member),
        Route("/v1/events", feed.resource),
        Route("/v1/templates", templates.collection),
        Route("/v1/templates/import", templates.imports),
        Route("/v1/templates/{id}", templates.member),
        Route("/v1/contacts", contacts.collection),
        Route("/v1/contacts/{wa_id}/identity", contacts.identity),
        Route("/v1/groups", groups.collection),
        Route("/v1/groups/{id}", groups.member),
        Route("/v1/groups/{id}/participants", groups.participants),
    ]


def _settings(core: Core, keys: Keys) -> list[Route]:
    """Who may log in, and what is set for the account."""
    users = Users(core, keys)
    settings = SettingsRoutes(core, keys)
    profile = ProfileRoutes(core, keys)
    backup = Backup(core, keys)
    certificates = Certificates(core, keys)
    accounts = Accounts(core, keys)
    configs = Configs(core, keys)
    return [
        Route("/v1/users/login", users.login),
        Route("/v1/users/logout", users.logout),
        Route("/v1/users", users.collection),
        Route("/v1/users/{username}", users.member),
        Route("/v1/settings/application", settings.application),
        Route("/v1/settings/application/media/providers", settings.providers),
        Route("/v1/settings/application/media/providers/{name}", settings.provider),
        Route("/v1/settings/groups", settings.groups),
        Route("/v1/settings/profile/about", profile.about),
        Route("/v1/settings/profile/photo", profile.photo),
        Route("/v1/settings/business/profile", profile.business),
        Route("/v1/settings/business/compliance_info", profile.compliance),
        Route("/v1/settings/backup", backup.backup),
        Route("/v1/settings/restore", backup.restore),
        Route("/v1/certificates/external", certificates.external),
        Route("/v1/certificates/external/ca", certificates.authority),
        Route("/v1/certificates/webhooks/ca", certificates.trusted),
        Route("/v1/account", accounts.account),
        Route("/v1/account/verify", accounts.verify),
        Route("/v1/account/shards", accounts.shards),
        Route("/v1/settings/account/two-step", accounts.two_step),
        Route("/v1/configs/webhook", configs.webhook),
        Route("/v1/configs/phone_number", configs.number),
        Route("/v1/configs/templates", configs.templates),
        Route("/v1/configs/templates/{name}", configs.template),
    ]


def _operations(core: Core, keys: Keys, health: HealthView, figures: MetricsView) -> list[Route]:
    """How the system is, and what cleans it up."""
    stats = Stats(core, keys)
    services = Services(core, keys)
    return [
        Route("/v1/health", health.v1),
        Route("/v1/stats/app", stats.app),
        Route("/v1/stats/app/internal", stats.app_internal),
        Route("/v1/stats/db", stats.db),
        Route("/v1/stats/db/internal", stats.db_internal),
        Route("/v1/support", stats.support),
        Route("/v1/services/message/gc", services.message),
        Route("/v1/services/media/gc", services.media),
        Route("/livez", health.live),
        Route("/readyz", health.ready),
        Route("/metrics", figures.resource),
        Route("/v1/metrics", figures.v1),
    ]


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


async def serve(config: ApiConfig, stop: asyncio.Event) -> None:
    """Serve until *stop*; requests that run then are finished."""
    _raise_file_limit()
    secret = read_secret(Path(config.core_secret_file))
    core, files = CoreLink(config.core, secret), CoreLink(config.core, secret)
    host, port = parse_address(config.listen)
    proxies = parse_proxies(config.trusted_proxy)
    mode = mode_of(config.tls, host)
    listener = bind(host, port)
    draining = asyncio.Event()
    app = build(core, draining, files=files, open_metrics=config.open_metrics)
    core.start()
    files.start()
    keeping: asyncio.Task[None] | None = None
    context = None
    try:
        if mode != OFF:
            certificate = Certificate(core, mode, names_of(config, host))
            if not await _unless_stopped(certificate.open(asyncio.sleep), stop):
                return
            context = certificate.shown.context
            keeping = asyncio.create_task(certificate.run(asyncio.sleep))
        server = Server(Proxied(app, proxies) if proxies else app, listener, context)
        await server.start()
        _calm_collector()
        shown = f"[{host}]" if ":" in host else host
        announce(ready="api", url=f"{'https' if context else 'http'}://{shown}:{listener.getsockname()[1]}")
        await stop.wait()
        draining.set()
        await server.stop()
    finally:
        if keeping is not None:
            keeping.cancel()
        listener.close()
        await files.close()
        await core.close()


async def _unless_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Do *work* and tell whether it ended before *stop*."""
    task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    return False


def _calm_collector() -> None:
    """Requests leave few cycles behind: look for them rarely, and never among what was made at the start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 20, 50)


def _raise_file_limit() -> None:
    """A connection is a file: take all that we are allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
