"""Each test runs on SQLite and on MariaDB."""

from tests.support.engine import engine
from tests.support.engine import parametrize as pytest_generate_tests

__all__ = ["engine", "pytest_generate_tests"]
