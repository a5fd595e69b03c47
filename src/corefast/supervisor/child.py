"""One program under the supervisor's care: started, listened to, started again, stopped."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

from corefast.errors import CorefastError
from corefast.process import EXIT_SETUP

MAX_DEATHS = 5
DEATHS_WINDOW_S = 30.0
"""So many deaths in so long and we give up: what is wrong needs a person."""

FIRST_PAUSE_S = 0.05
LAST_PAUSE_S = 2.0

MAX_LINE_BYTES = 4_194_304
"""Of a child's output; a webhook body with a text of 4,096 characters is far below."""

MAX_LOG_BYTES = 8_388_608
"""Of one child's log; a full one becomes NAME.log.1 and replaces the one before."""

Facts = dict[str, Any]


class ChildFailed(CorefastError):
    """A child cannot be kept alive; the text is its own last complaint."""

    code = "child.failed"


class Log:
    """A child's stderr in a file of bounded size, 0600, and the last line of it that complains.

    A disk that takes no more costs lines, never the care for the child.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._open()
        self.complaint = ""

    def write(self, line: bytes) -> None:
        self.complaint = _complaint(line) or self.complaint
        with suppress(OSError):
            if self._file.tell() + len(line) > MAX_LOG_BYTES:
                self._path.replace(self._path.with_suffix(".log.1"))
                full, self._file = self._file, self._open()
                full.close()
            self._file.write(line)

    def close(self) -> None:
        self._file.close()

    def _open(self) -> FileIO:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        file = open(descriptor, "ab", buffering=0)
        file.seek(0, os.SEEK_END)
        return file


def _complaint(line: bytes) -> str:
    """Return what a log line complains of, "" when it does not; a line that is not JSON is one."""
    try:
        entry = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return line.decode(errors="replace").strip().removeprefix("corefast: ")
    if entry.get("level") not in ("error", "critical"):
        return ""
    cause = str(entry.get("exception", "")).partition("\n")[0]
    return f"{entry.get('event', '')}{': ' if cause else ''}{cause}"


class Child:
    """A program of ours by its module name; `keep` starts it as often as it takes."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        logs: Path,
        environ: Mapping[str, str],
        on_fact: Callable[[Facts], None] = lambda _: None,
    ) -> None:
        """*command*: module and arguments; *on_fact* gets each JSON line of its stdout after the ready line."""
        self.name = name
        self._command = command
        self._log = Log(logs / f"{name}.log")
        self._environ = environ
        self._on_fact = on_fact
        self._process: asyncio.subprocess.Process | None = None
        self._ready: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        self._is_stopping = False

    async def ready(self) -> Facts:
        """Wait for the ready line of its first life and return it."""
        return await asyncio.shield(self._ready)

    def later(self, environ: Mapping[str, str]) -> None:
        """Have the lives after this one start with *environ* besides."""
        self._environ = {**self._environ, **environ}

    async def keep(self, on_restart: Callable[[str], None]) -> None:
        """Keep it alive until `stop`; raise `ChildFailed` when that is no use."""
        try:
            await self._keep(on_restart)
        finally:
            self._log.close()

    async def _keep(self, on_restart: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_stopping:
            code = await self._live()
            if self._is_stopping:
                return
            self._deaths.append(loop.time())
            recent = [at for at in self._deaths if at > loop.time() - DEATHS_WINDOW_S]
            # A program that never came up and says that the operator has to change something means it.
            if len(recent) >= MAX_DEATHS or (code == EXIT_SETUP and not self._ready.done()):
                raise ChildFailed(f"{self.name}: {self._log.complaint or _describe_end(code)}")
            on_restart(f"{self.name} ended ({_describe_end(code)}), starting it again")
            await asyncio.sleep(min(LAST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** len(recent)))

    async def stop(self, grace_s: float) -> None:
        """Ask it to end and wait *grace_s*, then end it."""
        self._is_stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        self._is_stopping = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _live(self) -> int:
        """Run it once, from start to end; return its exit code."""
        self._process = process = await spawn(self._command, self._environ)
        if self._is_stopping:
            process.kill()
        assert process.stdout is not None and process.stderr is not None
        await asyncio.gather(_each_line(process.stdout, self._on_output), _each_line(process.stderr, self._log.write))
        return await process.wait()

    def _on_output(self, line: bytes) -> None:
        try:
            facts = msgspec.json.decode(line, type=Facts)
        except msgspec.DecodeError:
            return
        if self._ready.done():
            self._on_fact(facts)
        elif "ready" in facts or facts.get("event") == "ready":
            self._ready.set_result(facts)


async def spawn(command: Sequence[str], environ: Mapping[str, str] | None = None) -> asyncio.subprocess.Process:
    """Start `python -m` *command* so that it dies with us and does not get our terminal's Ctrl-C."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environ or {}), "COREFAST_PARENT": str(os.getpid())},
        start_new_session=True,
        limit=MAX_LINE_BYTES,
    )


async def _each_line(stream: asyncio.StreamReader, take: Callable[[bytes], None]) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than MAX_LINE_BYTES: left out
            continue
        if not line:
            return
        take(line)


def _describe_end(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
