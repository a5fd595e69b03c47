"""`python -m corefast.core`: run a core."""

import sys

from corefast import logs
from corefast.config import load
from corefast.core.app import main
from corefast.core.config import CoreConfig
from corefast.errors import SetupError
from corefast.process import EXIT_SETUP, run


def start(argv: list[str]) -> int:
    try:
        config = load(CoreConfig, "core", argv)
        logs.setup("core", config.log_level)
    except SetupError as error:
        print(f"corefast: {error}", file=sys.stderr)
        return EXIT_SETUP
    return run(lambda stop: main(config, stop))


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
