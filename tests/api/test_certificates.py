"""TLS as clients meet it: one certificate on every front, replaced live, and whom webhooks trust."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from api.app import serve
from api.certificate import mode_of
from api.config import ApiConfig
from api.proxy import Proxied, parse_proxies
from api.webhooks.app import open_session
from api.webhooks.attempt import Attempts
from api.webhooks.guard import Guard
from api.webhooks.trust import Trust
from corefast.core.account.guessing import FREE_TRIES
from corefast.core.settings.certificate import make_authority, make_leaf
from corefast.errors import SetupError
from corefast.health import ask_front
from corefast.wire.webhook import ClaimDeliveries, ReportDeliveries
from tests.support.programs import free_port

from .real import Business, trade
from .receiver import Receiver, tls_receiver

EXTERNAL, TRUSTED = "/v1/certificates/external", "/v1/certificates/webhooks/ca"


NOW_MS = time.time_ns() // 1_000_000
"""Clients compare a certificate with their own clock."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.certificate.SETTINGS_POLL_S", 0.05)


@asynccontextmanager
async def tls_front(b: Business, folder: Path, tls: str = "self-signed", **more: Any) -> AsyncIterator[int]:
    """Run a front that speaks TLS; give its port."""
    b.world.clock.now_ms = NOW_MS
    port, stop = free_port(), asyncio.Event()
    config = ApiConfig(
        core=f"127.0.0.1:{b.world.port}",
        core_secret_file=str(folder / "core" / "front.secret"),
        listen=f"127.0.0.1:{port}",
        tls=tls,
        **more,
    )
    task = asyncio.create_task(serve(config, stop))
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    await shown(port)
                    break
                except OSError:
                    if task.done():
                        break
                    await asyncio.sleep(0.02)
        if not task.done():
            yield port
    finally:
        stop.set()
        await task


async def shown(port: int, trusted: str = "", name: str = "localhost") -> bytes:
    """Return the certificate that a client gets (DER), verified where *trusted* is given."""
    context = ssl.create_default_context(cadata=trusted or None)
    if not trusted:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
        return found
    finally:
        writer.close()


async def becomes(ports: list[int], pem: str) -> None:
    """Wait until all of these show the first certificate of *pem*."""
    wanted = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    async with asyncio.timeout(20):
        while [await shown(port) for port in ports] != [wanted] * len(ports):
            await asyncio.sleep(0.05)


def rsa_pair(bits: int = 2_048, name: str = "localhost") -> tuple[str, str]:
    """Return a self-signed certificate with another kind of key than ours, and the key."""
    key = rsa.generate_private_key(65_537, bits)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = make_authority(NOW_MS, "x")
    like = x509.load_pem_x509_certificate(made.chain.encode())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(like.not_valid_before_utc)
        .not_valid_after(like.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM).decode(), private.decode()


