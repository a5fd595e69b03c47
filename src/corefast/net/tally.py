"""What a peer adds to the metrics: a few times a second, never for each read."""

from corefast.link.link import Link
from corefast.metrics import (
    link_connections,
    link_errors,
    link_handshakes,
    link_received_bytes,
    link_sent_bytes,
)
from corefast.net.complaint import describe


def count_refused() -> None:
    """Count a connection that was closed before it cost a handshake."""
    link_handshakes.labels("refused").inc()


class Tally:
    """Counts one link; *role* is `server` or `client`."""

    __slots__ = ("_is_opened", "_link", "_received_bytes", "_role", "_sent_bytes")

    def __init__(self, link: Link, role: str) -> None:
        self._link = link
        self._role = role
        self._is_opened = False
        self._received_bytes = 0
        self._sent_bytes = 0

    def opened(self) -> None:
        self._is_opened = True
        link_handshakes.labels("opened").inc()
        link_connections.labels(self._role).inc()

    def broken(self, error: Exception) -> None:
        link_errors.labels(describe(error)).inc()

    def update(self) -> None:
        """Bring the byte counters up to date."""
        received, sent = self._link.received_bytes, self._link.sent_bytes
        if received != self._received_bytes or sent != self._sent_bytes:
            link_received_bytes.inc(received - self._received_bytes)
            link_sent_bytes.inc(sent - self._sent_bytes)
            self._received_bytes, self._sent_bytes = received, sent

    def closed(self) -> None:
        self.update()
        if self._is_opened:
            link_connections.labels(self._role).dec()
        else:
            link_handshakes.labels("failed").inc()
