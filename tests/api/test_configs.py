"""/v1/configs: what clients of a vendor's hosted form of the API ask for, over the same settings and templates."""

from pathlib import Path
from typing import Any

import pytest

from ..core.world import BUSINESS, CUSTOMER
from .real import Business, trade

WEBHOOK, TEMPLATES, NUMBER = "/v1/configs/webhook", "/v1/configs/templates", "/v1/configs/phone_number"
URL = "https://shop.example/hook"


def definition(name: str, language: str = "en", **more: Any) -> dict[str, Any]:
    return {"name": name, "language": language, "components": [{"type": "BODY", "text": "Hello {{1}}"}], **more}


@pytest.mark.covers(f"GET {WEBHOOK}", f"POST {WEBHOOK}", f"GET {NUMBER}", "GET /v1/settings/application")
@pytest.mark.covers(f"POST {WEBHOOK}", 1008, 1009)
def test_the_webhook_is_that_of_the_settings(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        vendor = {"D360-API-KEY": b.key}
        none = await b.ask("GET", WEBHOOK, headers=vendor)
        assert (none.status, none.json) == (200, {"url": ""})
        made = await b.ask("POST", WEBHOOK, json={"url": URL, "headers": {}}, headers=vendor)
        assert (made.status, made.json) == (200, {"url": URL})
        assert (await b.ask("GET", WEBHOOK, headers=vendor)).json == {"url": URL}
        settings = (await b.ask("GET", "/v1/settings/application")).json["settings"]["application"]
        assert settings["webhooks"]["url"] == URL
        for body, code in (
            ({}, 1008),
            ({"url": "http://shop.example"}, 1009),
            ({"url": URL, "headers": {"Authorization": "Basic x"}}, 1009),
        ):
            assert (await b.ask("POST", WEBHOOK, json=body)).v1_code == code
        assert (await b.ask("GET", WEBHOOK)).json == {"url": URL}
        assert (await b.ask("POST", WEBHOOK, json={"url": ""})).json == {"url": ""}
        assert (await b.ask("GET", NUMBER, headers=vendor)).json == {"phone_number": BUSINESS}

    trade(main, tmp_path)


@pytest.mark.covers(f"GET {TEMPLATES}", f"POST {TEMPLATES}", f"DELETE {TEMPLATES}/{{name}}", "POST /v1/messages")
@pytest.mark.covers(f"GET {TEMPLATES}", 1009)
@pytest.mark.covers(f"POST {TEMPLATES}", 1004, 1008)
@pytest.mark.covers(f"DELETE {TEMPLATES}/{{name}}", 1006)
def test_the_templates_are_the_same_and_deleted_by_name(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        empty = (await b.ask("GET", TEMPLATES)).json
        assert empty == {"waba_templates": [], "count": 0, "total": 0, "limit": 1_000, "offset": 0}
        for name, language in (("ready", "en"), ("ready", "de"), ("late", "en")):
            made = await b.ask("POST", TEMPLATES, json=definition(name, language, category="UTILITY"))
            assert made.status == 201
            assert (made.json["name"], made.json["status"], made.json["category"]) == (name, "APPROVED", "UTILITY")
        assert (await b.ask("POST", TEMPLATES, json=definition("late"))).v1_code == 1004
        assert (await b.ask("POST", TEMPLATES, json={"name": "x"})).v1_code == 1008
        listed = (await b.ask("GET", TEMPLATES)).json
        assert [(each["name"], each["language"]) for each in listed["waba_templates"]] == [
            ("ready", "en"),
            ("ready", "de"),
            ("late", "en"),
        ]
        assert listed["waba_templates"] == (await b.ask("GET", "/v1/templates")).json["templates"]
        page = (await b.ask("GET", f"{TEMPLATES}?limit=1&offset=1")).json
        assert [each["language"] for each in page["waba_templates"]] == ["de"]
        assert {key: page[key] for key in ("count", "total", "limit", "offset")} == {
            "count": 1,
            "total": 3,
            "limit": 1,
            "offset": 1,
        }
        assert (await b.ask("GET", f"{TEMPLATES}?name=late")).json["total"] == 1
        for query in ("limit=0", "limit=1001", "limit=x", "offset=-1", "offset=99999", "offset=x"):
            assert (await b.ask("GET", f"{TEMPLATES}?{query}")).v1_code == 1009
        template = {"name": "ready", "namespace": "any", "language": {"policy": "deterministic", "code": "de"}}
        template["components"] = [{"type": "body", "parameters": [{"type": "text", "text": "Ada"}]}]
        sent = await b.ask("POST", "/v1/messages", json={"to": CUSTOMER, "type": "template", "template": template})
        assert sent.status == 201
        assert (await b.ask("DELETE", f"{TEMPLATES}/ready")).status == 200
        assert (await b.ask("GET", TEMPLATES)).json["total"] == 1
        gone = await b.ask("DELETE", f"{TEMPLATES}/ready")
        assert (gone.status, gone.v1_code) == (404, 1006)

    trade(main, tmp_path)


@pytest.mark.covers(f"GET {WEBHOOK}", f"POST {WEBHOOK}", f"POST {TEMPLATES}", f"DELETE {TEMPLATES}/{{name}}", 1005)
@pytest.mark.covers(f"GET {TEMPLATES}", f"GET {NUMBER}", 1005)
def test_changes_take_an_administrator(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        made = await b.ask("POST", "/v1/users", json={"username": "ann.smith", "password": "Correct-Horse-1"})
        assert made.status == 201
        user = {"D360-API-KEY": await b.token("ann.smith", "Correct-Horse-1")}
        for method, path, reads in (
            ("GET", WEBHOOK, False),
            ("POST", WEBHOOK, False),
            ("GET", TEMPLATES, True),
            ("GET", NUMBER, True),
            ("POST", TEMPLATES, False),
            ("DELETE", f"{TEMPLATES}/x", False),
        ):
            without = await b.ask(method, path, headers={}, json={})
            assert (without.status, without.v1_code) == (401, 1005)
            answer = await b.ask(method, path, headers=user, json={})
            assert answer.status == (200 if reads else 403)

    trade(main, tmp_path)
