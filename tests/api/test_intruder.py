"""Who has no right to something learns nothing of it; names and numbers mean one thing, however they are written."""

import asyncio
import re
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import uvloop

from api.openapi import OPERATIONS
from corefast.limits import KEY_CACHE_MS
from corefast.wire.gateway import Done, NewKey, NewKeyMade, RevokeKey, Scope

from ..core.world import BUSINESS, CUSTOMER
from ..support import pictures
from .numbers import desk
from .real import PASSWORD, Business, trade
from .test_account import WANTED

SECOND = "493023125001"
TEXT = {"to": CUSTOMER, "text": {"body": "hi"}}
TEMPLATE = {"name": "order_ready", "language": "en", "components": [{"type": "BODY", "text": "Ready."}]}
PROVIDER = {"name": "cdn1", "type": "www", "config": {"bearer": "abc"}}


async def key_of(b: Business, *scopes: Scope, account: str = "") -> tuple[str, dict[str, str]]:
    made = await b.core.call(NewKey("other", scopes, account=account), NewKeyMade)
    return made.view.id, {"Authorization": f"Bearer {made.key}"}


# ── what belongs to another number ─────────────────────────────────────────────────────────────────────────────────


async def belongings(b: Business) -> list[tuple[str, str, Any]]:
    """Make one of everything; return method, path with an id, and body of each request that could touch it."""
    jpeg = b.headers | {"Content-Type": "image/jpeg"}
    medium = (await b.ask("POST", "/v1/media", data=pictures.JPEG, headers=jpeg)).json["media"][0]["id"]
    template = (await b.ask("POST", "/v1/templates", json=TEMPLATE)).json["templates"][0]["id"]
    message = (await b.ask("POST", "/v1/messages", json=TEXT)).json["messages"][0]["id"]
    crowd = {"subject": "Regulars", "participants": [CUSTOMER]}
    group = (await b.ask("POST", "/v1/groups", json=crowd)).json["groups"][0]["id"]
    await b.ask("POST", "/v1/settings/application/media/providers", json=[PROVIDER])
    await b.ask("POST", "/v1/users", json={"username": "anna", "password": "Correct-Horse-1"})
    named = {"name": "order_ready", "language": {"code": "en"}}
    return [
        ("GET", f"/v1/media/{medium}", None),
        ("DELETE", f"/v1/media/{medium}", None),
        ("POST", "/v1/messages", TEXT | {"type": "image", "image": {"id": medium}}),
        ("GET", f"/v1/templates/{template}", None),
        ("PUT", f"/v1/templates/{template}", TEMPLATE),
        ("DELETE", f"/v1/templates/{template}", None),
        ("POST", "/v1/messages", TEXT | {"type": "template", "template": named}),
        ("GET", f"/v1/messages/{message}", None),
        ("PUT", f"/v1/messages/{message}", {"status": "read"}),
        ("GET", f"/v1/groups/{group}", None),
        ("PUT", f"/v1/groups/{group}", {"subject": "Mine"}),
        ("POST", f"/v1/groups/{group}/participants", {"wa_ids": [CUSTOMER]}),
        ("DELETE", f"/v1/groups/{group}/participants", {"wa_ids": [CUSTOMER]}),
        ("POST", "/v1/messages", TEXT | {"to": group, "recipient_type": "group"}),
        ("DELETE", "/v1/settings/application/media/providers/cdn1", None),
        ("GET", "/v1/users/anna", None),
        ("PUT", "/v1/users/anna", {"password": "Stolen-Horse-2"}),
        ("DELETE", "/v1/users/anna", None),
        ("GET", f"/v1/contacts/{CUSTOMER}/identity", None),
        ("PUT", f"/v1/contacts/{CUSTOMER}/identity", {"hash": "ab"}),
    ]


