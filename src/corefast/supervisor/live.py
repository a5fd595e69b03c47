"""The live lines of the demo: what the phone and the webhook receiver report, for people."""

from collections.abc import Callable
from typing import Any

from corefast.address import display_number

MAX_SHOWN_CHARACTERS = 200


def phone_line(number: str, facts: dict[str, Any]) -> str | None:
    """Return the line for one JSON event of the demo phone; None for those that say nothing to people."""
    if facts.get("event") == "message":
        return f"phone {display_number(number)} ← {_shorten(summary(facts))}"
    if facts.get("event") == "accepted" and "text" in facts:
        return f"phone {display_number(number)} → {_shorten(summary(facts))}"
    return None


def webhook_lines(facts: dict[str, Any]) -> list[str]:
    """Return the lines for one JSON line of `corefast listen`: a status by its name, a message by its words."""
    body = facts.get("body")
    if facts.get("event") != "webhook" or not isinstance(body, dict):
        return []
    mark = "" if facts.get("verified") else " (signature wrong)"
    statuses = [str(status.get("status")) for status in body.get("statuses", [])]
    texts = [
        f"{display_number(str(message.get('from')))}: {_shorten(summary(message))}"
        for message in body.get("messages", [])
    ]
    return [f"webhook ← {what}{mark}" for what in statuses + texts]


def summary(message: dict[str, Any]) -> str:
    """Return what a message says, in a line; of anything but a text with its type before it."""
    kind = str(message.get("type", "text"))
    said = message.get(kind)
    if kind == "text":
        return str(_within(said, "body") if isinstance(said, dict) else said or "…")
    words = _WORDS.get(kind, lambda said: _within(said, "caption") or _within(said, "filename"))(said)
    return f"{kind}: {words}" if words else kind


def _within(value: Any, *path: Any) -> Any:
    """Return what is at *path* in nested objects; empty where nothing is."""
    for name in path:
        value = value.get(name, "") if isinstance(value, dict) else ""
    return value


_WORDS: dict[str, Callable[[Any], Any]] = {
    "location": lambda said: (
        f"{_within(said, 'name')} {_within(said, 'latitude')}, {_within(said, 'longitude')}".strip()
    ),
    "contacts": lambda said: ", ".join(str(_within(card, "name", "formatted_name")) for card in said or ()),
    "reaction": lambda said: _within(said, "emoji") or "taken back",
    "button": lambda said: _within(said, "text"),
    "template": lambda said: _within(said, "body"),
    "system": lambda said: _within(said, "body"),
    "interactive": lambda said: _within(said, "body", "text") or _within(said, _within(said, "type"), "title"),
}
"""What to show of each type of message; of a medium its caption or name."""


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 1] + "…"
