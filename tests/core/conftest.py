"""Each test runs on SQLite and on MariaDB."""

import pytest

from corefast.endpoint import stock
from tests.support.engine import engine
from tests.support.engine import parametrize as pytest_generate_tests

__all__ = ["engine", "pytest_generate_tests"]


@pytest.fixture(autouse=True)
def few_prekeys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the keys, which would be a third of the work of a test that needs one or two of them."""
    for name, count in {"PREKEY_STOCK": 10, "PREKEY_FLOOR": 3, "KEM_PREKEY_STOCK": 4, "KEM_PREKEY_FLOOR": 1}.items():
        monkeypatch.setattr(stock, name, count)
