"""One attempt against receivers of every temper."""

import asyncio
import socket
from datetime import UTC, datetime

import pytest
import uvloop
from aiohttp import web
from aiohttp.abc import AbstractResolver
from standardwebhooks import Webhook as Verifier

from api.webhooks.app import open_session
from api.webhooks.attempt import Attempts
from api.webhooks.bodies import encode_body
from api.webhooks.guard import Guard, UrlRefused, may_call
from api.webhooks.trust import Trust
from corefast.limits import MAX_WEBHOOK_ANSWER_BYTES
from corefast.wire.body import Text
from corefast.wire.event import Event, EventKind
from corefast.wire.webhook import Delivery, Outcome, Webhook

from ..support.fake_core import FakeCore
from .receiver import Receiver, answer, receiver, tls_receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT = Event(
    "evt_1", 0, 7, EventKind.MESSAGE, 1_900_000_000_000, peer="49123123456", message_id="ABGGx", body=Text("h\u00e9")
)


async def attempt(
    url: str, *, guard: Guard | None = None, timeout_ms: int = 5_000, now_s: float | None = None
) -> Outcome:
    guard = guard or Guard(allow_http=False)
    async with open_session(guard) as session:
        clock = {} if now_s is None else {"clock_s": lambda: now_s}
        attempts = Attempts(session, guard, Trust(FakeCore()), timeout_ms=timeout_ms, **clock)
        return await attempts.post(Webhook(url, SECRET, ()), Delivery(EVENT, 1))


def test_a_delivery_is_signed_after_standard_webhooks():
    async def main():
        async with receiver() as hook:
            assert await attempt(hook.url) == Outcome("evt_1", True, 200)
            ((path, headers, body),) = hook.requests
            assert path == "/hook"
            assert body == encode_body(EVENT)
            assert headers["content-type"] == "application/json"
            assert headers["user-agent"] == "corefast-webhooks/0.1.0"
            assert headers["webhook-id"] == "evt_1"
            Verifier(SECRET).verify(body, headers)

    uvloop.run(main())


def test_every_attempt_has_the_same_id_and_bytes_and_its_own_time():
    async def main():
        async with receiver() as hook:
            for now_s in (1_900_000_000, 1_900_000_500):
                await attempt(hook.url, now_s=now_s)
            (_, first, body), (_, second, again) = hook.requests
            assert body == again
            assert first["webhook-id"] == second["webhook-id"]
            assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("1900000000", "1900000500")
            moment = datetime.fromtimestamp(1_900_000_500, UTC)
            assert second["webhook-signature"] == Verifier(SECRET).sign("evt_1", moment, body.decode())

    uvloop.run(main())


DATE = "Sun, 17 Mar 2030 17:48:40 GMT"
"""Two minutes after 1,900,000,000."""

