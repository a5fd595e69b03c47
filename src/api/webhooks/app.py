"""Puts the emitter together: a core, a session that trusts what it should, the loop."""

import asyncio
import ssl
from pathlib import Path

import aiohttp

from api.config import WebhooksConfig
from api.gateway import CoreLink, read_secret
from api.webhooks.attempt import Attempts
from api.webhooks.emitter import Emitter
from api.webhooks.guard import Guard
from corefast.errors import SetupError
from corefast.limits import WEBHOOK_CONCURRENCY
from corefast.process import announce


async def emit(config: WebhooksConfig, stop: asyncio.Event) -> None:
    """Emit until *stop*."""
    core = CoreLink(config.core, read_secret(Path(config.core_secret_file)))
    guard = Guard(config.allow_http)
    core.start()
    announce(ready="webhooks")
    async with open_session(guard, config.ca_file) as session:
        await Emitter(core, Attempts(session, guard).post).run(stop)
    await core.close()


def open_session(guard: Guard, ca_file: str = "") -> aiohttp.ClientSession:
    """Return a session without cookies, proxies or decompression: an answer is a status and nothing else."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise SetupError(f"--ca-file: {ca_file}: {error.strerror or 'holds no certificate in PEM form'}") from None
    connector = aiohttp.TCPConnector(resolver=guard, ssl=context, limit=WEBHOOK_CONCURRENCY, use_dns_cache=False)
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
    )
