"""A real relay process, phones as processes and phones in this process."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from corefast.device import Device, Event, Options
from tests.relay.party import hang_up_all
from tests.support.programs import free_port

WAIT_S = 20.0
RELAY_FLAGS = ("--listen", "127.0.0.1:0", "--registration", "open", "--bundle-burst", "1000", "--post-burst", "100000")

_running: list[asyncio.subprocess.Process] = []

_numbers = itertools.count(99910000000, 10)


class Program:
    """A child process that speaks JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    @classmethod
    async def start(cls, *command: str) -> "Program":
        pipe = asyncio.subprocess.PIPE
        environ = os.environ | {"COREFAST_PARENT": str(os.getpid())}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, stdin=pipe, stdout=pipe, stderr=pipe, env=environ
        )
        _running.append(process)
        return cls(process)

    async def line(self) -> dict[str, Any]:
        """Return the next line; raise EOFError at the end."""
        data = await asyncio.wait_for(self.process.stdout.readline(), WAIT_S)
        if not data:
            raise EOFError
        self.lines.append(msgspec.json.decode(data))
        return self.lines[-1]

    async def until(self, event: str, **facts: Any) -> dict[str, Any]:
        """Return the next line of *event* with *facts*."""
        while True:
            line = await self.line()
            if line.get("event") == event and facts.items() <= line.items():
                return line

    def say(self, **command: Any) -> None:
        self.process.stdin.write(msgspec.json.encode(command) + b"\n")

    async def kill(self) -> list[dict[str, Any]]:
        """kill -9; return all lines that were written before."""
        if self.process.returncode is None:
            self.process.kill()
        rest, _ = await self.process.communicate()
        self.lines += [msgspec.json.decode(line) for line in rest.split(b"\n")[:-1] if line]
        return self.lines

    async def stop(self) -> int:
        """SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        await self.process.communicate()
        return self.process.returncode

    async def ended(self) -> tuple[int, str]:
        """Return exit code and stderr of a program that ends by itself."""
        _, errors = await asyncio.wait_for(self.process.communicate(), WAIT_S)
        return self.process.returncode, errors.decode()


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's story; programs and links that it left behind are ended, without which uvloop would not close."""

    async def main() -> None:
        try:
            await story()
        finally:
            await hang_up_all()
            while _running:
                process = _running.pop()
                if process.returncode is None:
                    process.kill()
                    await process.communicate()

    uvloop.run(main())


class World:
    """A relay, homes for phones, and numbers that no other test uses."""

    def __init__(self, folder: Path, url: str, relay: Program | None = None) -> None:
        self.folder = folder
        self.url = url
        self.relay = relay
        first = next(_numbers)
        self.alice, self.bob, self.eve = f"{first}", f"{first + 1}", f"{first + 2}"

    @classmethod
    async def start(cls, folder: Path, *flags: str) -> "World":
        """Start a relay of its own in *folder*, at a port that it finds free again after a kill."""
        flags = ("--listen", f"127.0.0.1:{free_port()}", *flags)
        relay = await Program.start("corefast.relay", "--data-dir", str(folder / "relay"), *RELAY_FLAGS, *flags)
        return cls(folder, (await relay.line())["url"], relay)

    async def restart_relay(self) -> None:
        """kill -9 the relay and start it again at the same port."""
        assert self.relay is not None
        await self.relay.kill()
        address = self.url.removeprefix("corefast://").partition("/")[0]
        self.relay = (await World.start(self.folder, "--listen", address)).relay

    def home(self, number: str) -> Path:
        return self.folder / number

    async def phone(self, number: str, *flags: str, home: str = "") -> Program:
        """Start a phone process."""
        place = str(self.home(home or number))
        return await Program.start(
            "corefast.device", "--json", "--number", number, "--home", place, "--relay", self.url, *flags
        )

    @asynccontextmanager
    async def device(self, number: str, home: str = "", **options: Any) -> AsyncIterator["Watched"]:
        """Open a phone in this process."""
        device = await Device.open(self.home(home or number), self.url, number, Options(**options))
        try:
            yield Watched(device)
        finally:
            await device.close()


class Watched:
    """A device with all that it told so far."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.events: list[Event] = []
        self._stream = device.events()

    async def until(self, kind: type, count: int = 1, **facts: Any) -> list[Any]:
        """Return the next *count* events of *kind* with *facts*."""
        found: list[Any] = []
        async with asyncio.timeout(WAIT_S):
            while len(found) < count:
                event = await anext(self._stream)
                self.events.append(event)
                if isinstance(event, kind) and all(getattr(event, name) == value for name, value in facts.items()):
                    found.append(event)
        return found


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    made = await World.start(folder)
    try:
        yield made
    finally:
        assert made.relay is not None
        await made.relay.kill()