ANSWERS = {
    "no content": (answer(204), Outcome("evt_1", True, 204)),
    "a fault": (answer(500), Outcome("evt_1", False, 500, "answered 500")),
    "gone": (answer(410), Outcome("evt_1", False, 410, "answered 410", disable=True)),
    "slow down": (answer(429, {"Retry-After": "7"}), Outcome("evt_1", False, 429, "answered 429", 7_000)),
    "until then": (answer(503, {"Retry-After": DATE}), Outcome("evt_1", False, 503, "answered 503", 120_000)),
    "in a year": (answer(503, {"Retry-After": "99999999"}), Outcome("evt_1", False, 503, "answered 503", 86_400_000)),
    "never": (answer(503, {"Retry-After": "never"}), Outcome("evt_1", False, 503, "answered 503")),
    "the past": (
        answer(503, {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}),
        Outcome("evt_1", False, 503, "answered 503"),
    ),
    "a fault with a wish": (answer(500, {"Retry-After": "7"}), Outcome("evt_1", False, 500, "answered 500")),
    "elsewhere": (answer(302, {"Location": "/other"}), Outcome("evt_1", False, 302, "answered 302")),
    "elsewhere for good": (answer(308, {"Location": "/other"}), Outcome("evt_1", False, 308, "answered 308")),
    "much": (answer(200, body=b"x" * 4 * MAX_WEBHOOK_ANSWER_BYTES), Outcome("evt_1", True, 200)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_judged_by_its_status(name):
    behaviour, outcome = ANSWERS[name]

    async def main():
        async with receiver() as hook:
            hook.behaviour = behaviour
            assert await attempt(hook.url, now_s=1_900_000_000) == outcome
            assert [path for path, _, _ in hook.requests] == ["/hook"]

    uvloop.run(main())


def test_a_receiver_that_never_answers_is_given_up():
    async def hang(request):
        await asyncio.Event().wait()

    async def main():
        async with receiver() as hook:
            hook.behaviour = hang
            assert await attempt(hook.url, timeout_ms=50) == Outcome("evt_1", False, 0, "no answer in time")

    uvloop.run(main())


def test_a_receiver_whose_answer_drips_has_taken_the_event(monkeypatch):
    monkeypatch.setattr("api.webhooks.attempt.ANSWER_TIMEOUT_S", 0.05)

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.01)

    async def main():
        async with receiver() as hook:
            hook.behaviour = drip
            async with asyncio.timeout(20):
                assert await attempt(hook.url) == Outcome("evt_1", True, 200)

    uvloop.run(main())


async def one_line(line: bytes) -> tuple[asyncio.Server, str]:
    """Serve *line* as the answer to whatever comes, and hang up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(line)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


def test_an_answer_that_is_not_http_is_a_failure():
    async def main():
        for line in (b"", b"\x00\x01\x02\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000):
            server, url = await one_line(line)
            async with server:
                outcome = await attempt(url)
            assert not outcome.delivered and outcome.status == 0 and outcome.error

    uvloop.run(main())


def test_nobody_there_is_a_failure():
    async def main():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            outcome = await attempt(f"http://127.0.0.1:{free.getsockname()[1]}/hook")
        assert outcome == Outcome("evt_1", False, 0, "nobody answers there")

    uvloop.run(main())


# ── where it may go ────────────────────────────────────────────────────────────────────────────────────────────────

REFUSED = [
    "http://example.org/hook",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "https://",
    "https://[::1",
    "https://host:99999/",
    "https://169.254.169.254/latest",
    "https://[fe80::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://0.0.0.0/",
    "https://0/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "http://user:word@example.org/",
    "hook",
    "",
]


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_may_not_be_called_is_a_failure_without_a_connection(url):
    with pytest.raises(UrlRefused):
        Guard(allow_http=False).check(url)
    names = Names(1)
    outcome = uvloop.run(attempt(url, guard=Guard(False, names)))
    assert names.asked == 0
    assert not outcome.delivered and outcome.status == 0
    assert "example" not in outcome.error and "word" not in outcome.error


def test_plain_http_is_for_this_machine_or_by_choice():
    for url in ("http://127.0.0.1:8000/", "http://localhost/", "http://[::1]/", "https://example.org/"):
        Guard(allow_http=False).check(url)
    Guard(allow_http=True).check("http://10.0.0.7/hook")


def test_private_addresses_are_the_business_s_own():
    assert all(may_call(one) for one in ("10.0.0.7", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "8.8.8.8"))
    assert not any(
        may_call(one) for one in ("169.254.169.254", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "ff02::1")
    )


class Names(AbstractResolver):
    """Resolves every name to the given addresses, and counts."""

    def __init__(self, port: int, *addresses: str) -> None:
        self.addresses = addresses
        self.port = port
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked += 1
        return [
            {"hostname": host, "host": one, "port": self.port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for one in self.addresses
        ]

    async def close(self):
        pass


def test_a_name_is_resolved_once_and_connected_to_what_was_checked():
    async def main():
        async with receiver() as hook:
            names = Names(hook.port, "169.254.169.254", "127.0.0.1")
            outcome = await attempt("http://shop.test/hook", guard=Guard(True, names))
            assert outcome.delivered and names.asked == 1
            names = Names(hook.port, "169.254.169.254")
            outcome = await attempt("http://shop.test/hook", guard=Guard(True, names))
            assert (outcome.delivered, outcome.error) == (False, "the name has no usable address")
            assert len(hook.requests) == 1

    uvloop.run(main())


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path):
    async def main():
        hook = Receiver()
        async with tls_receiver(tmp_path, hook) as url:
            outcome = await attempt(url)
            assert (outcome.delivered, hook.requests) == (False, [])
            assert outcome.error in ("TLS failed", "the certificate is not valid for this name")
            guard = Guard(allow_http=False)
            trust = Trust(FakeCore(), str(tmp_path / "certificate.pem"))
            async with open_session(guard) as session:
                outcome = await Attempts(session, guard, trust).post(Webhook(url, SECRET, ()), Delivery(EVENT, 1))
            assert outcome.delivered

    uvloop.run(main())
