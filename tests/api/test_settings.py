"""/v1/settings/application from HTTP down to the core's database."""

from pathlib import Path
from typing import Any

import pytest

from .real import Business, trade

PATH = "/v1/settings/application"
PROVIDERS = f"{PATH}/media/providers"


async def read(b: Business) -> Any:
    return (await b.ask("GET", PATH)).json["settings"]["application"]


@pytest.mark.covers("DELETE /v1/settings/application", "GET /v1/settings/application", "PATCH /v1/settings/application")
def test_settings_are_read_changed_and_reset(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        defaults = await read(b)
        assert defaults["callback_backoff_delay_ms"] == 3_000 and defaults["wa_id"] == "493023125000"
        change = {
            "callback_backoff_delay_ms": "3000",
            "max_callback_backoff_delay_ms": "900000",
            "webhooks": {"url": "https://shop.example/hook", "max_concurrent_requests": 18},
            "media": {"auto_download": ["image", "voice"]},
            "messaging_api_rate_limit": ["15", "54600", "1000000"],
            "contacts_scrape_rate_limit": "1000000",
        }
        reply = await b.ask("PATCH", PATH, json=change)
        assert (reply.status, set(reply.json)) == (200, {"meta"})
        found = await read(b)
        assert found["webhooks"].pop("message") == {"sent": True, "delivered": True, "read": True}
        assert {name: found[name] for name in change} == change
        assert (await b.ask("DELETE", PATH)).status == 200
        assert await read(b) == defaults

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/settings/application", "PATCH /v1/settings/application")
@pytest.mark.covers("PATCH /v1/settings/application", 1009, 1025)
def test_what_is_not_allowed_is_named_and_changes_nothing(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        before = await read(b)
        wrong: list[tuple[Any, str]] = [
            ({"webhooks": {"url": "http://shop.example/"}}, "webhooks.url"),
            ({"webhooks": {"url": "ftp://shop.example/"}}, "webhooks.url"),
            ({"webhooks": {"url": "https://"}}, "webhooks.url"),
            ({"webhooks": {"url": "https://[::1/"}}, "webhooks.url"),
            ({"webhooks": {"url": "https://a b/"}}, "webhooks.url"),
            ({"webhooks": {"url": "https://a/" + "x" * 3_000}}, "webhooks.url"),
            ({"webhooks": {"url": "http://127.0.0.1.evil.test/"}}, "webhooks.url"),
            ({"webhooks": {"url": 7}}, "webhooks.url"),
            ({"webhooks": {"max_concurrent_requests": 7}}, "max_concurrent_requests"),
            ({"webhooks": {"message": {"sent": "yes"}}}, "webhooks.message.sent"),
            ({"webhooks": []}, "webhooks"),
            ({"media": {"auto_download": ["pdf"]}}, "media.auto_download"),
            ({"callback_backoff_delay_ms": "-1"}, "callback_backoff_delay_ms"),
            ({"callback_backoff_delay_ms": "９"}, "callback_backoff_delay_ms"),
            ({"callback_backoff_delay_ms": 0.5}, "callback_backoff_delay_ms"),
            ({"max_callback_backoff_delay_ms": 10**30}, "max_callback_backoff_delay_ms"),
            ({"pass_through": 1}, "pass_through"),
            ({"on_call_pager": "x" * 300}, "on_call_pager"),
            ({"odd": "x" * 66_000}, "65536"),
            ([], "object"),
        ]
        for change, name in wrong:
            reply = await b.ask("PATCH", PATH, json=change)
            assert (reply.status, reply.v1_code) == (400, 1009), change
            assert name in reply.details, (change, reply.details)
        assert (await b.ask("PATCH", PATH, data=b"{")).v1_code == 1025
        assert await read(b) == before
        for url in (
            "http://127.0.0.1:1/hook",
            "http://localhost/",
            "http://[::1]:1/",
            "https://user:pass@10.0.0.1/x",
            "",
            None,
        ):
            assert (await b.ask("PATCH", PATH, json={"webhooks": {"url": url}})).status == 200
            assert (await read(b))["webhooks"]["url"] == (url or "")

    trade(main, tmp_path)


@pytest.mark.covers(
    "DELETE /v1/settings/application/media/providers/{name}",
    "GET /v1/settings/application/media/providers",
    "POST /v1/settings/application/media/providers",
)
@pytest.mark.covers("DELETE /v1/settings/application/media/providers/{name}", 1006)
@pytest.mark.covers("POST /v1/settings/application/media/providers", 1008, 1009)
def test_media_providers_are_kept_and_wrong_ones_refused(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        given = [
            {"name": "cdn1", "type": "www", "config": {"bearer": "abc"}},
            {"name": "cdn2", "type": "www", "config": {"basic": {"username": "u", "password": "p"}}},
        ]
        assert (await b.ask("POST", PROVIDERS, json=given)).status == 200
        told = (await b.ask("GET", PROVIDERS)).json["settings"]["application"]["media"]["providers"]
        assert told == given
        wrong: list[Any] = [
            [{"name": "a b", "type": "www", "config": {"bearer": "x"}}],
            [{"name": "a", "type": "ftp", "config": {"bearer": "x"}}],
            [{"name": "a", "type": "www", "config": {}}],
            [{"name": "a", "type": "www", "config": {"bearer": "x\r\nEvil: 1"}}],
            [{"name": "a", "type": "www", "config": {"bearer": "x", "basic": {"username": "u", "password": "p"}}}],
            [{"name": f"n{number}", "type": "www", "config": {"bearer": "x"}} for number in range(101)],
        ]
        for body in wrong:
            assert (await b.ask("POST", PROVIDERS, json=body)).v1_code == 1009
        assert (await b.ask("POST", PROVIDERS, json=[{"name": "a", "type": "www"}])).v1_code == 1008
        assert (await b.ask("DELETE", f"{PROVIDERS}/cdn1")).status == 200
        gone = await b.ask("DELETE", f"{PROVIDERS}/cdn1")
        assert (gone.status, gone.v1_code) == (404, 1006)
        told = (await b.ask("GET", PROVIDERS)).json["settings"]["application"]["media"]["providers"]
        assert told == given[1:]

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/settings/backup")
@pytest.mark.covers("POST /v1/settings/backup", 1008, 1009)
@pytest.mark.covers("POST /v1/settings/restore", 1005, 1009)
def test_a_backup_is_made_for_administrators_and_restored_where_the_number_is_not_yet(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        made = await b.ask("POST", "/v1/settings/backup", json={"password": "Correct-Horse-1"})
        assert made.status == 200
        data = made.json["settings"]["data"]
        assert isinstance(data, str) and len(data) < 4_096
        assert (await b.ask("POST", "/v1/settings/backup", json={"password": "short"})).v1_code == 1009
        assert (await b.ask("POST", "/v1/settings/backup", json={})).v1_code == 1008
        await b.become_administrator()
        wrong = await b.ask("POST", "/v1/settings/restore", json={"password": "Correct-Horse-2", "data": data})
        assert (wrong.status, wrong.v1_code) == (400, 1009)
        here = await b.ask("POST", "/v1/settings/restore", json={"password": "Correct-Horse-1", "data": data})
        assert (here.status, here.v1_code) == (403, 1005)

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/certificates/external", "DELETE /v1/certificates/external", 1005)
@pytest.mark.covers("POST /v1/certificates/webhooks/ca", "DELETE /v1/certificates/webhooks/ca", 1005)
@pytest.mark.covers("POST /v1/settings/restore", 1005)
def test_what_belongs_to_the_core_is_changed_by_its_administrator_and_not_with_a_key_of_one_number(
    tmp_path: Path,
) -> None:
    async def main(b: Business) -> None:
        for method, path in (
            ("POST", "/v1/certificates/external"),
            ("DELETE", "/v1/certificates/external"),
            ("POST", "/v1/certificates/webhooks/ca"),
            ("DELETE", "/v1/certificates/webhooks/ca"),
            ("POST", "/v1/settings/restore"),
        ):
            reply = await b.ask(method, path, data=b"{}")
            assert (reply.status, reply.v1_code) == (403, 1005) and "administrator" in reply.details, path
        assert (await b.ask("GET", "/v1/certificates/external/ca")).status == 200
        assert (await b.ask("GET", "/v1/certificates/webhooks/ca")).v1_code == 1006

    trade(main, tmp_path)


@pytest.mark.covers(
    "DELETE /v1/certificates/external",
    "DELETE /v1/certificates/webhooks/ca",
    "DELETE /v1/settings/application",
    "DELETE /v1/settings/application/media/providers/{name}",
    "GET /v1/certificates/external/ca",
    "GET /v1/certificates/webhooks/ca",
    "GET /v1/settings/application",
    "GET /v1/settings/application/media/providers",
    "PATCH /v1/settings/application",
    "POST /v1/certificates/external",
    "POST /v1/certificates/webhooks/ca",
    "POST /v1/settings/application/media/providers",
    "POST /v1/settings/backup",
    "POST /v1/settings/restore",
    1005,
)
def test_settings_and_certificates_are_for_administrators(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        user = {"username": "ann.smith", "password": "Correct-Horse-1"}
        assert (await b.ask("POST", "/v1/users", json=user)).status == 201
        headers = {"Authorization": f"Bearer {await b.token('ann.smith', 'Correct-Horse-1')}"}
        paths = {
            PATH: ("GET", "PATCH", "DELETE"),
            PROVIDERS: ("GET", "POST"),
            f"{PROVIDERS}/x": ("DELETE",),
            "/v1/settings/backup": ("POST",),
            "/v1/settings/restore": ("POST",),
            "/v1/certificates/external": ("POST", "DELETE"),
            "/v1/certificates/external/ca": ("GET",),
            "/v1/certificates/webhooks/ca": ("GET", "POST", "DELETE"),
        }
        for path, methods in paths.items():
            for method in methods:
                reply = await b.ask(method, path, headers=headers)
                assert (reply.status, reply.v1_code) == (403, 1005), (method, path)
                nobody = await b.ask(method, path, headers={})
                assert (nobody.status, nobody.v1_code) == (401, 1005), (method, path)

    trade(main, tmp_path)
