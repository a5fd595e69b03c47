"""Runs the pytest-benchmark tests and folds what they measured into results."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.results import ROOT, Result

_PYTEST = [
    *("-m", "pytest", "-q", "-p", "no:cacheprovider"),
    *("-o", "python_files=bench_*.py", "-o", "python_functions=bench_* test_*"),
]
_MICROSECONDS = 1e6


def names(files: Sequence[Path]) -> list[str]:
    """Return the figures that the files hold, in their order."""
    if not files:
        return []
    command = [sys.executable, *_PYTEST, "--collect-only", *map(str, files)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    tests = [line.rpartition("::")[2] for line in output.splitlines() if "::" in line]
    return list(dict.fromkeys(name_of(test) for test in tests))


def name_of(test: str) -> str:
    """Return `session.encrypt` for `bench_session_encrypt`, and `[…]` kept behind it."""
    plain, bracket, parameters = test.partition("[")
    noun, _, verb = plain.removeprefix("bench_").removeprefix("test_").partition("_")
    return f"{noun}.{verb}{bracket}{parameters}"


def run(files: Sequence[Path], wanted: Sequence[str], seconds: float | None) -> Iterator[Result]:
    """Run the tests of those names; raise `RuntimeError` with pytest's words where one fails."""
    with tempfile.TemporaryDirectory(prefix="corefast-bench-") as folder:
        output = Path(folder) / "out.json"
        command = [sys.executable, *_PYTEST, f"--benchmark-json={output}", "--benchmark-disable-gc"]
        if seconds is not None:
            command.append(f"--benchmark-max-time={seconds}")
        # A name is matched after collection: pytest's -k knows no dots.
        tests = [node for node in _nodes(files) if name_of(node.rpartition("::")[2]) in wanted]
        done = subprocess.run([*command, *tests], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stdout[-4_000:] + done.stderr[-1_000:])
        for bench in msgspec.json.decode(output.read_bytes())["benchmarks"]:
            yield _result(bench)


def _nodes(files: Sequence[Path]) -> list[str]:
    command = [sys.executable, *_PYTEST, "--collect-only", *map(str, files)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    return [line for line in output.splitlines() if "::" in line]


def _result(bench: dict[str, Any]) -> Result:
    stats, extra = bench["stats"], bench["extra_info"]
    scale = _MICROSECONDS / extra.get("per_call", 1)
    half = 1.96 * stats["stddev"] / stats["rounds"] ** 0.5
    # The median: one preemption in a round of microseconds moves a mean.
    middle = stats["median"]
    return Result(
        name=extra.get("name", name_of(bench["name"])),
        metric=extra.get("metric", "us_per_op"),
        value=middle * scale,
        unit="us",
        n=stats["rounds"] * stats["iterations"],
        ci95=((middle - half) * scale, (middle + half) * scale),
        peer=extra.get("peer"),
    )
