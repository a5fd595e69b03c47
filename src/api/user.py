"""`corefast user`: list, add and remove those who log in, and set a forgotten password, through the core's gateway."""

import asyncio
import getpass
import sys

from rich.console import Console
from rich.table import Table

from api.config import UserConfig
from api.gateway import CoreLink
from api.local import LINK_WAIT_MS, local_core, print_json, spell_time
from corefast import logs, process
from corefast.config import load
from corefast.errors import SetupError
from corefast.wire.access import DeleteUser, ListUsers, NewUser, SetPassword, Users, UserView


async def act(config: UserConfig) -> None:
    """Do what *config* says; raise `SetupError` where it cannot be done."""
    acts = {"list": _list, "add": _add, "password": _password, "remove": _remove}
    if config.action not in acts:
        raise SetupError(f"user {config.action}: there are list, add, password and remove")
    if config.action != "list" and not config.name:
        raise SetupError(f"user {config.action} NAME: whom?")
    async with local_core(config.data, config.core) as core:
        await acts[config.action](core, config)


async def _list(core: CoreLink, config: UserConfig) -> None:
    users = (await core.call(ListUsers(config.account), Users, link_wait_ms=LINK_WAIT_MS)).users
    if config.json:
        print_json({"users": [_facts(user) for user in users]})
        return
    table = Table("name", "role", "number", "made")
    for user in users:
        table.add_row(user.username, user.role, user.account, _facts(user)["created"])
    Console().print(table)


async def _add(core: CoreLink, config: UserConfig) -> None:
    password = await _ask_password(config)
    _tell(
        config,
        await core.call(NewUser(config.account, config.name, password), UserView, link_wait_ms=LINK_WAIT_MS),
        "is added",
    )


async def _password(core: CoreLink, config: UserConfig) -> None:
    password = await _ask_password(config)
    changed = await core.call(SetPassword("", config.name, password), UserView, link_wait_ms=LINK_WAIT_MS)
    _tell(config, changed, "has a new password; all earlier tokens have ended")


async def _remove(core: CoreLink, config: UserConfig) -> None:
    removed = await core.call(DeleteUser("", config.name), UserView, link_wait_ms=LINK_WAIT_MS)
    _tell(config, removed, "is removed")


async def _ask_password(config: UserConfig) -> str:
    """Return the password given by COREFAST_PASSWORD(_FILE) or flag, else typed twice."""
    if config.password:
        return config.password
    if not sys.stdin.isatty():
        raise SetupError("give the password by COREFAST_PASSWORD_FILE, or type it at a terminal")
    first = await asyncio.to_thread(getpass.getpass, f"new password of {config.name}: ")
    if first != await asyncio.to_thread(getpass.getpass, "once more: "):
        raise SetupError("the two are not the same; nothing was changed")
    return first


def _facts(user: UserView) -> dict[str, str]:
    return {
        "username": user.username,
        "role": user.role,
        "account": user.account,
        "created": spell_time(user.created_ms),
    }


def _tell(config: UserConfig, user: UserView, what: str) -> None:
    if config.json:
        print_json(_facts(user))
    else:
        sys.stdout.write(f"{user.username} {what}\n")


async def main(stop: asyncio.Event) -> None:
    config = load(UserConfig, "user", sys.argv[1:])
    logs.setup("user", config.log_level)
    await act(config)


if __name__ == "__main__":
    sys.exit(process.run(main))
