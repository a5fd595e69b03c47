"""Log lines about links: the error's code and nothing else, and never more than one a second of a kind.

A peer decides how often it breaks the protocol; it must not decide how fast our disk fills.
"""

import time
from collections.abc import Iterator
from functools import cache

from corefast.errors import BusyError, CallerError, CorefastError, PeerError
from corefast.logs import get_logger

INTERVAL_S = 1.0

_log = get_logger("corefast.net")


class Complaints:
    """Counts what it did not print and says so in the next line of the same kind."""

    def __init__(self) -> None:
        self._printed: dict[tuple[str, str], float] = {}
        self._silent: dict[tuple[str, str], int] = {}

    def add(self, event: str, error: BaseException, now: float) -> int | None:
        """Return how many were left out before this one, None when this one is to be left out too."""
        key = (event, describe(error))
        if now - self._printed.get(key, -INTERVAL_S) < INTERVAL_S:
            self._silent[key] = self._silent.get(key, 0) + 1
            return None
        self._printed[key] = now
        return self._silent.pop(key, 0)


def describe(error: BaseException) -> str:
    """Return the code of one of our errors, else the name of its type.

    A code that a peer made up is `remote`: it would be user data in a log, and a label of a metric that never ends.
    """
    if not isinstance(error, CorefastError):
        return type(error).__name__
    return error.code if error.code in _known_codes() else "remote"


@cache
def _known_codes() -> frozenset[str]:
    return frozenset(kind.code for kind in _kinds(CorefastError))


def _kinds(kind: type[CorefastError]) -> Iterator[type[CorefastError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


_complaints = Complaints()


def complain(event: str, error: BaseException) -> None:
    """Log *event* with the code of *error*; a bug of ours comes with the place where it was raised."""
    silent = _complaints.add(event, error, time.monotonic())
    if silent is None:
        return
    if isinstance(error, (PeerError, CallerError, BusyError)):
        _log.info(event, error=describe(error), left_out=silent)
    else:
        _log.error(event, error=describe(error), where=_where(error), left_out=silent)


def _where(error: BaseException) -> str:
    """Return file and line of the innermost frame: enough to find a bug, and no local variable."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
