"""`python -m corefast.supervisor`, started by `corefast up`."""

import sys

from corefast import config, logs, process
from corefast.errors import SetupError
from corefast.supervisor.up import Up, UpConfig


def main() -> int:
    try:
        settings = config.load(UpConfig, "up", sys.argv[1:])
        logs.setup("up", settings.log_level)
    except SetupError as error:
        print(f"corefast: {error}", file=sys.stderr)
        return process.EXIT_SETUP
    up = Up(settings)
    return process.run(up.run) or up.exit_code


if __name__ == "__main__":
    sys.exit(main())
