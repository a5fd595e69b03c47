"""`python -m bench [names…] [--json FILE] [--seconds N] [--peers]`: measure; without names, list what there is."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from bench import figures, micro, results
from bench.results import Result


def main() -> int:
    arguments = _parse()
    console = Console(stderr=True)
    functions = micro.find(figures.micro_files())
    known = [*functions, *(figure.name for figure in figures.PROGRAMS)]
    if not arguments.names:
        return _list(console, list(functions))
    wanted = _expand(arguments.names, known)
    unknown = [name for name in arguments.names if not _expand([name], known)]
    if unknown:
        console.print(f"no figure is called {', '.join(unknown)}; python -m bench lists them")
        return 2
    measured: list[Result] = []
    with console.status("") as status:
        options = figures.Options(arguments.seconds, arguments.peers, lambda text: status.update(text))
        for name in wanted:
            if name in functions:
                options.say(name)
                measured += micro.run([functions[name]], arguments.seconds)
        for figure in figures.PROGRAMS:
            if figure.name in wanted:
                options.say(figure.name)
                measured += figure.run(options)
    results.show(measured, Console())
    if arguments.json:
        results.write(results.report_of(measured), arguments.json)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure; without names, list the figures.")
    parser.add_argument("names", nargs="*", help="figures, or the first part of their names; `all` for every one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--seconds", type=float, metavar="N", help="how long each figure measures")
    parser.add_argument("--peers", action="store_true", help="measure the foreign programs beside ours too")
    return parser.parse_args()


def _expand(names: list[str], known: list[str]) -> list[str]:
    """Return the figures that *names* mean: `session` is all of `session.…`."""
    return [each for each in known if any(name in ("all", each) or each.startswith(name + ".") for name in names)]


def _list(console: Console, micro_names: list[str]) -> int:
    for name in micro_names:
        console.print(f"{name:28} [dim]one function[/]", highlight=False, soft_wrap=True)
    for figure in figures.PROGRAMS:
        console.print(f"{figure.name:28} [dim]{figure.summary}[/]", highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
