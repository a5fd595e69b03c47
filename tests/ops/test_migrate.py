"""`corefast migrate`: each program's own database, made, looked at, and whose it is."""

import subprocess
import sys
from pathlib import Path

from corefast.store.migrate import load_migrations
from tests.support.mariadb import PASSWORD, MariaDB

RELAY, CORE = (len(load_migrations(f"corefast.{program}.store")) for program in ("relay", "core"))


def migrate(*arguments: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    """Return the exit code and what was said."""
    command = [sys.executable, "-m", "corefast", "migrate", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environ)
    return done.returncode, done.stdout + done.stderr


def test_both_databases_of_a_folder_are_made_and_then_looked_at(tmp_path: Path) -> None:
    folder = ["--data", str(tmp_path / "data")]
    assert migrate("--check", *folder) == (
        2,
        f"corefast: the schema is 0 and has to be {RELAY}: run corefast migrate\n",
    )
    assert not (tmp_path / "data").exists()
    assert migrate(*folder) == (0, f"relay: schema {RELAY}, was 0\ncore: schema {CORE}, was 0\n")
    assert migrate("--check", *folder) == (0, f"relay: schema {RELAY}\ncore: schema {CORE}\n")


def test_a_database_on_a_server_belongs_to_one_program(server: MariaDB, tmp_path: Path) -> None:
    address = server.address()
    (tmp_path / "password").write_text(PASSWORD)
    environ = {"COREFAST_DATABASE_PASSWORD_FILE": str(tmp_path / "password")}
    place = ["--database", f"mysql://{address.user}@{address.host}:{address.port}/{address.name}"]
    assert migrate("core", *place, environ=environ) == (0, f"core: schema {CORE}, was 0\n")
    assert migrate("core", "--check", *place, environ=environ) == (0, f"core: schema {CORE}\n")
    code, said = migrate("relay", *place, environ=environ)
    assert code == 2 and "belongs to another program: its schema 001 is 'core'" in said


def test_the_programs_own_table_of_a_file_says_where_the_database_is(server: MariaDB, tmp_path: Path) -> None:
    environ = server.settings(tmp_path / "settings")
    folder = ["--data", str(tmp_path / "data")]
    assert migrate("--check", *folder, environ=environ)[0] == 2
    assert migrate(*folder, environ=environ) == (0, f"relay: schema {RELAY}, was 0\ncore: schema {CORE}, was 0\n")
    assert migrate("--check", *folder, environ=environ)[0] == 0
    assert not list(tmp_path.rglob("*.sqlite"))


def test_without_a_program_a_single_database_is_refused() -> None:
    code, said = migrate("--database", "mysql://us@host/name")
    assert code == 2 and "corefast migrate relay, or corefast migrate core" in said
