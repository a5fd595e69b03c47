"""Puts the emitter together: a core, a session that trusts what it should, the loop."""

import asyncio
from pathlib import Path

import aiohttp

from api.config import WebhooksConfig
from api.gateway import CoreLink, read_secret
from api.webhooks.attempt import Attempts
from api.webhooks.emitter import Emitter
from api.webhooks.guard import Guard
from api.webhooks.trust import Trust
from corefast.limits import WEBHOOK_CONCURRENCY
from corefast.process import announce


async def emit(config: WebhooksConfig, stop: asyncio.Event) -> None:
    """Emit until *stop*."""
    core = CoreLink(config.core, read_secret(Path(config.core_secret_file)))
    guard = Guard(config.allow_http)
    core.start()
    announce(ready="webhooks")
    trust = Trust(core, config.ca_file)
    async with open_session(guard) as session:
        await Emitter(core, Attempts(session, guard, trust).post).run(stop)
    await core.close()


def open_session(guard: Guard) -> aiohttp.ClientSession:
    """Return a session without cookies, proxies or decompression: an answer is a status and nothing else."""
    connector = aiohttp.TCPConnector(resolver=guard, limit=WEBHOOK_CONCURRENCY, use_dns_cache=False)
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
    )
