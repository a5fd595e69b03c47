import json
import logging
import subprocess
import sys

import pytest

from corefast import logs
from corefast.errors import SetupError

PROGRAM = """
import logging
from corefast import logs
from corefast.errors import StoreFull
logs.setup("relay", "debug")
log = logs.get_logger()
log.info("ready", port=9, thing=object())
log.debug("detail")
for error in (KeyError("49123123456"), StoreFull("no space left")):
    canary = "49123123456"
    try:
        raise error
    except Exception:
        log.exception("it broke")
logging.getLogger("aiohttp.access").info("GET /49123123456")
logging.getLogger("uvicorn.error").warning("from %s", "a library")
for _ in range(1000):
    log.warning("flood")
"""


def test_lines_are_json_bounded_and_without_values_of_others():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    events = [line["event"] for line in lines]
    assert lines[0] | {"timestamp": ""} == {
        "event": "ready",
        "level": "info",
        "port": 9,
        "program": "relay",
        "thing": "<object>",
        "timestamp": "",
    }
    assert events[:5] == ["ready", "detail", "it broke", "it broke", "from a library"]
    assert "49123123456" not in done.stderr
    assert lines[2]["exception"].startswith("builtins.KeyError\n")
    assert "corefast.errors.store.StoreFull: no space left" in lines[3]["exception"]
    assert events.count("flood") <= 2 * logs.MAX_LINES_PER_S
    assert done.stdout == ""


def test_the_first_line_after_a_flood_counts_what_was_left_out(monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)
    limit = logs.RateLimit()

    def passes(event: object) -> bool:
        return limit.filter(logging.LogRecord("n", logging.INFO, "p", 1, event, None, None))

    assert sum(passes({"event": "flood"}) for _ in range(logs.MAX_LINES_PER_S + 50)) == logs.MAX_LINES_PER_S
    assert passes({"event": "other"})
    now = 101.0
    first = {"event": "flood"}
    assert passes(first)
    assert first["left_out"] == 50


def test_an_unknown_level_is_refused():
    with pytest.raises(SetupError, match="--log-level"):
        logs.setup("relay", "loud")


def test_the_library_behind_the_logs_loads_no_other_for_pictures_of_crashes():
    program = "import sys, corefast.logs; assert 'rich' not in sys.modules; import rich"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


LIBRARY = """
import structlog
from corefast.logs import log_crash
log = structlog.get_logger()
canary = "49123123456"
def crash(words):
    raise ValueError(words)
try:
    crash(canary)
except ValueError:
    log_crash(log, "it broke")
"""


def test_crash_inside_a_program_of_somebody_else_shows_places_and_no_variables():
    done = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=True)
    assert "it broke" in done.stdout and "ValueError" in done.stdout and "crash" in done.stdout
    assert "49123123456" not in done.stdout + done.stderr
