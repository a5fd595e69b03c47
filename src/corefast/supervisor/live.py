"""The live lines of the demo: what the phone and the webhook receiver report, for people."""

from typing import Any

from corefast.address import display_number

MAX_SHOWN_CHARACTERS = 200


def phone_line(number: str, facts: dict[str, Any]) -> str | None:
    """Return the line for one JSON event of the demo phone; None for those that say nothing to people."""
    if facts.get("event") == "message" and "text" in facts:
        return f"phone {display_number(number)} ← {_shorten(str(facts['text']))}"
    if facts.get("event") == "accepted" and "text" in facts:
        return f"phone {display_number(number)} → {_shorten(str(facts['text']))}"
    return None


def webhook_lines(facts: dict[str, Any]) -> list[str]:
    """Return the lines for one JSON line of `corefast listen`: a status by its name, a message by its words."""
    body = facts.get("body")
    if facts.get("event") != "webhook" or not isinstance(body, dict):
        return []
    mark = "" if facts.get("verified") else " (signature wrong)"
    statuses = [str(status.get("status")) for status in body.get("statuses", [])]
    texts = [
        f"{display_number(str(message.get('from')))}: {_shorten(str(message.get('text', {}).get('body', '…')))}"
        for message in body.get("messages", [])
    ]
    return [f"webhook ← {what}{mark}" for what in statuses + texts]


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 1] + "…"
