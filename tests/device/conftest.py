"""One relay process for all tests that do not hurt it."""

import os
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from tests.device.world import RELAY_FLAGS


@pytest.fixture(scope="session")
def relay_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a relay that runs as long as the tests; numbers there are used once."""
    command = [sys.executable, "-m", "corefast.relay", "--data-dir", str(tmp_path_factory.mktemp("relay"))]
    environ = os.environ | {"COREFAST_PARENT": str(os.getpid())}
    with subprocess.Popen([*command, *RELAY_FLAGS], stdout=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        yield msgspec.json.decode(process.stdout.readline())["url"]
        process.kill()
