"""`session.peers`: what foreign session engines cost, and ours measured the same way, in turns.

All carry the same 100 bytes, on one core, in CPU time; each does the work of its own protocol, which WORK names. Python
peers are installed from PyPI into an environment of their own below build/; npm's needs `make peers` to have run, the C
one its Debian package. A peer that is not there is named and left out.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median, stdev

from bench.figures import Options
from bench.results import OURS_IN_TURNS, ROOT, Result

HERE = Path(__file__).parent
PYTHON_PEERS = {"vodozemac": "0.10.0", "python-olm": "3.2.16", "DoubleRatchet": "1.3.0"}
OURS_SPARE = "corefast, spare keys"
NPM_PEER, C_PEER = "libsignal-client 0.103.0 (npm)", "libsignal-protocol-c"
ROUNDS = 3
WORK = {
    OURS_IN_TURNS: "PQXDH with two signatures verified, SPQR's first epoch, messages as bytes",
    OURS_SPARE: "the same; the key pairs of starts and turns are made ahead, 17 us each that are not in the figure",
    "vodozemac": "Olm: 3DH, no signature verified, messages stay parsed",
    "python-olm": "Olm: 3DH, no signature verified, messages in base64",
    "DoubleRatchet": "the ratchet alone, messages stay parsed, asyncio",
    NPM_PEER: "PQXDH, whole SPQR, messages as bytes, promises of Node.js",
    C_PEER: "X3DH with one signature verified, the session stored as bytes after each message",
}
"""What each does in the figures, by what its results are called."""

C_SOURCE = ROOT / "tests" / "peers" / "libsignal_c.c"
C_ROUNDS_PER_SECOND = 20

Samples = dict[str, list[float]]


def run(options: Options) -> Iterator[Result]:
    """Measure nothing unless peers were asked for."""
    if not options.peers:
        return
    engines = _engines((options.seconds or 3.0) / ROUNDS)
    samples: dict[str, Samples] = {name: defaultdict(list) for name in engines}
    for _ in range(ROUNDS):
        for name, engine in list(engines.items()):
            options.say(name)
            found = _attempt(name, engine)
            for metric, values in found.items():
                samples[name][metric] += values
            if not found:
                del engines[name]
    for name in engines:
        yield from _results(name, samples[name])
    print("session: plaintexts of 100 bytes; set-up ends when the first message is read", file=sys.stderr)
    for name, work in WORK.items():
        print(f"  {name}: {work}", file=sys.stderr)


def _engines(seconds: float) -> dict[str, Callable[[], Samples]]:
    """Return how each engine is measured for so long, by what its results are called."""
    engines: dict[str, Callable[[], Samples]] = {
        OURS_IN_TURNS: partial(_measure_ours, seconds),
        OURS_SPARE: partial(_measure_spare, seconds),
    }
    for name, version in PYTHON_PEERS.items():
        engines[f"{name} {version}"] = partial(_measure_python, name, version, seconds)
    return engines | {NPM_PEER: partial(_measure_npm, seconds), C_PEER: partial(_measure_c, seconds)}


def _attempt(name: str, measure: Callable[[], Samples]) -> Samples:
    try:
        return measure()
    except (OSError, subprocess.CalledProcessError) as error:
        words = getattr(error, "stderr", "") or str(error)
        print(f"{name} is left out: {_reason(words)}", file=sys.stderr)
        return {}


def _reason(words: str) -> str:
    """Return the line that says most: the first about an error, or the last."""
    lines = words.strip().splitlines() or ["it says nothing"]
    return next((line for line in lines if re.search(r"\berror\b.*:", line, re.IGNORECASE)), lines[-1]).strip()


def _results(peer: str, samples: Samples) -> Iterator[Result]:
    """Return medians, as for our own functions."""
    for metric, values in samples.items():
        value = median(values)
        half = 1.96 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        yield Result(f"session.{metric}", "us_per_op", value, "us", len(values), (value - half, value + half), peer)


def _measure_ours(seconds: float) -> Samples:
    return _decode(_output(sys.executable, "-m", "bench.session_ours", str(seconds)))


def _measure_spare(seconds: float) -> Samples:
    """Return only what spare keys are taken for."""
    found = _decode(_output(sys.executable, "-m", "bench.session_ours", str(seconds), "spare"))
    return {metric: found[metric] for metric in ("setup", "pingpong")}


def _measure_python(name: str, version: str, seconds: float) -> Samples:
    folder = ROOT / "build" / "peers"
    python = folder / "bin" / "python"
    if not python.exists():
        _output(sys.executable, "-m", "venv", str(folder))
    _output(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", f"{name}=={version}")
    return _decode(_output(str(python), str(HERE / "session_foreign.py"), name, str(seconds)))


def _measure_npm(seconds: float) -> Samples:
    return _decode(_output("node", str(HERE / "session_libsignal.mjs"), str(seconds)))


def _measure_c(seconds: float) -> Samples:
    with tempfile.TemporaryDirectory(prefix="corefast-bench-") as folder:
        program = str(Path(folder) / "libsignal_c")
        flags = ("-O2", "-Wno-deprecated-declarations", "-I/usr/include/signal")
        _output("cc", *flags, "-o", program, str(C_SOURCE), "-lsignal-protocol-c", "-lcrypto")
        lines = _output(program, "bench", str(max(5, int(seconds * C_ROUNDS_PER_SECOND)))).splitlines()
    samples: Samples = defaultdict(list)
    for line in lines:
        metric, value = line.split()
        samples[metric].append(float(value))
    return samples


def _decode(output: str) -> Samples:
    found: Samples = json.loads(output)
    return found


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
