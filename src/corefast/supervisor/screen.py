"""What people see of `corefast up`: lines that neither hold it up nor command the terminal."""

import queue
import sys
import threading
from typing import TextIO

MAX_WAITING_LINES = 10_000
"""Lines kept for a terminal (or pipe) that nobody reads; newer ones are dropped."""


class Screen:
    """Writes lines from a thread of its own: a full pipe must not stop the care for the children."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_WAITING_LINES)
        self._thread = threading.Thread(target=self._write, daemon=True, name="screen")
        self._thread.start()

    def show(self, line: str) -> None:
        """Show *line* when the terminal takes it; control characters become `\\ufffd`."""
        try:
            self._lines.put_nowait(printable(line))
        except queue.Full:
            pass

    def close(self, timeout_s: float = 0.5) -> None:
        """Let the waiting lines out, for at most *timeout_s*."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line + "\n")
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more
                return


def printable(text: str) -> str:
    """Return *text* as one line that cannot command a terminal."""
    return "".join(c if c.isprintable() else " " if c in "\r\n\t" else "\ufffd" for c in text)
