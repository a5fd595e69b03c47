"""`python -m bench.compare BEFORE.json AFTER.json`: the ratio of each figure that both files hold."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.results import Result, read, rounded


def main(paths: list[str]) -> int:
    if len(paths) != 2:
        print("usage: python -m bench.compare BEFORE.json AFTER.json", file=sys.stderr)
        return 2
    before, after = (read(Path(path)) for path in paths)
    table = Table("figure", "metric", "before", "after", "unit", "after / before", box=None, pad_edge=False)
    olds = {result.key: result for result in before.results}
    for new in after.results:
        if old := olds.get(new.key):
            table.add_row(new.name, new.metric, rounded(old.value), rounded(new.value), new.unit, ratio(old, new))
    console = Console()
    if before.machine["cpu"] != after.machine["cpu"] or before.machine["cores"] != after.machine["cores"]:
        console.print("[yellow]two different machines[/]")
    console.print(table)
    return 0


def ratio(old: Result, new: Result) -> str:
    """Return the quotient, in brackets where the two intervals overlap: then nothing is known to have changed."""
    if not old.value:
        return ""
    text = f"{new.value / old.value:.2f}"
    if old.ci95 and new.ci95 and old.ci95[0] <= new.ci95[1] and new.ci95[0] <= old.ci95[1]:
        return f"({text})"
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
