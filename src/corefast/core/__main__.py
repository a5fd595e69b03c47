"""`python -m corefast.core`: run a core; `… migrate` prepares its database."""

import sys

from corefast import logs
from corefast.config import load
from corefast.core.app import location_of, main
from corefast.core.config import CoreConfig, MigrateConfig
from corefast.errors import SetupError
from corefast.process import EXIT_SETUP, run
from corefast.store.opening import migrate


def start(argv: list[str]) -> int:
    if argv[:1] == ["migrate"]:
        return run(lambda stop: _migrate(argv[1:]))
    try:
        config = load(CoreConfig, "core", argv)
        logs.setup("core", config.log_level)
    except SetupError as error:
        print(f"corefast: {error}", file=sys.stderr)
        return EXIT_SETUP
    return run(lambda stop: main(config, stop))


async def _migrate(argv: list[str]) -> None:
    config = load(MigrateConfig, "core migrate", argv)
    print("core:", await migrate(location_of(config), check=config.check))


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
