"""What a program of an earlier release writes and reads fits into today's schema: it may run until it is replaced."""

from pathlib import Path

import pytest

from corefast.store.migrate import load_migrations
from corefast.store.mysql.migration import steps_of
from tests.support.released import VECTORS, Place, restore

RELEASED = sorted(path.name for path in VECTORS.iterdir())
PROGRAMS = ("relay", "core", "device")
WRITE = "INSERT INTO {0} ({1}) SELECT {1} FROM {2}.{0}"
MISSED = "SELECT count(*) FROM (SELECT {1} FROM {2}.{0} EXCEPT SELECT {1} FROM {0}) AS missed"


@pytest.fixture(params=["sqlite", "mysql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Place, Place]:
    """Return one for the earlier release and one for today."""
    server = request.getfixturevalue("server") if request.param == "mysql" else None
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    return Place(tmp_path / "old", server), Place(tmp_path / "new", server)


@pytest.mark.parametrize("release", RELEASED)
def test_rows_of_an_earlier_release_can_be_written_into_the_newest_schema_and_read_again(
    release: str, places: tuple[Place, Place]
) -> None:
    old, new = places
    restore(VECTORS / release, old)
    for program in PROGRAMS:
        migrations = load_migrations(f"corefast.{program}.store")
        if new.is_on_server(program):
            new.execute(program, ";".join(step for migration in migrations for step in steps_of(migration)))
        else:
            new.execute(program, "".join(migration.sql for migration in migrations))
        source = old.schema(program) if new.is_on_server(program) else "old"
        facts = [(table, ", ".join(columns), source) for table, columns in old.columns(program).items()]
        new.execute(program, ";".join(WRITE.format(*fact) for fact in facts), old.file(program))
        missed = new.rows(program, " UNION ALL ".join(MISSED.format(*fact) for fact in facts), old.file(program))
        assert missed == [["0"]] * len(facts)
        assert old.counts(program).items() <= new.counts(program).items()
