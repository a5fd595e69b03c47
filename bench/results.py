"""What a bench says, in one shape: results, the machine, the command and the commit."""

import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
OPERATION = "us_per_op"
OURS_IN_TURNS = "corefast, in turns"
"""The peer that is ourselves, measured together with foreign programs: what theirs is compared with."""


class Result(msgspec.Struct, frozen=True):
    """One number. `n` is what it was made of, `ci95` its confidence interval.

    `peer` names a foreign program, or how ours was measured beside it.
    """

    name: str
    metric: str
    value: float
    unit: str
    n: int = 1
    ci95: tuple[float, float] | None = None
    peer: str | None = None

    @property
    def key(self) -> tuple[str, str, str | None]:
        return self.name, self.metric, self.peer


class Report(msgspec.Struct, frozen=True):
    results: list[Result]
    machine: dict[str, str | int | float]
    command: str
    commit: str


def measured(name: str, metric: str, unit: str, samples: Sequence[float], peer: str | None = None) -> Result:
    """Return the mean of *samples* with its 95 % interval (normal approximation)."""
    mean = statistics.fmean(samples)
    half = 1.96 * statistics.stdev(samples) / math.sqrt(len(samples)) if len(samples) > 1 else 0.0
    return Result(name, metric, mean, unit, len(samples), (mean - half, mean + half), peer)


def middle(name: str, metric: str, unit: str, samples: Sequence[float]) -> Result:
    """Return the median of *samples* with the 95 % interval that their order gives, whatever their distribution."""
    ranked, count = sorted(samples), len(samples)
    reach = round(1.96 * math.sqrt(count) / 2)
    low, high = max((count - 1) // 2 - reach, 0), min(count // 2 + reach, count - 1)
    return Result(name, metric, statistics.median(ranked), unit, count, (ranked[low], ranked[high]))


def report_of(results: list[Result]) -> Report:
    return Report(results, _machine(), f"python -m bench {' '.join(sys.argv[1:])}", _commit())


def write(report: Report, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def read(path: Path) -> Report:
    return msgspec.json.decode(path.read_bytes(), type=Report)


def show(results: Sequence[Result], console: Console) -> None:
    """Print a table; figures that foreign programs were measured for stand side by side in one of their own."""
    compared = {result.name for result in results if result.peer and result.metric == OPERATION}
    _show_list([result for result in results if result.name not in compared], console)
    for group in sorted({name.partition(".")[0] for name in compared}):
        members = [each for each in results if each.name in compared and each.name.startswith(group + ".")]
        console.print(_side_by_side(group, members))


def _side_by_side(group: str, results: Sequence[Result]) -> Table:
    """Return a row for each program: what one operation takes it, and times ours."""
    names = list(dict.fromkeys(result.name for result in results))
    ours = {result.name: result.value for result in results if result.peer is None}
    ours |= {result.name: result.value for result in results if result.peer == OURS_IN_TURNS}
    table = Table(title=f"{group}: us per operation, and times ours", title_justify="left", box=None, pad_edge=False)
    table.add_column("program")
    for name in names:
        table.add_column(name.partition(".")[2], justify="right")
    for peer in dict.fromkeys(result.peer for result in results):
        values = {result.name: result.value for result in results if result.peer == peer}
        foreign = peer and peer != OURS_IN_TURNS
        table.add_row(peer or "corefast", *(_cell(values.get(name), foreign and ours.get(name)) for name in names))
    return table


def _cell(value: float | None, ours: float | str | None) -> str:
    if value is None:
        return "–"
    return f"{rounded(value)} [dim]{value / ours:4.1f}×[/]" if isinstance(ours, float) else rounded(value)


def _show_list(results: Sequence[Result], console: Console) -> None:
    if not results:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("figure")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("95 %", justify="right", style="dim")
    table.add_column("peer", style="dim")
    for result in results:
        spread = " to ".join(map(rounded, result.ci95)) if result.ci95 else ""
        table.add_row(result.name, result.metric, rounded(result.value), result.unit, spread, result.peer or "")
    console.print(table)


def rounded(value: float) -> str:
    """Return three significant digits, and whole numbers from 100 on."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _machine() -> dict[str, str | int | float]:
    facts = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    model = next((value.strip() for key, value in facts.items() if key.strip() == "model name"), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
