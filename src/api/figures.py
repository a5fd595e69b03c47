"""Prometheus texts as the on-premises API's JSON, in its names where one of our figures means the same."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from corefast.wire.stats import Counts

Figures = dict[str, dict[str, Any]]
Sample = tuple[str, dict[str, str], float]


class _Same(NamedTuple):
    """*ours* under the name that it has in the original; *labels* are renamed, *more* added, values multiplied."""

    ours: str
    name: str
    kind: str
    help: str
    labels: dict[str, str] = {}
    more: dict[str, str] = {}
    factor: int = 1


_REQUEST = {"route": "method", "status": "result"}
_COMMIT = {"db": "core", "request": "commit"}

_SAME = (
    _Same("corefast_core_waiting_deliveries", "callback_queue_size", "gauge", "Callbacks that wait."),
    _Same("corefast_core_waiting_deliveries", "pending_callbacks", "gauge", "Callbacks that wait."),
    _Same("corefast_core_waiting_messages", "pending_messages", "gauge", "Messages that wait for the relay."),
    _Same("corefast_core_accepted_total", "out_message_persisted", "counter", "Messages accepted and stored."),
    _Same("corefast_core_states_total", "out_message_status", "counter", "States reached.", {"state": "status"}),
    _Same(
        "corefast_core_received_total", "in_message_persisted", "counter", "Messages received.", {"outcome": "result"}
    ),
    _Same("corefast_core_callback_seconds_count", "callback_requests", "counter", "Posts to the webhook."),
    _Same(
        "corefast_core_callback_seconds_count",
        "callback_requests_duration_ms_count",
        "counter",
        "Posts to the webhook.",
    ),
    _Same(
        "corefast_core_callback_seconds_sum",
        "callback_requests_duration_ms_sum",
        "counter",
        "Their time.",
        factor=1_000,
    ),
    _Same("corefast_store_commit_seconds_count", "db_request_duration_us_count", "counter", "Commits.", {}, _COMMIT),
    _Same(
        "corefast_store_commit_seconds_sum",
        "db_request_duration_us_sum",
        "counter",
        "Their time.",
        {},
        _COMMIT,
        1_000_000,
    ),
    _Same("corefast_api_requests_total", "endpoint_requests", "counter", "Requests to the API.", _REQUEST),
    _Same(
        "corefast_api_request_seconds_count", "endpoint_requests_duration_ms_count", "counter", "Requests.", _REQUEST
    ),
    _Same(
        "corefast_api_request_seconds_sum",
        "endpoint_requests_duration_ms_sum",
        "counter",
        "Their time.",
        _REQUEST,
        {},
        1_000,
    ),
)


def as_original(text: str) -> Figures:
    """Return the figures of *text* that the original has too, by its names."""
    samples: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.name, sample.labels, sample.value))
    told: Figures = {}
    for same in _SAME:
        data = [_point(same, labels, value) for _, labels, value in samples.get(same.ours, ())]
        if data:
            told[same.name] = {"type": same.kind, "help": same.help, "data": data}
    return told


def _point(same: _Same, labels: dict[str, str], value: float) -> dict[str, Any]:
    renamed = {same.labels.get(name, name): text for name, text in labels.items()}
    return {"labels": renamed | same.more, "value": _whole(value * same.factor)}


def as_own(text: str) -> Figures:
    """Return all figures of *text* under the names they have there; of histograms count and sum."""
    told: Figures = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.endswith(("_bucket", "_created")):
                continue
            kind = "counter" if family.type in ("histogram", "summary") else family.type
            entry = told.setdefault(sample.name, {"type": kind, "help": family.documentation, "data": []})
            entry["data"].append({"labels": sample.labels, "value": _whole(sample.value)})
    return told


def of_counts(counts: Counts) -> Figures:
    """Return how many rows there are."""
    rows: tuple[tuple[str, str, dict[str, str], int], ...] = (
        ("db_contacts", "Contacts.", {"type": "whatsapp_user"}, counts.contacts),
        ("db_messages", "Messages sent.", {}, counts.messages),
        ("db_pending_messages", "Messages that wait for the relay.", {}, counts.pending_messages),
        ("db_pending_callbacks", "Callbacks that wait.", {}, counts.pending_callbacks),
    )
    return {
        name: {"type": "gauge", "help": words, "data": [{"labels": labels, "value": value}]}
        for name, words, labels, value in rows
    }


def as_text(figures: Figures) -> str:
    """Return figures in the Prometheus text format."""
    return "".join(_lines(name, figure) for name, figure in figures.items())


def _lines(name: str, figure: dict[str, Any]) -> str:
    head = f"# HELP {name} {figure['help']}\n# TYPE {name} {figure['type']}\n"
    return head + "".join(f"{name}{_braces(each['labels'])} {each['value']}\n" for each in figure["data"])


def _braces(labels: dict[str, str]) -> str:
    pairs: Iterable[str] = (f'{key}="{_escape(value)}"' for key, value in labels.items())
    return f"{{{','.join(pairs)}}}" if labels else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _whole(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value
