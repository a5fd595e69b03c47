"""The profile, its photo, and the parts of the original that are not there."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import uvloop

from api.routes.absent import PARTS
from corefast.limits import MAX_PHOTO_BYTES
from corefast.store.database import Statement

from .front import front
from .real import Business, trade

ABOUT, PHOTO = "/v1/settings/profile/about", "/v1/settings/profile/photo"
BUSINESS, COMPLIANCE = "/v1/settings/business/profile", "/v1/settings/business/compliance_info"
GROUPS = "/v1/settings/groups"
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 5_000
COUNT = Statement("SELECT count(*) FROM setting WHERE name LIKE 'photo/%'")
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


async def upload(b: Business, body: bytes, mime: str = "image/jpeg") -> Any:
    return await b.ask(
        "POST", PHOTO, data=BytesIO(body), headers={"Authorization": f"Bearer {b.key}", "Content-Type": mime}
    )


@pytest.mark.covers(
    "GET /v1/settings/application",
    "GET /v1/settings/business/compliance_info",
    "GET /v1/settings/business/profile",
    "GET /v1/settings/profile/about",
    "PATCH /v1/settings/groups",
    "PATCH /v1/settings/profile/about",
    "POST /v1/settings/business/compliance_info",
    "POST /v1/settings/business/profile",
)
@pytest.mark.covers("PATCH /v1/settings/profile/about", 1008, 1009)
@pytest.mark.covers("POST /v1/settings/business/compliance_info", "POST /v1/settings/business/profile", 1009)
def test_the_profile_keeps_what_a_change_does_not_name(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        async def business() -> Any:
            return (await b.ask("GET", BUSINESS)).json["settings"]["business"]["profile"]

        assert (await b.ask("GET", ABOUT)).json["settings"] == {"profile": {"about": {"text": ""}}}
        empty = {"name": "", "address": "", "description": "", "email": "", "vertical": "", "websites": []}
        assert await business() == empty
        assert (await b.ask("PATCH", ABOUT, json={"text": "ä" * 139})).status == 200
        first = {
            "name": "Café & Söhne",
            "address": "Main Street 1",
            "email": "a@shop.example",
            "vertical": "Restaurant",
        }
        assert (await b.ask("POST", BUSINESS, json=first)).status == 200
        second = {"websites": ["https://shop.example"], "vertical": ""}
        assert (await b.ask("POST", BUSINESS, json=second)).status == 200
        compliance = {"entity_name": "Shop Ltd", "nested": {"a": [1]}}
        assert (await b.ask("POST", COMPLIANCE, json=compliance)).status == 200
        for change, name in (
            ({"address": "x" * 257}, "address"),
            ({"description": "x" * 257}, "description"),
            ({"email": "x" * 129}, "email"),
            ({"vertical": "Piracy"}, "Restaurant; Other"),
            ({"websites": ["https://a.example"] * 3}, "websites"),
            ({"websites": ["javascript:alert(1)"]}, "websites[0]"),
            ({"websites": ["https://" + "x" * 256]}, "websites[0]"),
            ({"email": "a\0b"}, "email"),
            ({"name": "x" * 129}, "name"),
            ({"name": "Shop\u202e"}, "name"),
            ({"name": " Shop"}, "name"),
        ):
            reply = await b.ask("POST", BUSINESS, json=change)
            assert (reply.status, reply.v1_code) == (400, 1009) and name in reply.details
        assert (await b.ask("PATCH", ABOUT, json={"text": "x" * 140})).v1_code == 1009
        assert (await b.ask("PATCH", ABOUT, json={})).v1_code == 1008
        assert (await b.ask("POST", COMPLIANCE, json={"x": "x" * 17_000})).v1_code == 1009
        assert await business() == empty | first | second
        assert (await b.ask("GET", ABOUT)).json["settings"]["profile"]["about"]["text"] == "ä" * 139
        told = (await b.ask("GET", COMPLIANCE)).json["settings"]["business"]["compliance_info"]
        assert told == compliance
        assert (await b.ask("PATCH", GROUPS, json={"max_participants": "256"})).status == 200
        kept = (await b.ask("GET", "/v1/settings/application")).json["settings"]["application"]["groups"]
        assert kept == {"max_participants": "256"}

    trade(main, tmp_path)


@pytest.mark.covers(
    "DELETE /v1/settings/profile/photo", "GET /v1/settings/profile/photo", "POST /v1/settings/profile/photo"
)
@pytest.mark.covers("GET /v1/settings/profile/photo", 1006, 1009)
@pytest.mark.covers("POST /v1/settings/profile/photo", 1009)
def test_the_photo_comes_back_byte_for_byte_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corefast.core.settings.profile.MAX_STORED_PIECES", 4)

    async def main(b: Business) -> None:
        for path in (PHOTO, f"{PHOTO}?format=link"):
            none = await b.ask("GET", path)
            assert (none.status, none.v1_code, none.details) == (404, 1006, "No picture set.")
        for body, mime in ((JPEG, "image/jpeg"), (PNG, "image/png")):
            assert (await upload(b, body, mime)).status == 200
            found = await b.ask("GET", PHOTO)
            assert (found.body, found.headers["content-type"]) == (body, mime)
        link = (await b.ask("GET", f"{PHOTO}?format=link")).json["settings"]["profile"]["photo"]["link"]
        assert link == f"http://127.0.0.1:{b.port}{PHOTO}"
        odd = await b.ask("GET", f"{PHOTO}?format=zip")
        assert (odd.status, odd.v1_code) == (400, 1009)
        wrong = ((JPEG, "image/png"), (b"<svg/>", "image/jpeg"), (PNG, "text/html"), (b"", "image/png"), (JPEG, ""))
        for body, mime in wrong:
            reply = await upload(b, body, mime or "application/octet-stream")
            assert (reply.status, reply.v1_code) == (400, 1009)
        large = await upload(b, JPEG[:4] + bytes(MAX_PHOTO_BYTES))
        assert (large.status, large.v1_code) == (413, 1009)
        for _ in range(3):  # pieces that never become a photo do not pile up
            await upload(b, b"no picture" + bytes(600_000))
        pieces = await b.world.core.process.database.fetch(COUNT)
        assert pieces[0][0] <= 6
        assert (await b.ask("GET", PHOTO)).body == PNG
        largest = JPEG[:4] + bytes(MAX_PHOTO_BYTES - 4)
        assert (await upload(b, largest)).status == 200
        assert (await b.ask("GET", PHOTO)).body == largest
        assert (await b.ask("DELETE", PHOTO)).status == 200
        assert (await b.ask("GET", PHOTO)).status == 404
        assert (await b.world.core.process.database.fetch(COUNT))[0][0] == 0

    trade(main, tmp_path)


ABSENT = [f"{method} {part.path}" for part in PARTS for method in part.methods]


@pytest.mark.covers(*ABSENT)
@pytest.mark.covers(*ABSENT, 1005, 1026)
def test_what_is_not_there_says_so_to_those_who_may_call() -> None:
    async def main() -> None:
        async with front() as api:
            for part in PARTS:
                for method in part.methods:
                    reply = await api.ask(method, part.path.replace("{", "").replace("}", ""))
                    assert (reply.status, reply.v1_code, reply.details) == (501, 1026, part.reason)
                    assert (await api.ask(method, part.path, headers={})).status == 401

    uvloop.run(main())
