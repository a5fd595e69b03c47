"""A suite without gaps: a test that is skipped counts as failed."""

import contextlib
import os
import re
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB

MEMORY = "/dev/shm"
ENOUGH_BYTES = 4 << 30

LONG = ("scenarios", "device", "ops", "api", "store", "relay", "core")
"""Folders whose files take long, the longest first."""


def pytest_configure() -> None:
    """Have what tests write in memory, where that is plenty: a disk shared with others decides how long they take.

    A process that is killed loses nothing there either.
    """
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = MEMORY


def _has_room(folder: str) -> bool:
    with contextlib.suppress(OSError):
        disk = os.statvfs(folder)
        memory = re.search(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text())
        room = min(disk.f_bavail * disk.f_frsize, int(memory[1]) << 10) if memory else 0
        return room >= ENOUGH_BYTES and not disk.f_flag & os.ST_NOEXEC  # some tests compile a program and run it
    return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes long first: two processes that share the files then end at the same time."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return LONG.index(folder) if folder in LONG else len(LONG)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def server() -> "Iterator[MariaDB]":
    """A MariaDB server; each test takes a database of its own there."""
    from tests.support.mariadb import running  # not above: test_no_skips tries this file in a folder of its own

    with running() as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail a test that claims to cover what it did not see."""
    claims = [mark.args for mark in pyfuncitem.iter_markers("covers")]
    if not claims:
        return (yield)
    from tests.api import seen  # as above

    seen.forget()
    result = yield
    for claim in claims:
        assert not (missing := seen.unmet(claim)), f"it claims to cover, but did not see: {missing} of {claim}"
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {call.excinfo.value if call.excinfo else ''}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped as a whole: {report.longrepr}"
    return report
