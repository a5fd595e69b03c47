import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corefast.errors import SetupError
from corefast.process import lock_directory

HEAD = "import asyncio, os, sys\nfrom corefast import logs, process\nlogs.setup('test')\n"
WAITING = HEAD + "async def main(stop):\n    process.announce(ready='test')\n    await stop.wait()\n    print('bye')\n"
END = "sys.exit(process.run(main))\n"


def start(text: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text + END],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environ,
    )


def test_sigterm_lets_the_program_end_by_itself():
    child = start(WAITING)
    assert child.stdout is not None
    assert json.loads(child.stdout.readline()) == {"ready": "test"}
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=20)
    assert (out, child.returncode) == ("bye\n", 0)


@pytest.mark.parametrize(
    ("body", "code", "shown"),
    [
        (
            "    raise __import__('corefast.errors').errors.SetupError('no such folder')\n",
            2,
            "corefast: no such folder\n",
        ),
        ("    {}['canary-7']\n", 1, "builtins.KeyError"),
        ("    return\n", 0, ""),
    ],
)
def test_the_exit_code_tells_how_it_ended(body: str, code: int, shown: str):
    child = start(HEAD + "async def main(stop):\n" + body)
    _, err = child.communicate(timeout=20)
    assert child.returncode == code
    assert shown in err and "canary-7" not in err


def test_a_child_dies_with_its_parent():
    middle = (
        "import os, subprocess, sys\n"
        "os.environ['COREFAST_PARENT'] = str(os.getpid())\n"
        f"child = subprocess.Popen([sys.executable, '-c', {WAITING + END!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", middle], capture_output=True, text=True, timeout=20)
    pid = int(done.stdout)
    deadline = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_whose_parent_is_gone_does_not_start():
    child = start(WAITING, COREFAST_PARENT="1999999999")
    _, err = child.communicate(timeout=20)
    assert child.returncode == 2
    assert "is gone" in err


def test_a_directory_has_one_holder_and_the_second_is_told_which(tmp_path: Path):
    folder = tmp_path / "data"
    held = lock_directory(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(SetupError, match=f"in use by process {os.getpid()}"):
        lock_directory(folder, wait_s=0)
    held.close()
    lock_directory(folder, wait_s=0).close()


def test_a_lock_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path):
    (tmp_path / "lock").symlink_to("/dev/full")
    with pytest.raises(SetupError, match=f"^{tmp_path}: "):
        lock_directory(tmp_path)
