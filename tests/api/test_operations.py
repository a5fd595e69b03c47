"""Health, metrics and documentation."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest
import uvloop

from api import openapi
from api.app import serve
from api.config import ApiConfig
from api.errors import TABLE, V1_TITLES
from corefast.errors import LinkLost, SetupError
from corefast.wire.gateway import GetHealth, GetMetrics, Metrics

from ..support.fake_core import FakeCore, health, write_secret
from .front import AUTH, front

ROOT = Path(__file__).parents[2]


@pytest.mark.covers("GET /livez")
def test_alive_says_nothing_about_others():
    def away(message):
        raise LinkLost("away")

    async def main():
        core = FakeCore()
        core.on[GetHealth] = away
        async with front(core) as api:
            reply = await api.ask("GET", "/livez", headers={})
            assert (reply.status, reply.json) == (200, {"status": "alive"})
            assert core.calls == []

    uvloop.run(main())


@pytest.mark.covers("GET /readyz")
def test_ready_means_that_a_send_would_be_accepted():
    cases = [({}, 200), ({"store_ok": False}, 503), ({"keys_ok": False}, 503), ({"gateway_status": "connecting"}, 200)]

    async def main():
        for changes, status in cases:
            core = FakeCore()
            core.on[GetHealth] = lambda message, changes=changes: health(**changes)
            async with front(core) as api:
                reply = await api.ask("GET", "/readyz", headers={})
                assert (changes, reply.status) == (changes, status)
                assert (reply.json["status"] == "ready") == (status == 200)

    uvloop.run(main())


def test_a_front_without_its_core_or_about_to_end_is_not_ready():
    def away(message):
        raise LinkLost("away")

    async def main():
        core = FakeCore()
        async with front(core) as api:
            core.on[GetHealth] = away
            reply = await api.ask("GET", "/readyz", headers={})
            assert (reply.status, reply.json["checks"]["core"]) == (503, False)
        async with front() as api:
            api.draining.set()
            reply = await api.ask("GET", "/readyz", headers={})
            assert (reply.status, reply.json["status"]) == (503, "draining")

    uvloop.run(main())


@pytest.mark.covers("GET /readyz")
def test_a_flood_of_probes_is_one_call():
    async def main():
        async with front() as api:
            for _ in range(20):
                assert (await api.ask("GET", "/readyz", headers={})).status == 200
            assert sum(isinstance(call, GetHealth) for call in api.core.calls) < 5

    uvloop.run(main())


@pytest.mark.covers("GET /v1/health")
def test_v1_health_has_the_shape_of_the_original():
    async def main():
        async with front() as api:
            reply = await api.ask("GET", "/v1/health")
            assert reply.status == 200
            assert reply.json["health"] == {"gateway_status": "connected"}
            assert set(reply.json) == {"health", "meta"}

    uvloop.run(main())


@pytest.mark.covers("GET /metrics")
def test_metrics_have_the_fronts_figures_and_the_cores_each_family_once():
    def tell(message):
        return Metrics("# HELP corefast_core_x X.\ncorefast_core_x 1\n# HELP process_open_fds N.\nprocess_open_fds 9\n")

    async def main():
        core = FakeCore()
        core.on[GetMetrics] = tell
        async with front(core) as api:
            await api.send()
            await api.chat(data=b"{")
            reply = await api.ask("GET", "/metrics", headers={})
            text = reply.body.decode()
            assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert 'corefast_api_requests_total{route="v1.messages",status="201"}' in text
            assert 'corefast_api_requests_total{route="chat",status="400"}' in text
            assert "\ncorefast_core_x 1\n" in text and "\ncorefast_api_core_up 1\n" in text
            families = re.findall(r"^# HELP (\S+)", text, re.M)
            assert len(families) == len(set(families))
            assert "49123123456" not in text

    uvloop.run(main())


@pytest.mark.covers("GET /metrics")
def test_metrics_are_served_without_a_core_and_may_need_a_key():
    def away(message):
        raise LinkLost("away")

    async def main():
        core = FakeCore()
        core.on[GetMetrics] = away
        async with front(core, open_metrics=False) as api:
            assert (await api.ask("GET", "/metrics", headers={})).status == 401
            reply = await api.ask("GET", "/metrics", headers=AUTH)
            assert reply.status == 200
            assert b"\ncorefast_api_core_up 0\n" in reply.body

    uvloop.run(main())


def test_a_front_that_cannot_start_says_what_it_lacks(tmp_path):
    (tmp_path / "short").write_text("c2hvcnQ=")
    secret = str(write_secret(tmp_path))
    mistakes = [
        (ApiConfig(core="127.0.0.1:1", core_secret_file=str(tmp_path / "no")), "the core makes this file"),
        (ApiConfig(core="127.0.0.1:1", core_secret_file=str(tmp_path / "short")), "does not hold a secret"),
        (ApiConfig(core="nowhere", core_secret_file=secret), "'nowhere' is not HOST:PORT"),
        (ApiConfig(core="127.0.0.1:1", core_secret_file=secret, listen="9090"), "'9090' is not HOST:PORT"),
    ]
    for config, sentence in mistakes:
        with pytest.raises(SetupError, match=sentence):
            uvloop.run(serve(config, asyncio.Event()))


# ── documentation ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_description_served_is_the_one_in_the_repository():
    """`make openapi` writes it anew."""

    async def main():
        async with front() as api:
            reply = await api.ask("GET", "/openapi.json", headers={})
            assert reply.status == 200
            assert reply.body == (ROOT / "docs" / "openapi.json").read_bytes()

    uvloop.run(main())


def test_every_reference_of_the_description_leads_somewhere():
    document = openapi.describe()
    kinds = document["components"]
    references = re.findall(r'"\$ref":"([^"]+)"', msgspec.json.encode(document).decode())
    assert references
    assert set(references) <= {f"#/components/{kind}/{name}" for kind, found in kinds.items() for name in found}
    names = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(names) == len(set(names))


def test_every_error_of_the_table_has_a_title():
    assert {row.v1_code for row in TABLE.values()} <= set(V1_TITLES)


def test_the_page_loads_nothing_from_elsewhere():
    async def main():
        async with front() as api:
            page = (await api.ask("GET", "/docs", headers={})).body.decode()
            loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
            assert "/docs/docs.js" in loaded and "/docs/docs.css" in loaded
            for path in loaded:
                reply = await api.ask("GET", path, headers={})
                assert (path, reply.status) == (path, 200)
                assert b"http://" not in reply.body and (b"https://" not in reply.body or path == "/openapi.json")
                assert "default-src 'none'" in reply.headers["content-security-policy"]

    uvloop.run(main())
