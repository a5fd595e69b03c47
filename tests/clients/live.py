"""The whole system with TLS, as a first-time user starts it, and the environment that clients need to trust it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import free_port

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"
PASSWORD = "Correct-Horse-1"
START_TIMEOUT_S = 60
DEMO = "49123123456"


@dataclass(frozen=True)
class Live:
    """A running system: its base URL, its number, an API key, and the file that its certificate can be proved by."""

    api: str
    number: str
    key: str
    trust: Path

    def drive(self, *command: str | Path, **environ: str) -> str:
        """Run a client to its end and return what it printed; it must end well and within a minute."""
        trust = dict.fromkeys(
            ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"), str(self.trust)
        )
        facts = {"API": self.api, "NUMBER": self.number, "PASSWORD": PASSWORD, "DEMO": DEMO, "KEY": self.key}
        done = subprocess.run(
            [str(word) for word in command],
            env=os.environ | trust | facts | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{done.stdout[-4_000:]}\n{done.stderr[-4_000:]}"
        return done.stdout

    def python(self, client: str, *words: str) -> str:
        return self.drive(PYTHON, "-W", "ignore", HERE / "drive" / f"use_{client}.py", *words)


@contextlib.contextmanager
def live(folder: Path) -> Iterator[Live]:
    """Serve until the block ends. The administrator's password is the original's, to be changed at the first login."""
    command = (sys.executable, "-m", "corefast.supervisor", "--demo", "--tls", "self-signed")
    with (folder / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [*command, "--data", str(folder / "data"), "--port", str(free_port())],
            env=os.environ | {"COREFAST_COMPAT_FIRST_LOGIN": "true"},
            stdout=log,
            stderr=log,
        )
    try:
        ready = folder / "data" / "up.json"
        began = time.monotonic()
        while not ready.exists():
            assert up.poll() is None and time.monotonic() - began < START_TIMEOUT_S, (folder / "up.log").read_text()
            time.sleep(0.05)
        facts = json.loads(ready.read_text())
        trust = folder / "ca.pem"
        yield Live(facts["api"], facts["number"], facts["api_key"], trust)
    finally:
        up.send_signal(signal.SIGTERM)
        assert up.wait(10) == 0
