"""Figures, support and the checks of an old diagnostic tool."""

from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from corefast.wire.event import State
from corefast.wire.gateway import NewKey, NewKeyMade, Scope
from corefast.wire.webhook import ClaimDeliveries, Outcome, ReportDeliveries, SetWebhook

from .real import PASSWORD, Business, trade

APP, DB = "/v1/stats/app", "/v1/stats/db"


@pytest.mark.covers(
    "GET /metrics", "GET /v1/stats/app", "GET /v1/stats/app/internal", "GET /v1/stats/db", "GET /v1/stats/db/internal"
)
@pytest.mark.covers("GET /v1/stats/app", "GET /v1/stats/db", 1005, 1009)
def test_figures_come_in_the_originals_names_as_json_and_as_text(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        for body in ("one", "two"):
            await b.world.send(body)
        await b.world.statuses(4)
        await b.ask("GET", "/livez")
        app = (await b.ask("GET", APP)).json["stats"]["app"]
        assert app["out_message_persisted"]["type"] == "counter"
        assert app["out_message_persisted"]["data"][0]["value"] >= 2
        states = {each["labels"]["status"]: each["value"] for each in app["out_message_status"]["data"]}
        assert states["delivered"] >= 2
        named = {"pending_messages", "callback_queue_size", "db_request_duration_us_sum", "endpoint_requests"}
        assert named <= set(app)

        db = (await b.ask("GET", DB)).json["stats"]["db"]
        values = {name: figure["data"][0]["value"] for name, figure in db.items()}
        assert (values["db_messages"], values["db_contacts"], values["db_pending_messages"]) == (2, 1, 0)
        assert db["db_contacts"]["data"][0]["labels"] == {"type": "whatsapp_user"}

        for path, part, told in ((APP, "app", app), (DB, "db", db)):
            text = await b.ask("GET", f"{path}?format=prometheus")
            assert text.headers["content-type"].startswith("text/plain")
            found = list(text_string_to_metric_families(text.body.decode()))
            names = {sample.name.removesuffix("_total") for each in found for sample in each.samples}
            assert names == set(told)
            internal = (await b.ask("GET", f"{path}/internal")).json["stats"][part]
            assert all(name.startswith(("corefast_", "process_", "python_")) for name in internal) and internal
            wrong = await b.ask("GET", f"{path}?format=xml")
            assert (wrong.status, wrong.v1_code) == (400, 1009)
        assert "corefast_api_core_up" in (await b.ask("GET", "/metrics?format=json")).json["metrics"]

        assert (await b.ask("GET", "/metrics?format=xml")).problem == "parameter.invalid"

        bare = (await b.core.call(NewKey("monitoring", (Scope.SEND,)), NewKeyMade)).key
        for path in (APP, DB):
            assert (await b.ask("GET", path, headers={"Authorization": f"Apikey {bare}"})).status == 200
            assert (await b.ask("GET", path, headers={})).status == 401

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/stats/app")
def test_posts_to_the_webhook_are_counted_by_what_they_told_and_what_came_of_them(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        async def figures() -> dict[tuple[str, str, str], float]:
            app = (await b.ask("GET", APP)).json["stats"]["app"]
            names = ("callback_requests", "callback_requests_duration_ms_count", "callback_requests_duration_ms_sum")
            return {
                (name, each["labels"]["type"], each["labels"]["result"]): each["value"]
                for name in names
                for each in app.get(name, {"data": []})["data"]
            }

        before, emitter = await figures(), await b.world.emitter()
        await b.world.front.call(SetWebhook("https://example.test/hook", (State.SENT, State.DELIVERED)))
        sent = await b.world.send("hi")
        b.world.phone.meet(b.world.relay.bundle_of_business())
        b.world.relay.deliver(b.world.phone.write("hello"))
        await b.world.events(3)
        for outcome in (
            {"delivered": False, "status": 418, "took_ms": 25},
            {"delivered": False, "status": 999, "took_ms": -1},
            {"delivered": True, "status": 200, "took_ms": 5},
        ):
            claimed = (await emitter.call(ClaimDeliveries(1, 5_000))).deliveries
            await emitter.call(ReportDeliveries([Outcome(claimed[0].event.id, **outcome)]))
            b.world.clock.now_ms += 60_000
        assert sent.id
        grown = {key: value - before.get(key, 0) for key, value in (await figures()).items()}
        counts = {key[1:]: value for key, value in grown.items() if key[0] == "callback_requests" and value}
        assert sum(counts.values()) == 3 and {kind for kind, _ in counts} <= {"inbound_message", "status_change"}
        assert {result for _, result in counts} == {"418", "none", "success"}
        spent = {key[2]: value for key, value in grown.items() if key[0].endswith("_sum") and value}
        assert spent == {"418": pytest.approx(25), "success": pytest.approx(5)}
        emitter.close()

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/health", "GET /v1/support")
def test_an_old_diagnostic_tool_finds_what_it_looks_for(tmp_path: Path) -> None:
    """It logs in without a body, then reads support, settings and the webhook's authority."""

    async def main(b: Business) -> None:
        headers = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
        login = await b.ask("POST", "/v1/users/login", headers=headers)
        bearer = {"Authorization": f"Bearer {login.json['users'][0]['token']}"}

        support = (await b.ask("GET", "/v1/support", headers=bearer)).json["support"]
        assert support["debug_info"] == "493023125000" and support["socket_conn"] == "UP"
        assert support["db_engine"] == "SQLITE" and support["schema"] >= 9 and support["shards"] == [0]
        assert support["free_space_data"] > 0 and support["multi_connect"] is False
        wanted = {"context", "db_info", "description", "device_iso8601", "e2e", "env", "expire_timestamp", "lc", "lg"}
        assert wanted | {"os_name", "os_version", "role"} <= set(support)

        settings = await b.ask("GET", "/v1/settings/application", headers=bearer)
        assert settings.json["settings"]["application"]["webhooks"]["url"] == ""
        authority = await b.ask("GET", "/v1/certificates/webhooks/ca", headers=bearer)
        assert authority.status == 404 and authority.json["errors"][0]["code"] == 1006
        health = await b.ask("GET", "/v1/health", headers=bearer)
        assert health.json["health"]["gateway_status"] == "connected"

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/health")
@pytest.mark.covers("POST /v1/messages", 1023)
def test_a_failing_node_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        assert (await b.ask("GET", "/v1/health")).json["health"] == {"gateway_status": "connected"}
        heal = b.world.break_commits()
        await b.ask("POST", "/v1/messages", json={"to": "49123123456", "text": {"body": "hi"}})
        health = (await b.ask("GET", "/v1/health")).json["health"]
        assert [each["code"] for each in health["errors"]] == [1023]
        heal()

    trade(main, tmp_path)
