"""These tests need npm packages, so they run only when asked for: `make peers`."""

import os
from collections.abc import Iterator

import pytest

from .libsignal import LibsignalDevice

collect_ignore_glob = [] if os.environ.get("COREFAST_PEERS") else ["test_*.py"]


@pytest.fixture
def peer() -> Iterator[LibsignalDevice]:
    with LibsignalDevice() as device:
        yield device
