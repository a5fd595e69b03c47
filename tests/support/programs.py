"""Real processes for scenarios: `corefast up` and phones, started, listened to, and killed by their pid."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

START_TIMEOUT_S = 30.0
MODULES = {
    "relay": "corefast.relay",
    "core": "corefast.core",
    "api": "api",
    "webhooks": "api.webhooks",
    "phone": "corefast.device",
    "listen": "api.listen",
}

Fact = dict[str, Any]


def free_port() -> int:
    """Return a port that nobody uses, below those that the kernel gives to outgoing connections.

    One of those may be taken, even by who connects to it, while a program that was killed is on its way back.
    """
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Program:
    """One process of ours and the lines it writes to stdout."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.errors: list[str] = []
        self.facts: list[Fact] = []
        self._news = asyncio.Condition()
        self._readers = [
            asyncio.ensure_future(self._read(process.stdout, self._take_line)),
            asyncio.ensure_future(self._read(process.stderr, self.errors.append)),
        ]
        self._has_ended = False
        self._end = asyncio.ensure_future(self._watch())

    @classmethod
    async def start(cls, *command: str, **environ: str) -> "Program":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | environ | {"COREFAST_PARENT": str(os.getpid())},
            limit=4_194_304,
        )
        return cls(process)

    async def until(self, test: Callable[[], Any], timeout_s: float = START_TIMEOUT_S) -> Any:
        """Wait until *test* is true of what was written, and return its result."""
        async with asyncio.timeout(timeout_s), self._news:
            while not (found := test()):
                if self._has_ended:
                    raise AssertionError(f"it ended with {self.process.returncode}: {self.errors[-3:]}")
                await self._news.wait()
        return found

    async def fact(self, **wanted: Any) -> Fact:
        """Wait for a JSON line that has all of *wanted*."""

        def find() -> Fact | None:
            return next((fact for fact in self.facts if wanted.items() <= fact.items()), None)

        found: Fact = await self.until(find)
        return found

    def say(self, **facts: Any) -> None:
        """Write one JSON line to its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(facts).encode() + b"\n")

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self._end

    async def stop(self, timeout_s: float = 10.0) -> int:
        """SIGTERM; return the exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        async with asyncio.timeout(timeout_s):
            code = await self.process.wait()
        await self._end
        return code

    def _take_line(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith("{"):
            self.facts.append(json.loads(line))

    async def _read(self, stream: asyncio.StreamReader | None, take: Callable[[str], None]) -> None:
        assert stream is not None
        try:
            async for line in stream:
                take(line.decode().rstrip("\n"))
                async with self._news:
                    self._news.notify_all()
        except asyncio.CancelledError:
            # The test has failed and its loop closes, which uvloop does when the last process has let go of its pipes.
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            raise

    async def _watch(self) -> None:
        """Wait until the program has ended and all that it wrote is read; then nobody waits for more."""
        await self.process.wait()
        await asyncio.gather(*self._readers)
        self._has_ended = True
        async with self._news:
            self._news.notify_all()


@dataclass
class System:
    """A running `corefast up`."""

    folder: Path
    options: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    program: Program | None = None
    facts: Fact = field(default_factory=dict)
    http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Start it and wait until it serves."""
        arguments = ("--data", str(self.folder), "--port", str(self.port), *self.options)
        self.program = await Program.start("corefast.supervisor", *arguments, **self.environ)
        await self.program.until(lambda: self.banner is not None)
        self.facts = json.loads((self.folder / "up.json").read_text())
        if self.http is None:
            connector = aiohttp.TCPConnector(limit=32, force_close=False)
            self.http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20))

    @property
    def banner(self) -> list[str] | None:
        """The four lines, once they are there."""
        assert self.program is not None
        lines = self.program.lines
        found = next((at for at, line in enumerate(lines) if line.startswith("try ")), None)
        return None if found is None else lines[found - 3 : found + 1]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.facts['api_key']}"}

    def pid(self, name: str) -> int | None:
        """The process that runs the program *name* under this `up`; None between two lives."""
        assert self.program is not None
        for child in children_of(self.program.process.pid):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                if words[1:3] == ["-m", MODULES[name]]:
                    return child
        return None

    async def kill(self, name: str) -> None:
        """SIGKILL one program (or `up`); `up` itself starts the others again."""
        if name == "up":
            await self.restart()
            return
        while (pid := self.pid(name)) is None:
            await asyncio.sleep(0.02)
        os.kill(pid, signal.SIGKILL)

    async def restart(self) -> float:
        """SIGKILL `up` itself, start it again, and return how long it took to serve."""
        assert self.program is not None
        began = time.monotonic()
        await self.program.kill()
        await self.start()
        return time.monotonic() - began

    async def stop(self) -> int:
        if self.http is not None:
            await self.http.close()
            self.http = None
        assert self.program is not None
        return await self.program.stop()

    # ── as a business ──────────────────────────────────────────────────────────────────────────────────────────────

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Return status and decoded body of one request with our key."""
        assert self.http is not None
        options.setdefault("headers", self.headers)
        async with self.http.request(method, self.facts["api"] + path, **options) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) else text

    async def send(self, to: str, text: str) -> str:
        """Send a text by the on-premises call and return its id."""
        body = {"to": to, "type": "text", "text": {"body": text}}
        status, answer = await self.request("POST", "/v1/messages", json=body)
        assert status == 201, (status, answer)
        return str(answer["messages"][0]["id"])

    async def insist(self, to: str, text: str, key: str, deadline_s: float = 40.0) -> str:
        """Send with an idempotency key, again and again until it is accepted."""
        body = {"to": to, "type": "text", "text": {"body": text}}
        headers = self.headers | {"Idempotency-Key": key}
        deadline = time.monotonic() + deadline_s
        while True:
            try:
                status, answer = await self.request("POST", "/v1/messages", json=body, headers=headers)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                status, answer = 0, repr(error)
            if status == 201:
                return str(answer["messages"][0]["id"])
            assert status in (0, 409, 429, 500, 503) and time.monotonic() < deadline, (status, answer)
            await asyncio.sleep(0.1)

    async def states(self, message_id: str) -> list[str]:
        """The history of a message."""
        status, view = await self.request("GET", f"/v1/messages/{message_id}")
        assert status == 200, (status, view)
        return [change["status"] for change in history_of(view)]


