"""The fields of /v1/settings/application: the values they take, their defaults, how a change is merged. Pure."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from corefast.errors import ParameterInvalid
from corefast.limits import MAX_SETTINGS_BYTES, WEBHOOK_CONCURRENCY
from corefast.wire.event import State
from corefast.wire.settings import Application

AUTO_DOWNLOAD = ("audio", "document", "image", "sticker", "video", "voice")
CONCURRENCIES = (6, 12, 18, WEBHOOK_CONCURRENCY)
MAX_DELAY_MS = 86_400_000
_MAX_URL_CHARACTERS = 2_048
_MAX_TEXT_CHARACTERS = 256
_MAX_DIGITS = 18
_HERE = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")

DEFAULTS: dict[str, Any] = {
    "callback_backoff_delay_ms": 3_000,
    "callback_persist": True,
    "db_garbagecollector_enable": True,
    "garbagecollector_enable": {"media": False, "messages": True},
    "heartbeat_interval": 5,
    "max_callback_backoff_delay_ms": 900_000,
    "media": {"auto_download": list(AUTO_DOWNLOAD)},
    "notify_user_change_number": False,
    "pass_through": False,
    "show_security_notifications": True,
    "skip_referral_media_download": False,
    "unhealthy_interval": 30,
    "webhooks": {"max_concurrent_requests": WEBHOOK_CONCURRENCY},
}

_OWNED = ("wa_id", "sent_status")
"""Told from elsewhere: the account, and the states that are posted."""

_STATES = {"sent": State.SENT, "delivered": State.DELIVERED, "read": State.READ}

Fields = dict[str, Any]


class Backoff(msgspec.Struct, frozen=True):
    """How long a failed delivery waits: *step_ms* more after each failure, at most *ceiling_ms*."""

    step_ms: int
    ceiling_ms: int


class Effect(msgspec.Struct, frozen=True):
    """What the settings mean to the core; *backoff* is None while nobody has set one."""

    concurrency: int
    backoff: Backoff | None
    tells_security: bool
    pass_through: bool
    auto_download: frozenset[str]


def decode(text: bytes) -> tuple[Fields, Application]:
    """Return a change as it came and as the fields that are known; raise `ParameterInvalid`."""
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
        known = msgspec.convert(fields, Application)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ParameterInvalid(f"the settings: {error}") from None
    _check(known)
    return fields, known


def merge(stored: Fields, change: Fields) -> Fields:
    """Return *stored* with *change* in it: objects field by field, anything else as a whole.

    What belongs to the webhook and the account is left out. Raises `ParameterInvalid` where it grows too large.
    """
    merged = _merged(stored, change)
    for name in _OWNED:
        merged.pop(name, None)
    if webhooks := {k: v for k, v in merged.pop("webhooks", {}).items() if k not in ("url", "message")}:
        merged["webhooks"] = webhooks
    if len(msgspec.json.encode(merged)) > MAX_SETTINGS_BYTES:
        raise ParameterInvalid(f"all settings together have at most {MAX_SETTINGS_BYTES} bytes")
    return merged


def _merged(stored: Fields, change: Fields) -> Fields:
    merged = dict(stored)
    for name, value in change.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def states_of(known: Application, before: tuple[State, ...]) -> tuple[State, ...]:
    """Return which states are posted after the change; failures always are."""
    wanted = {state: state in before for state in _STATES.values()}
    if known.sent_status is not UNSET:
        wanted[State.SENT] = known.sent_status
    message = known.webhooks.message if known.webhooks is not UNSET else UNSET
    if message is not UNSET:
        for name, state in _STATES.items():
            if (choice := getattr(message, name)) is not UNSET:
                wanted[state] = choice
    return (*(state for state, is_wanted in wanted.items() if is_wanted), State.FAILED)


def view(stored: Fields, url: str, states: tuple[State, ...], number: str) -> Fields:
    """Return everything as a client sees it."""
    message = {name: state in states for name, state in _STATES.items()}
    live = {"webhooks": {"message": message, "url": url}, "sent_status": message["sent"], "wa_id": number}
    return _merged(_merged(DEFAULTS, stored), live)


def effect_of(stored: Fields) -> Effect:
    """Return what *stored* means."""
    fields = _merged(DEFAULTS, stored)
    is_paced = "callback_backoff_delay_ms" in stored or "max_callback_backoff_delay_ms" in stored
    step_ms, ceiling_ms = int(fields["callback_backoff_delay_ms"]), int(fields["max_callback_backoff_delay_ms"])
    return Effect(
        int(fields["webhooks"]["max_concurrent_requests"]),
        Backoff(step_ms, ceiling_ms) if is_paced else None,
        fields["show_security_notifications"],
        fields["pass_through"],
        frozenset(fields["media"]["auto_download"]),
    )


# ── what a value may be ────────────────────────────────────────────────────────────────────────────────────────────


def _check(known: Application) -> None:
    webhooks, media = known.webhooks, known.media
    if webhooks is not UNSET:
        if webhooks.url is not UNSET and webhooks.url:
            check_url(webhooks.url)
        if webhooks.max_concurrent_requests is not UNSET:
            _check_concurrency(webhooks.max_concurrent_requests)
    if media is not UNSET and media.auto_download is not UNSET:
        if unknown := [kind for kind in media.auto_download if kind not in AUTO_DOWNLOAD]:
            raise ParameterInvalid(f"`media.auto_download` has {', '.join(AUTO_DOWNLOAD)}, not {unknown[0][:32]!r}")
    for name in ("callback_backoff_delay_ms", "max_callback_backoff_delay_ms"):
        _check_number(name, getattr(known, name), MAX_DELAY_MS)
    for name in ("heartbeat_interval", "unhealthy_interval"):
        _check_number(name, getattr(known, name), MAX_DELAY_MS // 1_000)
    for name in ("on_call_pager", "log_level"):
        if len(getattr(known, name) or "") > _MAX_TEXT_CHARACTERS:
            raise ParameterInvalid(f"`{name}` has at most {_MAX_TEXT_CHARACTERS} characters")


def check_url(url: str) -> None:
    """Raise `ParameterInvalid` unless *url* is one that webhooks may have: https, or http on this machine."""
    if len(url) > _MAX_URL_CHARACTERS:
        raise ParameterInvalid(f"`webhooks.url` has at most {_MAX_URL_CHARACTERS} characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    is_plain = parts.scheme == "http" and _HERE.fullmatch(host)
    if not host or any(ch <= " " for ch in url) or not (parts.scheme == "https" or is_plain):
        raise ParameterInvalid("`webhooks.url` has to begin with https:// (http:// only to this machine)")


def _check_concurrency(value: int | str) -> None:
    if str(value) not in map(str, CONCURRENCIES):
        raise ParameterInvalid("`webhooks.max_concurrent_requests` is 6, 12, 18 or 24")


def _check_number(name: str, value: Any, most: int) -> None:
    if value is UNSET:
        return
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS and 1 <= int(text) <= most):
        raise ParameterInvalid(f"`{name}` is a whole number from 1 to {most}")
