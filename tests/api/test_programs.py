"""The programs themselves, each a process, with a fake core behind a real link."""

import asyncio
import json
import os
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
from corefast.errors import TokenInvalid
from corefast.wire import gateway

from ..support.fake_core import KEY, FakeCore, write_secret
from .front import AUTH, CHAT
from .receiver import receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STATUSES = (gateway.State.DELIVERED,)


@asynccontextmanager
async def program(
    *words: str, ready: bool = True, **environ: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict]]:
    """Run `python -m` *words*; yields the process and its ready line, and asserts that SIGTERM ends it well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *words,
        env=os.environ | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            yield process, json.loads(await process.stdout.readline()) if ready else {}
            if ready and process.returncode is None:
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def output(*words: str, **environ: str) -> tuple[int, str, str]:
    """Run `python -m` *words* to its end; return exit code, stdout and stderr."""
    async with program(*words, ready=False, **environ) as (process, _):
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()


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
            core.on[gateway.SendText] = lambda message: gateway.Accepted("gBGGagain", message.to)
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


def test_the_front_says_what_it_lacks(tmp_path):
    async def main():
        code, _, complaint = await output("api", "--core", "127.0.0.1:1", "--core-secret-file", str(tmp_path / "no"))
        assert code == 2
        assert complaint.startswith("corefast: ") and complaint.count("\n") == 1
        (tmp_path / "bad").write_text("not a secret")
        code, _, complaint = await output("api", "--core", "127.0.0.1:1", "--core-secret-file", str(tmp_path / "bad"))
        assert (code, "not a secret" in complaint) == (2, False)
        code, _, complaint = await output("api", "--core", "nowhere", "--core-secret-file", str(write_secret(tmp_path)))
        assert code == 2 and "HOST:PORT" in complaint

    uvloop.run(main())


def test_the_emitter_delivers_what_it_claims(tmp_path):
    async def main():
        core, reported = FakeCore(), asyncio.Event()
        event = gateway.Event("evt_1", 0, 1, gateway.EventKind.READ, 0, peer="49123123456", message_id="gBGGx")
        outcomes = []
        async with receiver() as hook:
            webhook = gateway.Webhook(hook.url, SECRET, STATUSES)

            async def claim(message):
                if outcomes:
                    await asyncio.Event().wait()
                return gateway.Deliveries(webhook, [gateway.Delivery(event, 1)])

            def report(message):
                outcomes.extend(message.outcomes)
                reported.set()
                return gateway.Done()

            core.on[gateway.ClaimDeliveries] = claim
            core.on[gateway.ReportDeliveries] = report
            address = await core.start()
            secret = str(write_secret(tmp_path, "webhooks.secret"))
            async with program("api.webhooks", "--core", address, "--core-secret-file", secret) as (_, facts):
                assert facts == {"ready": "webhooks"}
                await reported.wait()
            assert outcomes[0] == gateway.Outcome("evt_1", True, 200)
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


def test_listen_is_the_webhook_while_it_runs_and_shows_each_event_once(tmp_path):
    async def main():
        core = FakeCore()
        before = gateway.Webhook("https://shop.example/hook", SECRET, STATUSES)
        core.on[gateway.GetWebhook] = lambda message: before
        core.on[gateway.SetWebhook] = lambda message: gateway.Webhook(message.url, SECRET, message.statuses)
        data = up_folder(tmp_path, await core.start())
        async with program("api.listen", "--json", "--data", data) as (process, facts):
            assert facts["ready"] == "listen"
            assert core.calls[-1] == gateway.SetWebhook(facts["url"], STATUSES)
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
        assert core.calls[-1] == gateway.SetWebhook(before.url, STATUSES)
        await core.stop()

    uvloop.run(main())


# ── key ────────────────────────────────────────────────────────────────────────────────────────────────────────────


VIEW = gateway.KeyView("key_7", "shop", "493023125000", (gateway.Scope.SEND,), 1_900_000_000_000)


def key_core() -> FakeCore:
    def revoke(message):
        if message.id != VIEW.id:
            raise TokenInvalid("no API key has this id")
        return gateway.Done()

    core = FakeCore()
    core.on[gateway.NewKey] = lambda message: gateway.NewKeyMade(VIEW, message.key or "cf_new")
    core.on[gateway.ListKeys] = lambda message: gateway.Keys([VIEW])
    core.on[gateway.RevokeKey] = revoke
    return core


def test_keys_are_made_listed_and_revoked(tmp_path):
    async def main():
        core = key_core()
        data = up_folder(tmp_path, await core.start())
        code, out, err = await output("api.key", "new", "--name", "shop", "--scope", "send", "--data", data)
        assert (code, out) == (0, "cf_new\n")
        assert "key_7" in err
        assert core.calls[-1] == gateway.NewKey("shop", (gateway.Scope.SEND,))

        code, out, _ = await output("api.key", "list", "--json", "--data", data)
        assert json.loads(out)["keys"][0]["id"] == "key_7"
        assert "key_7" in (await output("api.key", "list", "--data", data))[1]

        code, out, _ = await output("api.key", "revoke", "key_7", "--data", data)
        assert (code, out) == (0, "key_7 is revoked\n")
        code, _, err = await output("api.key", "revoke", "key_8", "--data", data)
        assert (code, "no API key has this id" in err) == (2, True)
        await core.stop()

    uvloop.run(main())


def test_up_takes_its_own_key_over_by_a_file(tmp_path):
    async def main():
        core = key_core()
        address = await core.start()
        data = up_folder(tmp_path, "127.0.0.1:1")
        (tmp_path / "api.key").write_text("cf_kept\n")
        words = ("api.key", "new", "--name", "up", "--json", "--data", data, "--core", address)
        code, out, _ = await output(*words, COREFAST_KEY_FILE=str(tmp_path / "api.key"))
        assert (code, json.loads(out)["key"]) == (0, "cf_kept")
        assert core.calls[-1].key == "cf_kept"
        await core.stop()

    uvloop.run(main())


def test_a_mistake_on_the_command_line_is_one_sentence(tmp_path):
    async def main():
        data = up_folder(tmp_path, "127.0.0.1:1")
        mistakes = (
            ("api.key", "forget", "--data", data),
            ("api.key", "revoke", "--data", data),
            ("api.key", "new", "--scope", "all", "--data", data),
            ("api.key", "list", "--data", str(tmp_path / "nowhere")),
            ("api.listen",),
            ("api.listen", "--secret", "whsec_"),
        )
        for words in mistakes:
            code, _, complaint = await output(*words)
            assert (words, code) == (words, 2)
            assert complaint.startswith("corefast: ") and complaint.count("\n") == 1, words

    uvloop.run(main())