@pytest.mark.covers(
    "DELETE /v1/certificates/external", "GET /v1/certificates/external/ca", "POST /v1/certificates/external"
)
@pytest.mark.covers("DELETE /v1/certificates/external", 1006)
def test_every_front_shows_one_certificate_which_an_upload_replaces_while_it_runs(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        await b.become_administrator()
        async with tls_front(b, tmp_path, tls_name=["shop.example"]) as one, tls_front(b, tmp_path) as other:
            ca = await b.ask("GET", f"{EXTERNAL}/ca")
            assert (ca.status, ca.headers["content-type"]) == (200, "text/plain; charset=utf-8")
            assert ca.headers["content-disposition"] == 'attachment; filename="ca.pem"'
            assert await shown(one, ca.body.decode()) == await shown(other, ca.body.decode(), "shop.example")
            with pytest.raises(ssl.SSLCertVerificationError):
                await shown(one, ca.body.decode(), "evil.example")
            own = await shown(one)

            chain, key = rsa_pair()
            reply = await b.ask("POST", EXTERNAL, data=chain + key, headers=text(b))
            assert reply.status == 200
            await becomes([one, other], chain)
            assert (await b.ask("GET", f"{EXTERNAL}/ca")).body.decode() == chain
            async with aiohttp.ClientSession() as session:
                url = f"https://127.0.0.1:{one}/livez"
                async with session.get(url, ssl=False) as answer:
                    assert answer.status == 200 and await answer.json() == {"status": "alive"}
            assert await asyncio.to_thread(ask_front, one)

            assert (await b.ask("DELETE", EXTERNAL)).status == 200
            async with asyncio.timeout(20):
                while await shown(other) != own:
                    await asyncio.sleep(0.05)
            gone = await b.ask("DELETE", EXTERNAL)
            assert (gone.status, gone.v1_code) == (404, 1006)

    trade(main, tmp_path)


def text(b: Business) -> dict[str, str]:
    return {"Authorization": f"Bearer {b.key}", "Content-Type": "text/plain"}


@pytest.mark.covers("DELETE /v1/certificates/external", "POST /v1/certificates/external")
def test_a_front_with_a_file_follows_it_and_an_upload_comes_first(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        await b.become_administrator()
        authority = make_authority(NOW_MS, "test")
        first, second, uploaded = (make_leaf(authority, ["localhost"], NOW_MS) for _ in range(3))
        file = tmp_path / "server.pem"
        file.write_text(first.chain + first.key)
        async with tls_front(b, tmp_path, str(file)) as port:
            await becomes([port], first.chain)
            file.write_text(second.chain + second.key)
            await becomes([port], second.chain)
            file.write_text("damaged")
            assert (await b.ask("POST", EXTERNAL, data=uploaded.key + uploaded.chain, headers=text(b))).status == 200
            await becomes([port], uploaded.chain)
            file.write_text(first.chain + first.key)
            assert (await b.ask("DELETE", EXTERNAL)).status == 200
            await becomes([port], first.chain)
        file.write_text("damaged")
        with pytest.raises(SetupError, match="--tls"):
            async with tls_front(b, tmp_path, str(file)):
                pass
        with pytest.raises(SetupError, match="No such file"):
            async with tls_front(b, tmp_path, str(tmp_path / "nothing.pem")):
                pass

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/certificates/external", "POST /v1/certificates/webhooks/ca", 1009)
def test_uploads_that_could_not_be_shown_or_trusted_are_refused(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        b.world.clock.now_ms = NOW_MS
        await b.become_administrator()
        chain, key = rsa_pair()
        weak, weak_key = rsa_pair(1_024)
        locked = load_pem_private_key(key.encode(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
        )
        expired = make_leaf(make_authority(0, "old"), ["localhost"], 0)
        wrong = {
            "": "PEM",
            "nonsense": "PEM",
            "\x00\xff": "PEM",
            chain: "private key",
            key: "PEM",
            chain + weak_key: "none of the certificates",
            chain + locked.decode(): "encrypted",
            weak + weak_key: "weak",
            expired.chain + expired.key: "expired",
            chain + key + "x" * 70_000: "65536",
        }
        for body, words in wrong.items():
            reply = await b.ask("POST", EXTERNAL, data=body.encode("latin-1"), headers=text(b))
            assert (reply.status in (400, 413), reply.v1_code) == (True, 1009), words
            assert words in reply.details, (words, reply.details)
        for body, words in {"": "PEM", "nonsense": "PEM", chain + key: "private key"}.items():
            reply = await b.ask("POST", TRUSTED, data=body.encode(), headers=text(b))
            assert (reply.status, reply.v1_code) == (400, 1009) and words in reply.details

    trade(main, tmp_path)


@pytest.mark.covers(
    "DELETE /v1/certificates/webhooks/ca", "GET /v1/certificates/webhooks/ca", "POST /v1/certificates/webhooks/ca"
)
@pytest.mark.covers("DELETE /v1/certificates/webhooks/ca", "GET /v1/certificates/webhooks/ca", 1006)
def test_a_webhook_is_trusted_by_the_authority_that_was_uploaded_until_it_is_taken_back(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        await b.become_administrator()
        none = await b.ask("GET", TRUSTED)
        assert (none.status, none.v1_code, none.details) == (404, 1006, "no webhook CA certificates found")
        assert (await b.ask("DELETE", TRUSTED)).v1_code == 1006
        hook, guard, emitter = Receiver(), Guard(False), await b.world.emitter()
        async with tls_receiver(tmp_path, hook) as url, open_session(guard) as session:
            attempts = Attempts(session, guard, Trust(b.core))
            change = {"webhooks": {"url": url}}
            assert (await b.ask("PATCH", "/v1/settings/application", json=change)).status == 200
            await b.world.send("hi")

            async def post() -> bool:
                found = await emitter.call(ClaimDeliveries(1, 2_000))
                outcome = await attempts.post(found.webhook, found.deliveries[0])
                await emitter.call(ReportDeliveries([outcome]))
                b.world.clock.now_ms += 5_000
                return outcome.delivered

            assert not await post()
            pem = (tmp_path / "certificate.pem").read_text()
            assert (await b.ask("POST", TRUSTED, data=pem, headers=text(b))).status == 200
            assert (await b.ask("GET", TRUSTED)).body.decode() == pem
            assert await post()
            assert (await b.ask("DELETE", TRUSTED)).status == 200
            assert not await post()
            assert (await b.ask("GET", TRUSTED)).v1_code == 1006
        emitter.close()

    trade(main, tmp_path)


def test_tls_is_on_beyond_this_machine_unless_the_operator_says_otherwise() -> None:
    assert [mode_of("", host) for host in ("127.0.0.1", "::1", "localhost")] == ["off"] * 3
    assert [mode_of("", host) for host in ("0.0.0.0", "::", "10.0.0.1", "shop.example")] == ["self-signed"] * 4
    assert (mode_of("off", "0.0.0.0"), mode_of("a.pem", "127.0.0.1")) == ("off", "a.pem")


# ── behind a proxy ─────────────────────────────────────────────────────────────────────────────────────────────────


def seen(client: str, *forwarded: str, proto: str = "", trusted: tuple[str, ...] = ("10.0.0.0/24",)) -> tuple[str, str]:
    """Return whom an application behind the proxies sees, and by which scheme."""
    scope: dict[str, Any] = {"client": (client, 5), "scheme": "http", "headers": []}
    scope["headers"] += [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope["headers"] += [(b"x-forwarded-proto", proto.encode())] if proto else []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    asyncio.run(Proxied(app, parse_proxies(list(trusted)))(scope, None, None))  # type: ignore[arg-type]
    return scope["client"][0], scope["scheme"]


def test_only_the_word_of_a_trusted_proxy_counts() -> None:
    assert seen("10.0.0.7", "203.0.113.9", proto="https") == ("203.0.113.9", "https")
    assert seen("192.0.2.1", "203.0.113.9", proto="https") == ("192.0.2.1", "http")
    assert seen("10.0.0.7", "1.1.1.1, 203.0.113.9") == ("203.0.113.9", "http")
    assert seen("10.0.0.7", "1.1.1.1, 203.0.113.9, 10.0.0.8") == ("203.0.113.9", "http")
    assert seen("10.0.0.7", "1.1.1.1", "203.0.113.9, 10.0.0.8") == ("203.0.113.9", "http")
    assert seen("10.0.0.7", "203.0.113.9, nonsense") == ("10.0.0.7", "http")
    assert seen("10.0.0.7", "203.0.113.9:443", proto="gopher") == ("203.0.113.9", "http")
    assert seen("10.0.0.7", "[2001:db8::1]:443") == ("2001:db8::1", "http")
    assert seen("::ffff:10.0.0.7", "203.0.113.9") == ("203.0.113.9", "http")
    assert seen("10.0.0.7") == ("10.0.0.7", "http")
    with pytest.raises(SetupError):
        parse_proxies(["everybody"])


def test_wrong_passwords_count_against_the_client_behind_the_proxy(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        async with tls_front(b, tmp_path, trusted_proxy=["127.0.0.1"]) as port, aiohttp.ClientSession() as session:

            async def login(address: str) -> int:
                headers = {"Authorization": aiohttp.encode_basic_auth("admin", "wrong"), "X-Forwarded-For": address}
                url = f"https://127.0.0.1:{port}/v1/users/login"
                async with session.post(url, headers=headers, ssl=False) as answer:
                    return answer.status

            assert [await login("203.0.113.9") for _ in range(FREE_TRIES + 1)][-1] == 429
            assert await login("203.0.113.10") == 401

    trade(main, tmp_path)
