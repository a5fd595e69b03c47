"""Puts the front together: one core, its routes, the server."""

import asyncio
import gc
import resource
import time
from pathlib import Path

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from api.auth import Keys
from api.config import ApiConfig
from api.fallback import Fallback
from api.gateway import Core, CoreLink, parse_address, read_secret
from api.routes.chat import Chat
from api.routes.docs import Docs
from api.routes.events import EventFeed
from api.routes.health import HealthView
from api.routes.messages import Messages
from api.routes.metrics import MetricsView
from api.routes.templates import Templates
from api.routes.users import Users
from api.server import Server, bind
from corefast.process import announce

COLLECT_EVERY = 20_000
"""Objects allocated and not freed before the collector looks: at the default of 700 it took 6 % of the front."""


def build(core: Core, draining: asyncio.Event, *, open_metrics: bool = True) -> ASGIApp:
    """Return the ASGI application; *draining* is set when it should not start anything long any more."""
    keys = Keys(core, now_ms)
    messages = Messages(core, keys)
    health = HealthView(core, keys, draining, now_ms)
    docs = Docs()
    users = Users(core, keys)
    templates = Templates(core, keys)
    routes = [
        Route("/v1/messages", messages.collection),
        Route("/api/v{version}/chat", Chat(core, keys).resource),
        Route("/v1/messages/{id}", messages.member),
        Route("/v1/events", EventFeed(core, keys, draining).resource),
        Route("/v1/templates", templates.collection),
        Route("/v1/templates/import", templates.imports),
        Route("/v1/templates/{id}", templates.member),
        Route("/v1/users/login", users.login),
        Route("/v1/users/logout", users.logout),
        Route("/v1/users", users.collection),
        Route("/v1/users/{username}", users.member),
        Route("/v1/health", health.v1),
        Route("/livez", health.live),
        Route("/readyz", health.ready),
        Route("/metrics", MetricsView(core, keys, is_open=open_metrics).resource),
        Route("/openapi.json", docs.openapi),
        *(Route(path, asset) for path, asset in docs.assets.items()),
    ]
    return Router(routes, redirect_slashes=False, default=Fallback())


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


async def serve(config: ApiConfig, stop: asyncio.Event) -> None:
    """Serve until *stop*; requests that run then are finished."""
    _raise_file_limit()
    core = CoreLink(config.core, read_secret(Path(config.core_secret_file)))
    host, port = parse_address(config.listen)
    listener = bind(host, port)
    draining = asyncio.Event()
    server = Server(build(core, draining, open_metrics=config.open_metrics), listener)
    core.start()
    await server.start()
    _calm_collector()
    shown = f"[{host}]" if ":" in host else host
    announce(ready="api", url=f"http://{shown}:{listener.getsockname()[1]}")
    await stop.wait()
    draining.set()
    await server.stop()
    await core.close()


def _calm_collector() -> None:
    """Requests leave few cycles behind: look for them rarely, and never among what was made at the start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 20, 50)


def _raise_file_limit() -> None:
    """A connection is a file: take all that we are allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
