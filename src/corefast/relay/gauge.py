"""What the relay counts, as metrics; the router counts in plain integers and is asked once a second."""

from corefast.metrics import (
    relay_delivered,
    relay_direct,
    relay_expired,
    relay_mailbox_items,
    relay_posts,
    store_commit_seconds,
    store_commit_units,
)
from corefast.relay.router import Router
from corefast.wire.messages import PostState


class Gauges:
    """Passes on what was added since the last time."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._states = router.states
        self._acked = 0
        self._direct = 0

    def update(self) -> None:
        states, acked, direct = self._router.states, self._router.acked, self._router.direct
        for state in PostState:
            relay_posts.labels(state.name.lower()).inc(states[state] - self._states[state])
        relay_delivered.inc(acked - self._acked)
        relay_direct.inc(direct - self._direct)
        relay_mailbox_items.set(self._router.waiting)
        self._states, self._acked, self._direct = states, acked, direct

    def batch(self, units: int, seconds: float) -> None:
        store_commit_units.observe(units)
        store_commit_seconds.observe(seconds)

    def expired(self, rows: int) -> None:
        relay_expired.inc(rows)
