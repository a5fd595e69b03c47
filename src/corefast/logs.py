"""Logs: JSON lines for machines, readable lines for people, never a number, name, body, key or token.

Events are fixed sentences; what varies goes into fields, and a field holds a count, a code or a path, never
anything that a user wrote.
"""

import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from corefast.errors import CorefastError, SetupError


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Let nobody import *package* within the block, unless somebody has."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


# structlog would load rich, a quarter of a program's start, for tracebacks with the values of all variables: keys and
# words among them. Who wants those imports structlog first.
with _without("rich"):
    import structlog
    from structlog.typing import EventDict, Processor, WrappedLogger

get_logger = structlog.get_logger

LEVELS = ("debug", "info", "warning", "error")

MAX_LINES_PER_S = 200
"""Lines of one event a second: a flood of garbage at a port must not fill the disk. The rest is counted."""

MAX_FRAMES = 12


def setup(program: str, level: str = "info") -> None:
    """Send the logs of *program*, and of the libraries it uses, to stderr."""
    if level not in LEVELS:
        raise SetupError(f"--log-level: {level!r} is not one of {', '.join(LEVELS)}")
    number: int = getattr(logging, level.upper())
    shared = _shared_processors(program)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RateLimit())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_renderers(sys.stderr.isatty()))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in ("asyncio", "aiohttp", "uvicorn"):
        # Their DEBUG and INFO lines quote addresses, URLs and objects; ours say what matters.
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _shared_processors(program: str) -> list[Processor]:
    def add_program(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["program"] = program
        return event

    return [structlog.stdlib.add_log_level, add_program, structlog.processors.TimeStamper(fmt="iso", utc=True)]


def _renderers(is_tty: bool) -> list[Processor]:
    last: Processor = structlog.processors.JSONRenderer(default=_name_type)
    if is_tty:
        last = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.ExceptionRenderer(describe_exception),
        last,
    ]


def _name_type(value: Any) -> str:
    """An object's type and not its repr, which may hold anything."""
    return f"<{type(value).__name__}>"


def describe_exception(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None],
) -> str:
    """Return type and places of an exception; its text only where the text is ours or the system's.

    `KeyError` and its kin quote the value that they met.
    """
    kind, error, trace = exc_info
    frames = traceback.extract_tb(trace)[-MAX_FRAMES:]
    places = [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    text = f": {error}" if isinstance(error, CorefastError) else ""
    if isinstance(error, OSError):
        text = f": {error.strerror}"
    lines = [f"{kind.__module__}.{kind.__qualname__}{text}", *reversed(places)]
    if error.__cause__ is not None:
        cause = error.__cause__
        lines += ["because of", describe_exception((type(cause), cause, cause.__traceback__))]
    return "\n".join(lines)


def log_crash(log: Any, event: str) -> None:
    """Log *event* with the exception that is being handled, as a library may: in a program of somebody else.

    Without our `setup`, structlog would show a traceback with all local variables: keys and words among them.
    """
    kind, error, trace = sys.exc_info()
    assert kind is not None and error is not None, "called where an exception is being handled"
    log.error(event, exception=describe_exception((kind, error, trace)))


class RateLimit(logging.Filter):
    """Lets `MAX_LINES_PER_S` lines of each event pass a second; the first line after that tells what was left out."""

    def __init__(self) -> None:
        super().__init__()
        self._second = 0
        self._lines: dict[str, int] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._left_out = {n: c - MAX_LINES_PER_S for n, c in self._lines.items() if c > MAX_LINES_PER_S}
            self._lines.clear()
        event: Any = record.msg
        name = str(event.get("event")) if isinstance(event, dict) else str(event)
        self._lines[name] = self._lines.get(name, 0) + 1
        if self._lines[name] > MAX_LINES_PER_S:
            return False
        left_out = self._left_out.pop(name, 0)
        if left_out and isinstance(event, dict):
            event["left_out"] = left_out
        return True
