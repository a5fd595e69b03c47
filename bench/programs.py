"""The real programs as child processes: start, wait for the ready line, weigh, stop."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import msgspec

from bench.results import ROOT

READY_S = 30.0
_NOTHING: Mapping[str, str] = MappingProxyType({})
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Process:
    """A process by its id: what it has cost so far."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    @property
    def cpu_s(self) -> float:
        """User and system time so far, of all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    @property
    def rss_mib(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1_024

    @property
    def written_bytes(self) -> int:
        """What it had the disks write."""
        fields = dict(line.split(": ") for line in Path(f"/proc/{self.pid}/io").read_text().splitlines())
        return int(fields["write_bytes"])


class Program(Process):
    """A child process that speaks JSON lines on stdout."""

    def __init__(self, name: str, *command: str, folder: Path, environ: Mapping[str, str] = _NOTHING) -> None:
        self.name = name
        self._errors = folder / f"{name}.log"
        ours = {"COREFAST_PARENT": str(os.getpid()), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        environment = {**os.environ, **ours, **environ}
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        super().__init__(self._process.pid)

    def read(self, timeout_s: float = READY_S) -> dict[str, Any]:
        """Return the next line; raise `RuntimeError` with the program's last words where none comes."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            words = self._errors.read_text(errors="replace")[-2_000:]
            raise RuntimeError(f"{self.name} said nothing for {timeout_s:.0f} s\n{words}")
        return msgspec.json.decode(line, type=dict[str, Any])

    def ask(self, timeout_s: float = READY_S, **facts: object) -> dict[str, Any]:
        """Send one line and return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(facts) + b"\n")
        self._process.stdin.flush()
        return self.read(timeout_s)

    def finish(self, timeout_s: float = READY_S) -> None:
        """End stdin and wait."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def machine_cpu() -> tuple[float, float]:
    """Return the seconds of all cores so far: in all, and not idle."""
    fields = [int(field) / _TICKS_PER_S for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields), sum(fields) - idle


def wait_until(condition: Any, timeout_s: float, every_s: float = 0.05) -> bool:
    """Return whether *condition* became true in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every_s)
    return True


def say(**facts: object) -> None:
    """Print one JSON line: what a child of ours says to `Program.read`."""
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
    sys.stdout.flush()
