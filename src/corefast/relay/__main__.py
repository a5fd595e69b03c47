"""`python -m corefast.relay` serves; `… issue-code NUMBER` lets somebody register; `… migrate` readies the database."""

import asyncio
import os
import sys

from corefast import logs, process
from corefast.address import canonical_number, display_number
from corefast.config import load
from corefast.limits import CODE_LIFE_MS
from corefast.relay import app
from corefast.relay.admission import Admission, Mode
from corefast.relay.config import CodeConfig, MigrateConfig, RelayConfig
from corefast.relay.store.account import AccountStore
from corefast.relay.store.code import CodeStore
from corefast.store.opening import migrate, open_database


async def issue_code(config: CodeConfig) -> None:
    """Print a new code; the relay may be running meanwhile."""
    number = canonical_number(config.number)
    database = await open_database(app.location_of(config), "issue-code")
    try:
        admission = Admission(Mode.CODE, CodeStore(database), AccountStore(database), app.unix_ms, os.urandom)
        code = await admission.issue_code(number)
    finally:
        await database.close()
    print(f"{code}   registers {display_number(number)}, once, within {CODE_LIFE_MS // 60_000} minutes")


def main(argv: list[str]) -> int:
    async def serve(stop: asyncio.Event) -> None:
        config = load(RelayConfig, "relay", argv)
        logs.setup("relay", config.log_level)
        await app.main(config, stop)

    async def issue(stop: asyncio.Event) -> None:
        await issue_code(load(CodeConfig, "relay issue-code", argv[1:]))

    async def prepare(stop: asyncio.Event) -> None:
        config = load(MigrateConfig, "relay migrate", argv[1:])
        print("relay:", await migrate(app.location_of(config), check=config.check))

    commands = {"issue-code": issue, "migrate": prepare}
    return process.run(commands.get(argv[0] if argv else "", serve))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
