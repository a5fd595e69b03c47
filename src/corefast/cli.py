"""The `corefast` command: finds the program by its name and becomes it. It imports none of them."""

import difflib
import os
import sys
from collections.abc import Sequence

from corefast import __version__

PROGRAMS = {
    "up": ("corefast.supervisor", "run the whole system on this machine"),
    "relay": ("corefast.relay", "run the relay; `relay issue-code NUMBER` lets a number register"),
    "core": ("corefast.core", "run the business's core"),
    "api": ("api", "run the REST front of a core"),
    "webhooks": ("api.webhooks", "run the sender of webhooks of a core"),
    "listen": ("api.listen", "receive, verify and print webhooks"),
    "phone": ("corefast.device", "use a phone in this terminal"),
    "migrate": ("corefast.supervisor.migrate", "bring the databases to this release's schema; --check only looks"),
    "peer": ("api.peer", "look at a customer's identity key, accept a new one, allow an older protocol"),
    "key": ("api.key", "make, list and revoke API keys; show the webhook's secret"),
    "user": ("api.user", "list, add and remove those who log in; set a forgotten password"),
}
"""Each command with its module and one line of help."""

HELP_WORDS = ("help", "--help", "-h")
VERSION_WORDS = ("version", "--version", "-V")


def usage() -> str:
    lines = [f"  {name:<10}{text}" for name, (_, text) in PROGRAMS.items()]
    return "\n".join(
        [
            "usage: corefast COMMAND [options]",
            "",
            *lines,
            f"  {'version':<10}show the version",
            "",
            "`corefast COMMAND --help` lists its options; each is also a COREFAST_* variable.",
            "Try: corefast up --demo",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Become the program that the first argument names; return an exit code where there is none."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in HELP_WORDS:
        if len(words) > 1 and words[1] in PROGRAMS:
            return become(words[1], ["--help"])
        print(usage())
        return 0 if words else 2
    command, *rest = words
    if command in VERSION_WORDS:
        print(f"corefast {__version__}")
        return 0
    if command not in PROGRAMS:
        close = difflib.get_close_matches(command, PROGRAMS, n=1)
        hint = f"did you mean `corefast {close[0]}`?" if close else "see `corefast help`"
        print(f"corefast: there is no command {command!r}; {hint}", file=sys.stderr)
        return 2
    return become(command, rest)


def become(command: str, arguments: Sequence[str]) -> int:
    """Replace this process by the program; its signals and its exit code are then the caller's own."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", PROGRAMS[command][0], *arguments])
