"""One cluster for all tests; the last of them kills a node. They take a minute: `make galera` asks for them."""

import os
from collections.abc import Iterator

import pytest

from tests.scenarios.conftest import Tell, tell
from tests.support.galera import Galera, cluster

__all__ = ["Tell", "tell"]

collect_ignore_glob = [] if os.environ.get("COREFAST_GALERA") else ["test_*.py"]


@pytest.fixture(scope="module")
def galera() -> Iterator[Galera]:
    with cluster() as made:
        yield made
