"""Runs the pytest-benchmark functions and folds what they measured into results."""

import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from bench.results import ROOT, Result

_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "python_files=bench_*.py", "-o", "python_functions=*")
_CPU_TIME = "--benchmark-timer=time.process_time"
"""What other processes take of a shared machine does not count."""

_MICROSECONDS = 1e6


def find(files: Sequence[Path]) -> dict[str, str]:
    """Return the functions to measure: name of the figure → pytest's name."""
    if not files:
        return {}
    command = [sys.executable, *_PYTEST, "--collect-only", *map(str, files)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    nodes = [line for line in output.splitlines() if "::" in line]
    if not nodes:
        raise RuntimeError(output)
    return {name_of(node): node for node in nodes}


def name_of(node: str) -> str:
    """Return `link.notify_300[8]` for `bench/bench_link.py::notify_300[8]`, or the name that the function sets."""
    path, _, test = node.partition("::")
    function, bracket, parameters = test.partition("[")
    default = f"{Path(path).stem.removeprefix('bench_')}.{function}"
    return _set_names(ROOT / path).get(function, default) + bracket + parameters


@cache
def _set_names(path: Path) -> dict[str, str]:
    """Return for each function that sets `extra_info["name"]` what it sets."""
    found = {}
    for function in ast.parse(path.read_text()).body:
        for node in ast.walk(function):
            match node:
                case ast.Assign(
                    targets=[ast.Subscript(value=ast.Attribute(attr="extra_info"), slice=ast.Constant(value="name"))],
                    value=ast.Constant(value=str(name)),
                ) if isinstance(function, ast.FunctionDef):
                    found[function.name] = name
    return found


def run(nodes: Sequence[str], seconds: float | None) -> Iterator[Result]:
    """Run these; raise `RuntimeError` with pytest's words where one fails."""
    with tempfile.TemporaryDirectory(prefix="corefast-bench-") as folder:
        output = Path(folder) / "out.json"
        command = [sys.executable, *_PYTEST, f"--benchmark-json={output}", "--benchmark-disable-gc", _CPU_TIME]
        if seconds is not None:
            command.append(f"--benchmark-max-time={seconds}")
        done = subprocess.run([*command, *nodes], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stdout[-4_000:] + done.stderr[-1_000:])
        for bench in msgspec.json.decode(output.read_bytes())["benchmarks"]:
            yield _result(bench)


def _result(bench: dict[str, Any]) -> Result:
    """Return the median: one preemption in a round of microseconds moves a mean."""
    stats, extra = bench["stats"], bench["extra_info"]
    messages = extra.get("messages", 1)
    scale = _MICROSECONDS / messages
    half = 1.96 * stats["stddev"] / stats["rounds"] ** 0.5
    return Result(
        name=name_of(bench["fullname"]),
        metric="us_per_op",
        value=stats["median"] * scale,
        unit="us",
        n=stats["rounds"] * stats["iterations"] * messages,
        ci95=((stats["median"] - half) * scale, (stats["median"] + half) * scale),
        peer=extra.get("peer"),
    )
