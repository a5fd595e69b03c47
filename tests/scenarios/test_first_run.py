"""What a new user does: `make run`'s command, the line it shows, a second run, Ctrl-C, a busy port."""

import asyncio
import json
import os
import re
import shlex
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import Tell
from tests.support.programs import Program, System, free_port, is_running

DEMO = "49123123456"


@pytest.fixture(scope="module")
def system(tell: Tell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("first") / "data", ("--demo",))
    tell(system.start())
    yield system
    tell(system.stop())


def test_the_last_lines_are_the_four_that_help(system: System):
    folder, key = system.folder, (system.folder / "api.key").read_text().strip()
    api = f"http://127.0.0.1:{system.port}"
    body = '{"id":"49123123456","message":"Hello world!"}'
    assert system.banner == [
        f"API      {api}   (docs at /docs)",
        f"key      {key}",
        f"data     {folder}   (make reset erases it)",
        f"try      curl -H 'Authorization: Bearer {key}' -d '{body}' {api}/api/v7/chat",
    ]
    assert re.fullmatch(r"cf_[\w-]{20,}", key)


def test_up_json_tells_programs_the_same_and_only_us(system: System):
    facts = json.loads((system.folder / "up.json").read_text())
    assert facts["api"] == f"http://127.0.0.1:{system.port}"
    assert facts["number"] == "493023125000"
    assert facts["relay"].startswith("corefast://127.0.0.1:")
    files = [path for path in system.folder.rglob("*") if path.is_file()]
    readable_by_others = [path for path in files if path.stat().st_mode & 0o077]
    assert readable_by_others == []
    assert system.folder.stat().st_mode & 0o777 == 0o700


def test_the_line_shown_works_pasted_as_it_is(tell: Tell, system: System):
    async def story() -> None:
        assert system.banner is not None and system.http is not None and system.program is not None
        words = shlex.split(system.banner[3].removeprefix("try"))
        assert words[0] == "curl"
        name, _, value = words[words.index("-H") + 1].partition(": ")
        # curl -d sends this content type whatever the body is.
        headers = {name: value, "Content-Type": "application/x-www-form-urlencoded"}
        async with system.http.post(words[-1], data=words[words.index("-d") + 1], headers=headers) as answer:
            assert answer.status == 201
            assert (await answer.json())["status"] == "accepted"
        lines = system.program.lines
        await system.program.until(lambda: "phone +49 123 123456 ← Hello world!" in lines)
        await system.program.until(lambda: "webhook ← delivered" in lines)
        await system.program.until(lambda: "webhook ← +49 123 123456: Hello world!" in lines)
        await system.program.until(lambda: any(line.startswith("phone +49 123 123456 → ") for line in lines))

    tell(story())


def test_each_idle_process_is_small(tell: Tell, system: System):
    async def story() -> None:
        assert system.program is not None
        sizes = {name: rss_mb(system.pid(name)) for name in ("relay", "core", "api", "webhooks", "phone", "listen")}
        sizes["up"] = rss_mb(system.program.process.pid)
        assert all(size <= 60 for size in sizes.values()), sizes

    tell(story())


def rss_mb(pid: int | None) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_second_up_on_the_same_folder_is_told_who_holds_it(tell: Tell, system: System):
    async def story() -> None:
        assert system.program is not None
        second = await Program.start("corefast.supervisor", "--data", str(system.folder), "--port", str(free_port()))
        assert await asyncio.wait_for(second.process.wait(), 15) == 2
        await second.kill()
        assert f"in use by process {system.program.process.pid}" in second.errors[-1]

    tell(story())


def test_ctrl_c_stops_all_and_a_second_run_has_the_same_key_and_numbers(tell: Tell, system: System):
    async def story() -> None:
        assert system.program is not None
        before, process = system.facts, system.program.process
        pids = [pid for name in ("relay", "core", "api", "webhooks", "phone") if (pid := system.pid(name))]
        assert len(pids) == 5
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert not any(is_running(pid) for pid in pids)
        assert not (system.folder / "up.json").exists()
        await system.program.kill()
        await system.start()
        assert system.facts == before

    tell(story())


def test_a_busy_port_is_told_with_its_holder_and_the_remedy(tell: Tell, tmp_path: Path):
    async def story() -> None:
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = str(holder.getsockname()[1])
            up = await Program.start("corefast.supervisor", "--data", str(tmp_path / "data"), "--port", port)
            assert await asyncio.wait_for(up.process.wait(), 15) == 2
            await up.kill()
        assert len(up.errors) == 1
        assert f"port {port} is in use by process {os.getpid()} (" in up.errors[0] and "--port" in up.errors[0]

    tell(story())
