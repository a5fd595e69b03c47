"""Which figures there are, and how each is run."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from bench.results import Result

HERE = Path(__file__).parent


class Options(NamedTuple):
    """`seconds`: how long each figure measures, warm-up and clean-up beside it; `say` shows what is going on."""

    seconds: float | None
    peers: bool
    say: Callable[[str], None]


class Figure(NamedTuple):
    name: str
    summary: str
    module: str

    def run(self, options: Options) -> Iterator[Result]:
        run: Callable[[Options], Iterator[Result]] = import_module(self.module).run
        return run(options)


PROGRAMS = [
    Figure(
        "session.memory",
        "bytes of an idle peer in a core, in use and at rest",
        "bench.session_memory",
    ),
    Figure("session.peers", "with --peers: foreign session engines beside ours", "bench.session_peers"),
    Figure("commit.sqlite", "units of two rows committed to SQLite, by batch size", "bench.commit_sqlite"),
    Figure("commit.mysql", "units of two rows committed to MariaDB, by batch size", "bench.commit_mysql"),
    Figure("relay.forward", "one author to 1,000 phones through one relay", "bench.relay_forward"),
    Figure("front.single", "the REST front alone, beside bare Starlette and uvicorn", "bench.front_single"),
    Figure("path.single", "REST front to 1,000 phones through one core and one relay", "bench.path_single"),
    Figure("path.mysql", "the same with core and relay on one MariaDB", "bench.path_mysql"),
]


def micro_files() -> list[Path]:
    return sorted(HERE.glob("bench_*.py"))
