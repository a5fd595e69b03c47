"""These tests need npm packages, so they run only when asked for: `make peers`."""

import os
from collections.abc import Iterator

import pytest

from .libsignal import LibsignalDevice

collect_ignore_glob = [] if os.environ.get("COREFAST_PEERS") else ["test_*.py"]


RELEASES = ("0.90.0", "0.92.2", "0.103.0")
"""The last to talk without SPQR, the first to demand it, and today's."""


@pytest.fixture(params=RELEASES)
def peer(request: pytest.FixtureRequest) -> Iterator[LibsignalDevice]:
    with LibsignalDevice(request.param) as device:
        yield device
