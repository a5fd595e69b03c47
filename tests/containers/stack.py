"""One compose project as a business sees it from outside: its API, its webhook, its phones, and its containers."""

import asyncio
import contextlib
import ipaddress
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.programs import Phone, System, free_port
from tests.support.receiver import Receiver

ROOT = Path(__file__).parents[2]
COMMAND_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 90.0

ASK_SECRET = """\
import asyncio, sys
from api.local import open_core
from corefast.wire.webhook import GetWebhook, Webhook
async def ask():
    core = open_core(sys.argv[1], sys.argv[2])
    print((await core.call(GetWebhook(), Webhook, link_wait_ms=3000)).secret)
    await core.close()
asyncio.run(ask())
"""


class CommandFailed(AssertionError):
    """A docker command did not end well, or not in time."""


async def docker(*words: str, timeout_s: float = COMMAND_TIMEOUT_S, **environ: str) -> str:
    """Run a command and return its output."""
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=ROOT,
        env=os.environ | environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, complaint = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise CommandFailed(f"{' '.join(words)} took longer than {timeout_s} s") from None
    if process.returncode:
        raise CommandFailed(f"{' '.join(words)}: {complaint.decode(errors='replace')[-2_000:]}")
    return output.decode()


class OutsideReceiver(Receiver):
    """A webhook endpoint on the host, reached from containers by the bridge's address."""

    async def open(self) -> None:
        form = "{{(index .IPAM.Config 0).Subnet}}"
        network = ipaddress.ip_network((await docker("docker", "network", "inspect", "bridge", "-f", form)).strip())
        host = str(network[1])  # the host's own, where the daemon was not told otherwise
        self.url = f"http://{host}:{self.port}/hook"
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, self.port).start()


class Stack(System):
    """A profile of docker/compose.yml under a name and ports of its own."""

    def __init__(self, folder: Path, profile: str) -> None:
        super().__init__(folder, environ={"COMPOSE_PROFILES": profile})
        self.profile = profile
        self.project = f"corefast-test-{os.getpid()}-{profile}"
        self.relay_port = free_port()
        self.receiver = OutsideReceiver()
        self.phones: list[Phone] = []
        self._containers: dict[str, str] = {}

    async def compose(self, *words: str, **options: Any) -> str:
        command = os.environ.get("COREFAST_COMPOSE", "docker-compose").split()
        return await docker(
            *command, "-f", "docker/compose.yml", "-p", self.project, *words, **self.environ,
            **options,
        )  # fmt: skip

    async def container(self, service: str) -> str:
        """Return the id of a service's container; it stays until the container is made anew."""
        if service not in self._containers:
            self._containers[service] = (await self.compose("ps", "-q", service)).strip()
        return self._containers[service]

    async def inspect(self, service: str, form: str) -> str:
        return await self.inspect_one(await self.container(service), form)

    async def inspect_one(self, container: str, form: str) -> str:
        return (await docker("docker", "inspect", "-f", form, container)).strip()

    async def run_in(self, service: str, *words: str) -> str:
        return await docker("docker", "exec", await self.container(service), *words)

    # ── life ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Start it from nothing and learn what a business is told."""
        await self.receiver.open()
        self.environ |= {
            "COREFAST_API_PUBLISH": f"127.0.0.1:{self.port}",
            "COREFAST_RELAY_PUBLISH": f"127.0.0.1:{self.relay_port}",
            "COREFAST_RELAY_PUBLIC": f"127.0.0.1:{self.relay_port}",
            "COREFAST_WEBHOOK": self.receiver.url,
            "COREFAST_ALLOW_HTTP": "true",
            "COREFAST_DEMO": "true",
            "COREFAST_DATABASE_IMAGE": os.environ.get("COREFAST_DATABASE_IMAGE", "corefast-database:test"),
        }
        await self.up()
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        self.facts = {"api": f"http://127.0.0.1:{self.port}", "number": "493023125000"}
        await self.until_ready()
        await self._learn()

    async def up(self, *options: str) -> None:
        self._containers.clear()
        await self.compose("up", "-d", "--no-build", *options, timeout_s=300)

    async def _learn(self) -> None:
        if self.profile == "embedded":
            wait = (
                "for _ in $(seq 300); do [ -e up.json ] && break; sleep 0.1; done; cat up.json"  # the last to be ready
            )
            up = json.loads(await self.run_in("corefast", "sh", "-c", wait))
            self.facts |= {"api_key": up["api_key"], "relay": up["relay"]}
            where = ("corefast", "/data", up["core"])
        else:
            made = await self.run_in("api", "corefast", "key", "new", "--name", "test", "--json")
            self.facts |= {"api_key": json.loads(made)["key"], "relay": await self._announced_url()}
            where = ("api", "/data", "core:4461")
        service, *arguments = where
        self.receiver.secret = (await self.run_in(service, "python", "-c", ASK_SECRET, *arguments)).strip()

    async def _announced_url(self) -> str:
        lines = (await self.compose("logs", "--no-color", "relay")).splitlines()
        ready = next(line for line in reversed(lines) if '"ready":"relay"' in line)
        return str(json.loads(ready[ready.index("{") :])["url"])

    async def until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until the front says that it is ready and that the relay is there."""
        assert self.http is not None
        deadline, answer = time.monotonic() + timeout_s, ""
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with self.http.get(self.facts["api"] + "/readyz") as response:
                    answer = await response.text()
                    if response.status == 200 and json.loads(answer)["checks"]["relay"] == "connected":
                        return
            await asyncio.sleep(0.1)
        raise AssertionError(f"not ready after {timeout_s} s: {answer}")

    async def until_healthy(self, service: str, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while (state := await self.inspect(service, "{{.State.Health.Status}}")) != "healthy":
            assert time.monotonic() < deadline, (service, state)
            await asyncio.sleep(0.3)

    async def kill(self, name: str) -> None:
        """SIGKILL the first process of a container, from outside: its restart is the daemon's to do."""
        os.kill(int(await self.inspect(name, "{{.State.Pid}}")), signal.SIGKILL)

    async def close(self) -> None:
        """Remove everything, whatever state it is in."""
        for phone in self.phones:
            if phone.program is not None:
                await phone.program.kill()
        if self.http is not None:
            await self.http.close()
        try:
            await self.compose("down", "-v", "--remove-orphans", "-t", "10")
        finally:
            await self.receiver.stop()

    # ── from outside ───────────────────────────────────────────────────────────────────────────────────────────────

    async def issue_code(self, number: str) -> str:
        service = "corefast" if self.profile == "embedded" else "relay"
        return (await self.run_in(service, "corefast", "relay", "issue-code", number)).split()[0]

    async def phone(self, number: str, *options: str) -> Phone:
        """A phone on the host that registered with a code."""
        phone = Phone(number, self.folder / f"phone-{number}", self.facts["relay"], *options)
        self.phones.append(phone)
        await phone.start(COREFAST_CODE=await self.issue_code(number))
        return phone


@contextlib.asynccontextmanager
async def standing(folder: Path, profile: str) -> AsyncIterator[Stack]:
    """A stack for some stories; removed in any case, and with its logs shown where a story failed."""
    stack = Stack(folder, profile)
    try:
        await stack.open()
        yield stack
    except BaseException:
        with contextlib.suppress(CommandFailed):
            print(await stack.compose("ps"))
            print(await stack.compose("logs", "--no-color", "--tail=60"))
        raise
    finally:
        await stack.close()
