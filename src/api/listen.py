"""`python -m api.listen`: receives webhooks, verifies them, shows each once."""

import asyncio
import contextlib
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from rich.console import Console
from rich.markup import escape
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import EmptyWebhookSecretError, WebhookVerificationError

from api.config import ListenConfig
from api.gateway import CoreLink
from api.local import LINK_WAIT_MS, open_core
from corefast import logs, process
from corefast.address import display_number
from corefast.config import load
from corefast.errors import CorefastError, SetupError
from corefast.limits import MAX_MESSAGE_BYTES
from corefast.wire.webhook import GetWebhook, SetWebhook, Webhook

PATH = "/corefast-listen"
MAX_REMEMBERED = 10_000
"""Webhook ids kept to tell a repetition from news."""

Show = Callable[[str, bool, Any], None]


class Receiver:
    """An HTTP endpoint that takes webhooks signed with one secret and passes each new one to *show*."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._verifier: Verifier | None = None
        self._trusting = asyncio.Event()
        self._seen: OrderedDict[str, None] = OrderedDict()

    def trust(self, secret: str) -> None:
        """Verify with *secret* (`whsec_…`) from now on."""
        try:
            self._verifier = Verifier(secret)
        except (ValueError, RuntimeError, EmptyWebhookSecretError):
            raise SetupError("--secret has to be whsec_… as corefast shows it") from None
        self._trusting.set()

    async def receive(self, request: web.Request) -> web.Response:
        await self._trusting.wait()
        raw = await request.read()
        event_id = request.headers.get("webhook-id", "")
        verified = self._is_genuine(raw, dict(request.headers))
        try:
            body = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return web.Response(status=400, text="the body is not JSON\n")
        if not (verified and self._is_known(event_id)):
            self._show(event_id, verified, body)
        return web.Response(status=200 if verified else 401)

    def _is_genuine(self, raw: bytes, headers: dict[str, str]) -> bool:
        assert self._verifier is not None
        try:
            self._verifier.verify(raw, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            return False
        return True

    def _is_known(self, event_id: str) -> bool:
        if event_id in self._seen:
            return True
        self._seen[event_id] = None
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return False


# ── what is shown ──────────────────────────────────────────────────────────────────────────────────────────────────


def show_json(event_id: str, verified: bool, body: Any) -> None:
    process.announce(event="webhook", id=event_id, verified=verified, body=body)


def show_lines(event_id: str, verified: bool, body: Any) -> None:
    console = Console(highlight=False, soft_wrap=True)
    mark = "" if verified else "  [red]signature wrong[/red]"
    for line in lines_of(body):
        console.print(f"[dim]webhook ←[/dim] {line}{mark}")


def lines_of(body: Any) -> list[str]:
    """Return a line for each thing that *body* tells."""
    if not isinstance(body, dict):
        return ["something that is no webhook of corefast"]
    lines = [_message_line(one) for one in _entries(body, "messages")]
    lines += [_status_line(one) for one in _entries(body, "statuses")]
    lines += [f"[red]error {_text(one, 'code')}[/red]  {_text(one, 'details')}" for one in _entries(body, "errors")]
    return lines


def _message_line(message: dict[str, Any]) -> str:
    words = message.get("text")
    said = _text(words, "body") if isinstance(words, dict) else f"({_text(message, 'type')})"
    return f"[bold]{_number(message, 'from')}[/bold]  {said}"


def _status_line(status: dict[str, Any]) -> str:
    colour = {"failed": "red", "read": "blue", "delivered": "green"}.get(str(status.get("status")), "default")
    reason = "".join(f"  {_text(one, 'title')}: {_text(one, 'details')}" for one in _entries(status, "errors"))
    told = f"[{colour}]{_text(status, 'status'):<9}[/{colour}]"
    return f"{told}  {_number(status, 'recipient_id')}  [dim]{_text(status, 'id')}[/dim]{reason}"


def _entries(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = holder.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(holder: dict[str, Any], name: str) -> str:
    """Return what *holder* has under *name*, unable to steer the terminal: customers wrote it."""
    return escape("".join(c if c.isprintable() else " " for c in str(holder.get(name, ""))))


def _number(holder: dict[str, Any], name: str) -> str:
    number = str(holder.get(name, ""))
    return display_number(number) if number.isascii() and number.isdecimal() else _text(holder, name)


# ── the program ────────────────────────────────────────────────────────────────────────────────────────────────────


async def listen(config: ListenConfig, stop: asyncio.Event) -> None:
    """Receive until *stop*; with a folder, be its core's webhook for that time."""
    if not config.data and not config.secret:
        raise SetupError("listen needs --data DIR (a folder of corefast up) or --secret whsec_…")
    receiver = Receiver(show_json if config.json else show_lines)
    async with _serving(receiver, config.port) as port:
        url = f"http://127.0.0.1:{port}{PATH}"
        if config.secret:
            receiver.trust(config.secret)
            _tell_ready(config, url)
            await stop.wait()
            return
        core = open_core(config.data, config.core)
        try:
            async with _being_webhook(core, url, config.account, yields=config.yields) as webhook:
                receiver.trust(webhook.secret)
                _tell_ready(config, url)
                await stop.wait()
        finally:
            await core.close()


@contextlib.asynccontextmanager
async def _serving(receiver: Receiver, port: int) -> AsyncIterator[int]:
    app = web.Application(client_max_size=MAX_MESSAGE_BYTES)
    app.router.add_post("/{any:.*}", receiver.receive)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            raise SetupError(f"cannot listen on port {port}: {error.strerror}; choose another with --port") from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _being_webhook(core: CoreLink, url: str, account: str, *, yields: bool) -> AsyncIterator[Webhook]:
    """Set *url* as the webhook, and put back what was there before; one that is set meanwhile stays.

    With *yields* a webhook that is set already stays as well, and nothing comes here.
    """
    try:
        before = await core.call(GetWebhook(account), Webhook, link_wait_ms=LINK_WAIT_MS)
        if yields and await _url_of(before):
            yield before
            return
        webhook = await core.call(SetWebhook(url, before.statuses, account), Webhook)
    except CorefastError as error:
        raise SetupError(f"the core did not take us as its webhook: {error}") from None
    try:
        yield webhook
    finally:
        with contextlib.suppress(CorefastError):
            await _put_back(core, url, account, before)


async def _put_back(core: CoreLink, url: str, account: str, before: Webhook) -> None:
    now = await core.call(GetWebhook(account), Webhook, timeout_ms=1_000, link_wait_ms=0)
    if now.url == url:
        former = SetWebhook(await _url_of(before), now.statuses, account)
        await core.call(former, Webhook, timeout_ms=1_000, link_wait_ms=0)


async def _url_of(webhook: Webhook) -> str:
    """Return where a webhook leads, "" where that was a listener that is gone."""
    return webhook.url if not webhook.url.endswith(PATH) or await _is_served(webhook.url) else ""


async def _is_served(url: str) -> bool:
    parts = urlsplit(url)
    try:
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        return False
    writer.close()
    return True


def _tell_ready(config: ListenConfig, url: str) -> None:
    if config.json:
        process.announce(ready="listen", url=url)
    else:
        Console(highlight=False).print(f"listening on {url}; Ctrl-C ends it")


async def main(stop: asyncio.Event) -> None:
    config = load(ListenConfig, "listen", sys.argv[1:])
    logs.setup("listen", config.log_level)
    await listen(config, stop)


if __name__ == "__main__":
    sys.exit(process.run(main))
