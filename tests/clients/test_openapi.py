"""Schemathesis reads openapi.json and sends what it allows, and what it does not, to every operation.

Two fronts take turns, as behind a load balancer.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from tests.support.programs import Fact, Program, System

EXAMPLES = 12
"""Of each operation and phase; always the same ones."""

UNCHECKED = "positive_data_acceptance"
"""A schema says shapes; how long a title may be, or that a template exists, is said by the refusal."""


@asynccontextmanager
async def in_turn(*urls: str) -> AsyncIterator[str]:
    """Serve on loopback; pass each connection on to the next of *urls*."""
    turns, passing = cycle([urlsplit(url).port for url in urls]), set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # the other direction ends as well
        finally:
            writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passing.add(asyncio.current_task())
        front, to_front = await asyncio.open_connection("127.0.0.1", next(turns))
        await asyncio.gather(copy(reader, to_front), copy(front, writer))

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in passing:
            task.cancel()


def test_no_operation_answers_but_as_described(tmp_path: Path) -> None:
    async def main() -> None:
        up = System(tmp_path / "data", ("--demo",))
        await up.start()
        secret = str(tmp_path / "data" / "core" / "front.secret")
        core = ("--core", up.facts["core"], "--core-secret-file", secret, "--listen", "127.0.0.1:0")
        second = await Program.start("api", *core)
        try:
            fronts = up.facts["api"], (await second.fact(ready="api"))["url"]
            async with in_turn(*fronts) as url:
                await attack(url, up.facts, tmp_path)
            assert up.http is not None
            for front in fronts:
                figures = await (await up.http.get(f"{front}/metrics")).text()
                assert 'corefast_api_requests_total{route="v1.messages",status="201"}' in figures
        finally:
            await second.kill()
            await up.stop()

    uvloop.run(main())


async def attack(url: str, facts: Fact, folder: Path) -> None:
    """Let schemathesis send to *url*; each request on a connection of its own."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("st")),
        "run",
        f"{url}/openapi.json",
        *("--header", f"Authorization: Bearer {facts['api_key']}"),
        *("--header", "Connection: close"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES)),
        *("--checks", "all", "--exclude-checks", UNCHECKED, "--generation-deterministic"),
        *("--exclude-tag", "absent"),  # what is not served is 501 on purpose, and any 5xx counts as a fault
        *("--continue-on-failure", "--warnings", "off", "--no-color"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told = (await process.communicate())[0].decode()
    assert process.returncode == 0, told[-20_000:]
    assert " operations" in told.lower() and "generated" in told, told[-2_000:]
