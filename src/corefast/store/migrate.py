"""Numbered, forward-only migrations: which there are and which are still to come. Runs none of them itself."""

import re
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

from corefast.errors import SchemaTooNew, SetupError

_NAME = re.compile(r"(\d{3})_([a-z0-9_]+)(\.mysql)?\.sql")


class Migration(NamedTuple):
    """One step of a schema. SQLite applies it in one transaction or not at all, MySQL statement by statement."""

    number: int
    name: str
    sql: str
    mysql: str = ""
    """Its form for MySQL, where the dialects differ."""


def load_migrations(package: str) -> list[Migration]:
    """Return the migrations that *package* carries as `NNN_name.sql`, in order; they count from 001 without a gap.

    Anything else, such as the files of two releases in one folder, is a `SetupError`.
    `NNN_name.mysql.sql` beside one is its form for MySQL.
    """
    texts: dict[tuple[int, str], dict[bool, str]] = {}
    for entry in resources.files(package).iterdir():
        if match := _NAME.fullmatch(entry.name):
            forms = texts.setdefault((int(match[1]), match[2]), {})
            forms[bool(match[3])] = entry.read_text(encoding="utf-8")
    found = [Migration(*key, forms.get(False, ""), forms.get(True, "")) for key, forms in sorted(texts.items())]
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        names = ", ".join(f"{migration.number:03}_{migration.name}" for migration in found)
        raise SetupError(
            f"the migrations of {package} do not count from 001 without a gap ({names}): "
            "the files of two releases are mixed; install corefast again, into an empty folder"
        )
    return found


def pending(migrations: Sequence[Migration], version: int) -> Sequence[Migration]:
    """Return what a database of schema *version* still needs; raise `SchemaTooNew` where we are the older ones."""
    newest = migrations[-1].number if migrations else 0
    if version > newest:
        raise SchemaTooNew(
            f"the database has schema {version}, this corefast knows {newest}: "
            "start the newer corefast again, or restore a backup from before the upgrade"
        )
    return migrations[version:]
