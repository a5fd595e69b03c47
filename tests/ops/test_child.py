import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from corefast.supervisor import child as child_module
from corefast.supervisor.child import MAX_DEATHS, Child, ChildFailed, Log

Story = Callable[[Child, "asyncio.Queue[dict]"], Awaitable[None]]

READY = "import sys, json, time\nprint(json.dumps({'ready': 'fake', 'pid': __import__('os').getpid()}), flush=True)\n"


def with_child(tmp_path: Path, program: str, story: Story) -> None:
    (tmp_path / "fake.py").write_text(program)

    async def main() -> None:
        facts: asyncio.Queue[dict] = asyncio.Queue()
        child = Child("fake", ["fake"], tmp_path, {"PYTHONPATH": str(tmp_path)}, facts.put_nowait)
        try:
            await asyncio.wait_for(story(child, facts), 20)
        finally:
            child.kill()

    uvloop.run(main())


def test_a_killed_child_is_started_again_and_its_lines_are_heard(tmp_path: Path):
    async def story(child: Child, facts: asyncio.Queue[dict]) -> None:
        notes: list[str] = []
        keeping = asyncio.ensure_future(child.keep(notes.append))
        ready = await child.ready()
        os.kill(ready["pid"], 9)
        again = await facts.get()
        assert again["ready"] == "fake" and again["pid"] != ready["pid"]
        assert notes == ["fake ended (signal SIGKILL), starting it again"]
        await child.stop(2)
        await keeping

    with_child(tmp_path, READY + "time.sleep(60)\n", story)


def test_after_five_deaths_it_gives_up_with_the_last_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(child_module, "FIRST_PAUSE_S", 0.0)
    program = READY + (
        "print(json.dumps({'level': 'error', 'event': 'no space left', 'exception': 'StoreFull: x\\ny'}), "
        "file=sys.stderr)\n"
        "print(json.dumps({'level': 'info', 'event': 'bye'}), file=sys.stderr)\nsys.exit(1)\n"
    )

    async def story(child: Child, facts: asyncio.Queue[dict]) -> None:
        notes: list[str] = []
        with pytest.raises(ChildFailed, match="^fake: no space left: StoreFull: x$"):
            await child.keep(notes.append)
        assert len(notes) == MAX_DEATHS - 1

    with_child(tmp_path, program, story)


def test_a_program_that_cannot_be_set_up_is_not_tried_again(tmp_path: Path):
    async def story(child: Child, facts: asyncio.Queue[dict]) -> None:
        with pytest.raises(ChildFailed, match="^fake: the number is taken$"):
            await child.keep(pytest.fail)

    with_child(tmp_path, "import sys\nprint('corefast: the number is taken', file=sys.stderr)\nsys.exit(2)\n", story)


def test_one_that_ignores_the_request_to_stop_is_killed(tmp_path: Path):
    program = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + "time.sleep(60)\n"

    async def story(child: Child, facts: asyncio.Queue[dict]) -> None:
        keeping = asyncio.ensure_future(child.keep(pytest.fail))
        await child.ready()
        await child.stop(0.1)
        await keeping

    with_child(tmp_path, program, story)


def test_a_log_is_private_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(child_module, "MAX_LOG_BYTES", 100)
    path = tmp_path / "relay.log"
    log = Log(path)
    for number in range(20):
        log.write(b'{"level":"info","event":"line %02d"}\n' % number)
    log.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size <= 100
    assert "line 19" in path.read_text()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["relay.log", "relay.log.1"]
    assert log.complaint == ""


def test_a_full_disk_costs_lines_of_the_log_and_nothing_else(tmp_path: Path):
    (tmp_path / "fake.log").symlink_to("/dev/full")
    program = (
        READY + "for _ in range(3):\n    print('out of space', file=sys.stderr, flush=True)\nprint('{\"event\": 1}')\n"
    )

    async def story(child: Child, facts: asyncio.Queue[dict]) -> None:
        keeping = asyncio.ensure_future(child.keep(lambda _: None))
        assert await facts.get() == {"event": 1}
        await child.stop(2)
        await keeping

    with_child(tmp_path, program, story)
