"""`path.mysql`: `path.single` with relay and core on a MariaDB that starts for it, and what that server takes of it."""

from collections.abc import Iterator

from tests.support.mariadb import running

from bench import path_single
from bench.figures import Options
from bench.flow import System
from bench.results import Result

NAME = "path.mysql"
SERVER = ("--innodb-buffer-pool-size=256M", "--innodb-log-file-size=256M")
"""Room as a server of its own would have; its durability is the default one, a sync for each commit."""


def run(options: Options) -> Iterator[Result]:
    with running(*SERVER) as server, System(NAME, server) as system:
        yield from path_single.measure(options, system)