def history_of(view: Fact) -> list[Fact]:
    """The list of state changes in a message's view."""
    message = view["messages"][0] if "messages" in view else view
    return list(message["history"])


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return []


class Phone:
    """A phone as its own process; what it showed survives its restarts here."""

    def __init__(self, number: str, home: Path, relay: str, *options: str) -> None:
        self.number, self._home, self._relay, self._options = number, home, relay, options
        self.program: Program | None = None
        self._earlier: list[Fact] = []

    async def start(self, **environ: str) -> None:
        command = ["corefast.device", "--json", "--number", self.number, "--home", str(self._home)]
        self.program = await Program.start(*command, "--relay", self._relay, *self._options, **environ)
        await self.program.fact(event="ready")

    async def kill(self) -> None:
        assert self.program is not None
        await self.program.kill()
        self._earlier += self.program.facts

    async def stop(self) -> None:
        assert self.program is not None
        await self.program.stop()
        self._earlier += self.program.facts

    @property
    def messages(self) -> list[Fact]:
        running = self.program.facts if self.program and self.program.process.returncode is None else []
        return [fact for fact in self._earlier + running if fact.get("event") == "message"]

    @property
    def texts(self) -> list[str]:
        """What it showed, in order, each id once: a repeat with the same id is the same message."""
        return list({fact["id"]: fact["text"] for fact in self.messages}.values())

    async def until_texts(self, count: int, timeout_s: float = START_TIMEOUT_S) -> list[str]:
        assert self.program is not None
        await self.program.until(lambda: len(self.texts) >= count, timeout_s)
        return self.texts


@contextlib.asynccontextmanager
async def running(folder: Path, *options: str, **environ: str) -> AsyncIterator[System]:
    """A system for one story; at the end it must stop in time and with a clean conscience."""
    system = System(folder, options, environ)
    await system.start()
    try:
        yield system
    except BaseException:
        await system.stop()
        raise
    assert await system.stop() == 0


def is_running(pid: int) -> bool:
    """Tell whether the process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
