"""The programs themselves, each a process, with a fake core behind a real link."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import uvloop
from standardwebhooks import Webhook as Signer

from api.webhooks.signature import headers_of
from corefast.wire import gateway
from corefast.wire.event import Event, EventKind, State
from corefast.wire.webhook import (
    ClaimDeliveries,
    Deliveries,
    Delivery,
    GetWebhook,
    ReportDeliveries,
    SetWebhook,
    Webhook,
)

from ..support.fake_core import KEY, FakeCore, write_secret
from .front import AUTH, CHAT
from .receiver import receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STATUSES = (State.DELIVERED,)


@asynccontextmanager
async def program(*words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict]]:
    """Run `python -m` *words*; yields the process and its ready line, and asserts that SIGTERM ends it well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            yield process, json.loads(await process.stdout.readline())
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_the_front_outlives_its_core_and_stops_within_three_seconds(tmp_path):
    async def main():
        core = FakeCore()
        address = await core.start()
        secret = str(write_secret(tmp_path))
        words = ("api", "--core", address, "--core-secret-file", secret, "--listen", "127.0.0.1:0")
        async with program(*words) as (process, facts), aiohttp.ClientSession(headers=AUTH) as session:
            assert facts["ready"] == "api"
            url = f"{facts['url']}/api/v7/chat"
            async with session.post(url, json=CHAT) as reply:
                assert reply.status == 201
            await core.stop()
            core.on[gateway.Send] = lambda message: gateway.Accepted("gBGGagain", message.to)
            waiting = asyncio.ensure_future(session.post(url, json=CHAT))
            await core.start(int(address.rpartition(":")[2]))
            async with await waiting as reply:
                assert (await reply.json())["id"] == "gBGGagain"
            began = asyncio.get_running_loop().time()
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            assert asyncio.get_running_loop().time() - began < 3
        await core.stop()

    uvloop.run(main())


def test_the_emitter_delivers_what_it_claims(tmp_path):
    async def main():
        core, reported = FakeCore(), asyncio.Event()
        event = Event("evt_1", 0, 1, EventKind.READ, 0, peer="49123123456", message_id="gBGGx")
        outcomes = []
        async with receiver() as hook:
            webhook = Webhook(hook.url, SECRET, STATUSES)

            async def claim(message):
                if outcomes:
                    await asyncio.Event().wait()
                return Deliveries(webhook, [Delivery(event, 1)])

            def report(message):
                outcomes.extend(message.outcomes)
                reported.set()
                return gateway.Done()

            core.on[ClaimDeliveries] = claim
            core.on[ReportDeliveries] = report
            address = await core.start()
            secret = str(write_secret(tmp_path, "webhooks.secret"))
            async with program("api.webhooks", "--core", address, "--core-secret-file", secret) as (_, facts):
                assert facts == {"ready": "webhooks"}
                await reported.wait()
            assert (outcomes[0].event_id, outcomes[0].delivered, outcomes[0].status) == ("evt_1", True, 200)
            assert 0 <= outcomes[0].took_ms < 10_000
            Signer(SECRET).verify(hook.requests[0][2], hook.requests[0][1])
        await core.stop()

    uvloop.run(main())


# ── listen ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def up_folder(tmp_path: Path, address: str) -> str:
    (tmp_path / "core").mkdir()
    write_secret(tmp_path / "core")
    (tmp_path / "up.json").write_text(json.dumps({"api": "http://127.0.0.1:9090", "api_key": KEY, "core": address}))
    return str(tmp_path)


BODY = b'{"statuses":[{"id":"gBGGx","recipient_id":"49123123456","status":"read"}]}'


async def post(session: aiohttp.ClientSession, url: str, event_id: str, body: bytes, secret: str = SECRET) -> int:
    now_s = int(time.time())
    async with session.post(url, data=body, headers=headers_of(secret, event_id, body, now_s)) as reply:
        return reply.status


def keep_webhook(core, webhook):
    """Let the core keep a webhook, *webhook* at first; return what tells the one that is set."""
    kept = [webhook]

    def set_webhook(message):
        kept[0] = Webhook(message.url, SECRET, message.statuses)
        return kept[0]

    core.on[GetWebhook] = lambda message: kept[0]
    core.on[SetWebhook] = set_webhook
    return lambda: kept[0]


def test_listen_is_the_webhook_while_it_runs_and_shows_each_event_once(tmp_path):
    async def main():
        core = FakeCore()
        before = Webhook("https://shop.example/hook", SECRET, STATUSES)
        keep_webhook(core, before)
        data = up_folder(tmp_path, await core.start())
        async with program("api.listen", "--json", "--data", data) as (process, facts):
            assert facts["ready"] == "listen"
            assert core.calls[-1] == SetWebhook(facts["url"], STATUSES)
            async with aiohttp.ClientSession() as session:
                assert await post(session, facts["url"], "evt_1", BODY) == 200
                assert await post(session, facts["url"], "evt_1", BODY) == 200
                other = "whsec_" + "A" * 32
                assert await post(session, facts["url"], "evt_2", BODY, other) == 401
                assert await post(session, facts["url"], "evt_3", b"no json") == 400
            assert process.stdout is not None
            lines = [json.loads(await process.stdout.readline()) for _ in range(2)]
            assert lines == [
                {"event": "webhook", "id": "evt_1", "verified": True, "body": json.loads(BODY)},
                {"event": "webhook", "id": "evt_2", "verified": False, "body": json.loads(BODY)},
            ]
        assert core.calls[-1] == SetWebhook(before.url, STATUSES)
        await core.stop()

    uvloop.run(main())


def test_listen_leaves_a_webhook_that_is_set_meanwhile_or_yields_to_the_one_there_is(tmp_path):
    async def main():
        core = FakeCore()
        kept = keep_webhook(core, Webhook("", SECRET, STATUSES))
        own = SetWebhook("https://shop.example/hook", STATUSES[1:])
        data = up_folder(tmp_path, await core.start())
        async with program("api.listen", "--json", "--data", data, "--account", "4930") as (_, facts):
            assert core.calls[-1] == SetWebhook(facts["url"], STATUSES, "4930")
            core.on[SetWebhook](own)
        assert kept().url == own.url
        async with program("api.listen", "--json", "--data", data, "--yields") as (_, facts):
            assert kept().url == own.url
        core.on[SetWebhook](SetWebhook(facts["url"], own.statuses))  # as a killed listener leaves it
        async with program("api.listen", "--json", "--data", data, "--yields") as (_, facts):
            assert kept().url == facts["url"]
        assert (kept().url, kept().statuses) == ("", own.statuses)
        await core.stop()

    uvloop.run(main())