def test_what_belongs_to_one_number_is_unknown_to_the_keys_of_another(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        b.world.core.serve(await b.world.core.make(SECOND))
        _, stranger = await key_of(b, *Scope, account=SECOND)
        b.headers = b.headers | {"X-Corefast-Account": BUSINESS}
        touched = await belongings(b)
        await b.world.statuses(1)
        for named in ({}, {"X-Corefast-Account": BUSINESS}):
            for method, path, body in touched:
                refused = await b.ask(method, path, headers=stranger | named, json=body)
                assert refused.status == 404, (method, path, refused.body)
        for method, path, body in sorted(touched, key=lambda each: each[0] == "DELETE"):
            is_about_others = "hash" in str(body) or (method, body) == ("PUT", {"status": "read"})
            assert (await b.ask(method, path, json=body)).status != 404 or is_about_others, (method, path)
        assert (await b.ask("GET", "/v1/events", headers=stranger)).json["events"] == []
        assert (await b.ask("GET", "/v1/groups", headers=stranger)).json["groups"] == []
        assert (await b.ask("GET", "/v1/templates", headers=stranger)).json["templates"] == []

    trade(main, tmp_path)


# ── scopes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_said_to_be_for_administrators_is_for_nobody_else(tmp_path: Path) -> None:
    """And a key that reads changes nothing."""
    asked = [each for each in OPERATIONS if each.security == "bearer" and each.id != "logout" and each.tag != "absent"]

    async def main(b: Business) -> None:
        _, worker = await key_of(b, Scope.SEND, Scope.READ)
        _, reader = await key_of(b, Scope.READ)
        for each in asked:
            path = each.path.replace("{", "").replace("}", "")
            refused = (await b.ask(each.method, path, headers=worker)).status == 403
            assert refused == (re.search(r"\((the )?administrator", each.summary) is not None), (each.id, each.summary)
            if each.method != "GET":
                assert (await b.ask(each.method, path, headers=reader)).status == 403, each.id

    trade(main, tmp_path)


# ── guessing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_guessed_keys_find_nothing_and_a_revoked_one_ends_on_every_front(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        key_id, headers = await key_of(b, Scope.SEND)

        async def guess(at: int) -> int:
            wrong = {"Authorization": f"Bearer cf_{at:043}"}
            return (await b.ask("POST", "/v1/messages", headers=wrong, json=TEXT)).status

        guesses = asyncio.gather(*(guess(at) for at in range(300)))
        while not guesses.done():
            async with asyncio.timeout(1):
                assert (await b.ask("POST", "/v1/messages", headers=headers, json=TEXT)).status == 201
        assert set(await guesses) <= {401, 503}
        await b.core.call(RevokeKey(key_id), Done)
        await asyncio.sleep(KEY_CACHE_MS / 1_000 + 0.05)
        for _ in b.ports:
            assert (await b.ask("POST", "/v1/messages", headers=headers, json=TEXT)).v1_code == 1005

    trade(main, tmp_path)


def test_a_wrong_password_takes_as_long_for_a_user_that_there_is_not(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        async def took(username: str) -> float:
            began = time.perf_counter()
            assert (await b.login(username, "wrong")).status == 401
            return time.perf_counter() - began

        await took("nobody")  # makes what the others are compared with
        pairs = [(await took("admin"), await took(f"nobody{at}")) for at in range(4)]
        ratio = median(known / unknown for known, unknown in pairs)
        assert 0.4 < ratio < 2.5, pairs
        assert (await b.login("admin", PASSWORD)).status == 200

    trade(main, tmp_path)


# ── names of files ─────────────────────────────────────────────────────────────────────────────────────────────────

TYPES = (
    "image/svg+xml",
    "IMAGE/SVG+XML",
    "image/svg+xml; charset=utf-8",
    "image/svg+xml ;x",
    " image/svg+xml",
    "x/" + "y" * 300,
)
NAMES = ("../../etc/passwd", "a/b.pdf", "a\\b.pdf", "a\0b.pdf", "a\nb.pdf", "\u202efdp.exe", "x" * 241)


def test_a_file_is_kept_under_no_name_of_others_and_shown_by_no_browser(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        async def put(data: bytes, mime: str) -> Any:
            return await b.ask("POST", "/v1/media", data=data, headers=b.headers | {"Content-Type": mime})

        for mime in TYPES:
            assert (await put(pictures.SVG, mime)).v1_code == 1009, mime
        for mime in ("text/html", "application/xhtml+xml", "text/javascript", "application/pdf; name=x"):
            page = pictures.PDF if "pdf" in mime else b"<script>alert(1)</script>"
            got = await b.ask("GET", f"/v1/media/{(await put(page, mime)).json['media'][0]['id']}")
            assert got.body == page and got.headers["x-content-type-options"] == "nosniff"
            assert got.headers["content-disposition"].startswith('attachment; filename="')
            assert not set("/\\") & set(got.headers["content-disposition"])
            assert "default-src 'none'" in got.headers["content-security-policy"]
        medium = (await put(pictures.PDF, "application/pdf")).json["media"][0]["id"]
        for name in NAMES:
            document = {"type": "document", "document": {"id": medium, "filename": name}}
            refused = await b.ask("POST", "/v1/messages", json=TEXT | document)
            assert (refused.status, refused.v1_code) == (400, 1009) and "filename" in refused.details, name
        unknown = [
            await b.ask("GET", f"/v1/media/{odd}") for odd in ("%2e%2e%2fx", "..%5cx", "%00", medium + "%00", "~")
        ]
        assert {reply.status for reply in unknown} == {404}

    trade(main, tmp_path)


# ── numbers ────────────────────────────────────────────────────────────────────────────────────────────────────────

SPELLINGS = (CUSTOMER, "+49 123 123456", "0049123123456", "+49-123-123456", "+49 (123) 123/456", "\uff0b49123123456")
SPELLINGS += ("+\u0664\u0669\u0661\u0662\u0663\u0661\u0662\u0663\u0664\u0665\u0666",)
NO_NUMBERS = (
    "",
    " ",
    "+",
    "12",
    "+49 123 12TWO",
    "+49 30 23125000 ext. 7",
    "+49 30 23125;ext=7",
    "9" * 65,
    "+1\0",
    "🙂",
)


@pytest.mark.covers("POST /v1/contacts", "POST /v1/messages", "GET /v1/messages/{id}")
@pytest.mark.covers("POST /v1/messages", 1009)
def test_a_number_is_one_number_however_it_is_written(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        told = await b.ask("POST", "/v1/contacts", json={"contacts": [*SPELLINGS, *NO_NUMBERS], "blocking": "wait"})
        found = told.json["contacts"]
        assert [each["input"] for each in found] == [*SPELLINGS, *NO_NUMBERS]
        assert [each.get("wa_id") for each in found] == [CUSTOMER] * len(SPELLINGS) + [None] * len(NO_NUMBERS)
        assert {each["status"] for each in found[len(SPELLINGS) :]} == {"invalid"}
        for spelling in SPELLINGS:
            sent = await b.ask("POST", "/v1/messages", json=TEXT | {"to": spelling})
            view = await b.ask("GET", f"/v1/messages/{sent.json['messages'][0]['id']}")
            assert view.json["messages"][0]["to"] == CUSTOMER
        for text in NO_NUMBERS:
            refused = await b.ask("POST", "/v1/messages", json=TEXT | {"to": text})
            assert refused.status == 400 and refused.v1_code in (1008, 1009), text
        registered, not_registered = [
            await b.ask("POST", "/v1/messages", json=TEXT | {"to": to}) for to in (CUSTOMER, "491600000009")
        ]
        assert registered.status == not_registered.status == 201
        assert set(registered.json) == set(not_registered.json) and len(registered.body) == len(not_registered.body)

    trade(main, tmp_path)


BURST = 200
"""Numbers at once; the relay gives a few more a second."""


def test_numbers_are_not_enumerated_and_who_tries_still_sends(tmp_path: Path) -> None:
    """By a core that the relay's operator has not named as one of a trusted sender."""

    async def main() -> None:
        async with desk(tmp_path, registration="open", lookup_burst=BURST, bulk=SECOND) as d:
            assert (await d.ask("POST", "/v1/account", WANTED)).status == 201
            checked, refusals = 0, 0
            for at in range(20):
                numbers = [f"4916{at:04}{n:04}" for n in range(50)]
                reply = await d.ask("POST", "/v1/contacts", {"contacts": numbers, "blocking": "wait"})
                assert reply.status == 200 or (reply.status, reply.v1_code) == (429, 1015), reply.body
                refusals += reply.status == 429
                checked += len(numbers) if reply.status == 200 else 0
            assert checked <= BURST + 50 and refusals > 10
            assert (await d.ask("POST", "/v1/messages", TEXT)).status == 201

    uvloop.run(main())
