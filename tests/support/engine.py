"""The engine that the programs of a test keep their tables on: a file in their folder, or a schema of MariaDB.

`parametrize` in a package's conftest lets each of its tests with a folder run on both.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.mariadb import PASSWORD, MariaDB

ENGINES = ("sqlite", "mysql")


class Engine:
    """SQLite where *server* is None."""

    def __init__(self, server: MariaDB | None = None) -> None:
        self._server = server
        self._names: dict[Path, tuple[str, str]] = {}

    def settings(self, folder: Path, program: str) -> dict[str, Any]:
        """Return the settings of a relay or core that keeps its state in *folder*."""
        if self._server is None:
            return {}
        if folder not in self._names:
            self._names[folder] = (program, self._server.borrow(program))
        url = f"mysql://corefast@127.0.0.1:{self._server.port}/{self._names[folder][1]}"
        return {"database": url, "database_password": PASSWORD}

    def environ(self, folder: Path, program: str) -> dict[str, str]:
        """Return the same as variables of a process."""
        return {f"COREFAST_{name.upper()}": value for name, value in self.settings(folder, program).items()}

    def copy(self, folder: Path, target: Path) -> None:
        """Copy the state of a program that was stopped, as a backup does."""
        shutil.copytree(folder, target)
        if self._server is not None:
            program, name = self._names[folder]
            self.settings(target, program)
            self._server.copy(name, self._names[target][1])

    def content(self, folder: Path) -> bytes:
        """Return everything that is stored, files and rows."""
        files = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        return files if self._server is None else files + self._server.dump(self._names[folder][1])

    def close(self) -> None:
        """Empty the schemas, for the next test."""
        for program, name in self._names.values():
            assert self._server is not None
            self._server.give_back(program, name)


current = Engine()
"""The engine of the running test."""


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a folder on each engine: what `pytest_generate_tests` of a package calls."""
    if "tmp_path" in metafunc.fixturenames and not metafunc.definition.get_closest_marker("one_engine"):
        metafunc.parametrize("engine", ENGINES, indirect=True)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> Any:
    global current
    is_mysql = getattr(request, "param", ENGINES[0]) == "mysql"
    before, current = current, Engine(request.getfixturevalue("server") if is_mysql else None)
    yield current
    current.close()
    current = before
