"""Every metric of the system, in one place; a label never holds a number, a name or an id.

A program imports the ones it feeds and shows `render("its", "prefixes")`; the rest of this file stays silent there.
"""

from collections.abc import Iterator

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.metrics_core import Metric

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

# ── link ───────────────────────────────────────────────────────────────────────────────────────────────────────────

link_connections = Gauge("corefast_link_connections", "Open links.", ["role"])
link_handshakes = Counter("corefast_link_handshakes_total", "Handshakes by outcome.", ["outcome"])
link_errors = Counter("corefast_link_errors_total", "Links ended by an error, by its code.", ["code"])
link_received_bytes = Counter("corefast_link_received_bytes_total", "Bytes read from links.")
link_sent_bytes = Counter("corefast_link_sent_bytes_total", "Bytes written to links.")

# ── store ──────────────────────────────────────────────────────────────────────────────────────────────────────────

store_commits = Counter("corefast_store_commits_total", "Transactions by outcome.", ["outcome"])
store_commit_seconds = Histogram("corefast_store_commit_seconds", "Time of one transaction.", buckets=_FAST)
store_commit_units = Histogram("corefast_store_commit_units", "Units of work in one transaction.", buckets=_SIZES)

# ── relay ──────────────────────────────────────────────────────────────────────────────────────────────────────────

relay_posts = Counter("corefast_relay_posts_total", "Posts by what became of them.", ["state"])
relay_posts_limited = Counter("corefast_relay_posts_limited_total", "Posts of phones that came too fast.")
relay_delivered = Counter("corefast_relay_delivered_total", "Mailbox items acked by their device.")
relay_direct = Counter("corefast_relay_direct_total", "Items acked before they had to be written.")
relay_expired = Counter("corefast_relay_expired_total", "Items that outlived their time.")
relay_mailbox_items = Gauge("corefast_relay_mailbox_items", "Items waiting in all mailboxes.")
relay_registrations = Counter("corefast_relay_registrations_total", "Claims of a number by outcome.", ["outcome"])
relay_bundles = Counter("corefast_relay_bundles_total", "Prekey bundles by kind of one-time key.", ["kind"])

relay_blob_bytes = Counter("corefast_relay_blob_bytes_total", "Bytes of encrypted files.", ["direction"])

# ── core ───────────────────────────────────────────────────────────────────────────────────────────────────────────

core_accepted = Counter("corefast_core_accepted_total", "Messages accepted from the business.")
core_states = Counter("corefast_core_states_total", "Messages that reached a state.", ["state"])
core_received = Counter("corefast_core_received_total", "Messages received from peers by outcome.", ["outcome"])
core_dropped_deliveries = Counter(
    "corefast_core_dropped_deliveries_total", "Events that grew too old before the webhook took them."
)
core_resend = Counter(
    "corefast_core_resend_total", "Messages that could not be decrypted, by what we or the peer did.", ["outcome"]
)
core_media = Counter("corefast_core_media_total", "Media of customers by what became of them.", ["outcome"])
core_waiting_messages = Gauge("corefast_core_waiting_messages", "Accepted messages that wait for the relay.")
core_waiting_deliveries = Gauge("corefast_core_waiting_deliveries", "Events that wait for the webhook.")
core_callback_seconds = Summary(
    "corefast_core_callback_seconds", "Attempts to post an event, as emitters report them.", ["type", "result"]
)
core_sessions = Gauge("corefast_core_sessions", "Sessions held in memory.")
core_relay_connected = Gauge("corefast_core_relay_connected", "Numbers that are attached to the relay.")
core_accept_seconds = Histogram("corefast_core_accept_seconds", "From the call to its durable answer.", buckets=_FAST)
core_delivery_seconds = Histogram("corefast_core_delivery_seconds", "From accepted to delivered.", buckets=_FAST)

# ── device ─────────────────────────────────────────────────────────────────────────────────────────────────────────

device_resend = Counter(
    "corefast_device_resend_total", "Messages that could not be decrypted, by what we or the peer did.", ["outcome"]
)

# ── api ────────────────────────────────────────────────────────────────────────────────────────────────────────────

api_requests = Counter("corefast_api_requests_total", "Requests by route and status.", ["route", "status"])
api_request_seconds = Histogram("corefast_api_request_seconds", "Time of a request.", ["route"], buckets=_FAST)

# ── webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

webhooks_attempts = Counter("corefast_webhooks_attempts_total", "Attempts by outcome.", ["outcome"])
webhooks_attempt_seconds = Histogram("corefast_webhooks_attempt_seconds", "Time of one attempt.", buckets=_FAST)


class _Selection(CollectorRegistry):
    """The metrics of the default registry whose names begin with one of some prefixes."""

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        super().__init__()
        self._prefixes = prefixes

    def collect(self) -> Iterator[Metric]:
        for metric in REGISTRY.collect():
            if metric.name.startswith(self._prefixes):
                yield metric


def render(*parts: str) -> str:
    """Return the process's own metrics and those of *parts* (`"core", "store"`; none: all) as Prometheus text."""
    if not parts:
        return generate_latest(REGISTRY).decode()
    prefixes = ("process_", "python_", *(f"corefast_{part}_" for part in parts))
    return generate_latest(_Selection(prefixes)).decode()
