"""`corefast migrate`: each program brings its own database to this release's schema."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from corefast import config, process
from corefast.errors import SetupError

PROGRAMS = {"relay": "corefast.relay", "core": "corefast.core"}


class MigrateConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Bring databases to this release's schema: both in the folder of `corefast up`, or that of one program."""

    program: Annotated[
        Literal["", "relay", "core"],
        Meta(description="whose database; its own --database or --data-dir says where", extra={"positional": True}),
    ] = ""
    data: Annotated[str, Meta(description="folder of `corefast up`")] = "./data"
    data_dir: Annotated[str, Meta(description="folder of the one program")] = ""
    database: Annotated[str, Meta(description="mysql://user@host:port/name of the one program")] = ""
    check: Annotated[bool, Meta(description="change nothing; fail where something is missing")] = False


def commands(settings: MigrateConfig) -> list[list[str]]:
    """Return what to run; raise `SetupError` where nobody can tell whose database is meant."""
    check = ["--check"] if settings.check else []
    if settings.program:
        places = {"--data-dir": settings.data_dir, "--database": settings.database}
        options = [word for flag, value in places.items() if value for word in (flag, value)]
        return [["-m", PROGRAMS[settings.program], "migrate", *options, *check]]
    if settings.database or settings.data_dir:
        raise SetupError("say whose database it is: corefast migrate relay, or corefast migrate core")
    folder = Path(settings.data)
    return [["-m", module, "migrate", "--data-dir", str(folder / name), *check] for name, module in PROGRAMS.items()]


def main(argv: Sequence[str]) -> int:
    """Run the programs one after the other; return the first exit code that is not 0."""
    try:
        todo = commands(config.load(MigrateConfig, "migrate", argv))
    except SetupError as error:
        print(f"corefast: {error}", file=sys.stderr)
        return process.EXIT_SETUP
    for command in todo:
        # The child reads the rest of its settings, and the password, from the environment as we would.
        code = subprocess.run([sys.executable, *command], env=os.environ, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
