"""`python -m api.key new|list|revoke|webhook`: API keys, and the webhook's secret, through the core."""

import asyncio
import sys

from rich.console import Console
from rich.table import Table

from api.config import KeyConfig
from api.gateway import CoreLink
from api.local import LINK_WAIT_MS, local_core, print_json, spell_time
from corefast import logs, process
from corefast.config import load
from corefast.errors import SetupError
from corefast.wire.gateway import Done, Keys, KeyView, ListKeys, NewKey, NewKeyMade, RevokeKey, Scope
from corefast.wire.webhook import GetWebhook, Webhook


async def act(config: KeyConfig) -> None:
    """Do what *config* says; raise `SetupError` where it cannot be done."""
    acts = {"new": _new, "list": _list, "revoke": _revoke, "webhook": _webhook}
    if config.action not in acts:
        raise SetupError(f"key {config.action}: there are new, list, revoke and webhook")
    async with local_core(config.data, config.core) as core:
        await acts[config.action](core, config)


async def _new(core: CoreLink, config: KeyConfig) -> None:
    made = await core.call(
        NewKey(config.name, _scopes(config.scope), config.key, config.account), NewKeyMade, link_wait_ms=LINK_WAIT_MS
    )
    if config.json:
        print_json(_facts(made.view) | {"key": made.key})
    else:
        _print_text(f"{made.key}\n", f"id {made.view.id}, may {_may(made.view)}; it is shown only here\n")


async def _list(core: CoreLink, config: KeyConfig) -> None:
    keys = (await core.call(ListKeys(config.account), Keys, link_wait_ms=LINK_WAIT_MS)).keys
    if config.json:
        print_json({"keys": [_facts(view) for view in keys]})
        return
    table = Table("id", "name", "number", "may", "made")
    for view in keys:
        table.add_row(view.id, view.name, view.account, _may(view), _facts(view)["created"])
    Console().print(table)


async def _revoke(core: CoreLink, config: KeyConfig) -> None:
    if not config.id:
        raise SetupError("key revoke ID: corefast key list shows the ids")
    await core.call(RevokeKey(config.id), Done, link_wait_ms=LINK_WAIT_MS)
    if config.json:
        print_json({"revoked": config.id})
    else:
        _print_text(f"{config.id} is revoked\n")


async def _webhook(core: CoreLink, config: KeyConfig) -> None:
    webhook = await core.call(GetWebhook(config.account), Webhook, link_wait_ms=LINK_WAIT_MS)
    if not webhook.secret:
        raise SetupError("no webhook was set yet: corefast up --webhook URL")
    if config.json:
        print_json({"url": webhook.url, "secret": webhook.secret})
    else:
        _print_text(f"{webhook.secret}\n", f"signs what is posted to {webhook.url or 'no URL at present'}\n")


def _scopes(words: list[str]) -> tuple[Scope, ...]:
    try:
        return tuple(Scope(word) for word in dict.fromkeys(words))
    except ValueError:
        raise SetupError(f"--scope is one of {', '.join(Scope)}") from None


def _facts(view: KeyView) -> dict[str, str]:
    return {
        "id": view.id,
        "name": view.name,
        "account": view.account,
        "scopes": " ".join(view.scopes),
        "created": spell_time(view.created_ms),
    }


def _may(view: KeyView) -> str:
    return ", ".join(view.scopes)


def _print_text(result: str, remark: str = "") -> None:
    """The result on stdout, where a script takes it; what is for people on stderr."""
    sys.stdout.write(result)
    sys.stderr.write(remark)


async def main(stop: asyncio.Event) -> None:
    config = load(KeyConfig, "key", sys.argv[1:])
    logs.setup("key", config.log_level)
    await act(config)


if __name__ == "__main__":
    sys.exit(process.run(main))
