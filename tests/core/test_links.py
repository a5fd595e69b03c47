"""Links of media: fetched from the internet alone, once for all who send them, within size and time."""

import asyncio
import socket
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
import uvloop
from aiohttp import web
from aiohttp.abc import AbstractResolver
from pytest import raises

from corefast.core.config import CoreConfig
from corefast.core.media.fetch import Links
from corefast.errors import LinkRefused, RemoteRefused, SetupError
from corefast.limits import LINK_CACHE_MS
from corefast.net.guard import is_public
from corefast.wire.body import Attachment, MediaKind
from corefast.wire.gateway import Send
from corefast.wire.media import MediaRef
from corefast.wire.settings import Provider, ProviderLogin, PutProviders

from ..support.pictures import JPEG, SVG
from .world import BUSINESS, CUSTOMER, World, story

HERE = "127.0.0.0/8"


class Site:
    """An HTTP server on loopback; *asked* are the paths and headers that came."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.port = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, dict(request.headers)))
        match request.path:
            case "/a.jpg":
                return web.Response(body=JPEG, content_type="image/jpeg")
            case "/bare":
                return web.Response(body=JPEG, content_type="application/octet-stream")
            case "/svg":
                return web.Response(body=SVG, content_type="image/svg+xml")
            case "/liar":
                return web.Response(body=b"<html>", content_type="image/jpeg")
            case "/redirect":
                raise web.HTTPFound("/a.jpg")
            case "/empty":
                return web.Response(body=b"", content_type="image/jpeg")
            case "/large":
                return web.Response(body=JPEG + bytes(5_300_000), content_type="image/jpeg")
            case "/endless":
                return await self._drip(request, bytes(65_536))
            case "/slow":
                return await self._drip(request, b"")
            case "/private":
                if request.headers.get("Authorization") == "Bearer secret":
                    return web.Response(body=JPEG, content_type="image/jpeg")
                raise web.HTTPUnauthorized
        raise web.HTTPNotFound

    async def _drip(self, request: web.Request, piece: bytes) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(JPEG)
        while True:
            await answer.write(piece) if piece else await asyncio.sleep(0.05)


@asynccontextmanager
async def site():
    made = Site()
    app = web.Application()
    app.router.add_get("/{any:.*}", made.serve)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()


def send(world: World, link: str, kind: MediaKind = MediaKind.IMAGE, provider: str = ""):
    return world.front.call(Send(BUSINESS, CUSTOMER, Attachment(kind), media=MediaRef("", link, provider)))


async def refusal(call) -> tuple[str, str]:
    with raises(RemoteRefused) as caught:
        await call
    return caught.value.code, str(caught.value)


@pytest.mark.one_engine
def test_a_link_is_fetched_once_for_all_who_send_it_within_ten_minutes(tmp_path):
    async def main(world: World):
        async with site() as there:
            await asyncio.gather(*(send(world, there.url("/a.jpg")) for _ in range(5)))
            await send(world, there.url("/a.jpg"))
            assert [path for path, _ in there.asked] == ["/a.jpg"] and len(world.relay.blobs.kept) == 1
            assert "Authorization" not in there.asked[0][1]
            world.clock.now_ms += LINK_CACHE_MS
            await send(world, there.url("/a.jpg"))
            assert len(there.asked) == 2
            await world.relay.until(lambda: len(world.relay.posts) == 7)
            media = [world.phone.read(post.parts[0]).media for post in world.relay.posts]
            assert {each.mime for each in media} == {"image/jpeg"} and len({each.key for each in media}) == 2
            await send(world, there.url("/bare"))
            await world.relay.until(lambda: len(world.relay.posts) == 8)
            assert world.phone.read(world.relay.posts[-1].parts[0]).media.mime == "image/jpeg"

    story(main, tmp_path, link_networks=HERE)


@pytest.mark.one_engine
def test_what_a_link_gives_has_to_fit_and_to_come_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.media.fetch.LINK_TIMEOUT_MS", 300)

    async def main(world: World):
        async with site() as there:
            cases = [
                ("/redirect", "media.link", "redirect"),
                ("/missing", "media.link", "404"),
                ("/empty", "media.link", "empty"),
                ("/svg", "media.unfit", "scripts"),
                ("/liar", "media.unfit", "first bytes"),
                ("/large", "media.too_large", "5242880"),
                ("/endless", "media.too_large", "5242880"),
                ("/slow", "media.link", "within"),
                ("/private", "media.link", "401"),
            ]
            for path, code, words in cases:
                found = await refusal(send(world, there.url(path)))
                assert found[0] == code and words in found[1], (path, found)
            assert (await refusal(send(world, there.url("/a.jpg"), MediaKind.VIDEO)))[0] == "media.unfit"
            assert (await refusal(send(world, there.url("/svg"), MediaKind.DOCUMENT)))[0] == "media.unfit"
            assert (await refusal(send(world, "http://127.0.0.1:1/")))[0] == "media.link"
            await world.relay.until(lambda: not world.relay.blobs.growing)
            assert world.relay.posts == [] and world.relay.blobs.kept == {}

    story(main, tmp_path, link_networks=HERE)


@pytest.mark.one_engine
def test_a_provider_brings_the_credentials(tmp_path):
    async def main(world: World):
        provider = Provider("cdn", "www", ProviderLogin(bearer="secret"))
        await world.front.call(PutProviders(BUSINESS, [provider]))
        async with site() as there:
            await send(world, there.url("/private"), provider="cdn")
            assert (await refusal(send(world, there.url("/private"))))[0] == "media.link"
            code, text = await refusal(send(world, there.url("/a.jpg"), provider="other"))
            assert code == "media.link" and "provider" in text

    story(main, tmp_path, link_networks=HERE)


async def problem(links: Links, link: str) -> str:
    with raises(LinkRefused) as caught:
        async with links.open(link, {}):
            pass
    assert "127" not in str(caught.value) and "secret" not in str(caught.value)
    return str(caught.value)


INSIDE = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[ff02::1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://198.18.0.1/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "http://localhost/",
]


@pytest.mark.parametrize("link", INSIDE)
def test_no_link_leads_into_a_network_of_ours(link):
    async def main():
        assert "address" in await problem(Links(), link)

    uvloop.run(main())


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd",
        "ftp://example.com/x",
        "gopher://example.com/",
        "//example.com/x",
        "example.com/x",
        "http://",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com@127.0.0.1/",
        "http://exa\nmple.com/",
        "http://example.com/\0",
        "http://example.com:99999/",
        "http://[::1/",
        "https://example.com/" + "x" * 2_100,
    ],
)
def test_what_is_no_plain_http_url_is_refused(link):
    async def main():
        await problem(Links(), link)

    uvloop.run(main())


class Rebinding(AbstractResolver):
    """A name that has a public address when it is asked for first, and one of ours from then on."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked += 1
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        facts = {"hostname": host, "host": address, "port": port, "family": socket.AF_INET}
        return [facts | {"proto": 0, "flags": socket.AI_NUMERICHOST}]

    async def close(self) -> None:
        pass


def test_a_name_is_resolved_once_and_its_address_is_the_one_that_is_called():
    async def main():
        async with site() as there:
            inside = Rebinding("127.0.0.1")
            assert "address" in await problem(Links(resolver=inside), f"http://rebind.example:{there.port}/a.jpg")
            rebinding = Rebinding("127.0.0.1", "10.0.0.1")
            async with Links([ip_network(HERE)], rebinding).open(
                f"http://rebind.example:{there.port}/a.jpg", {}
            ) as fetched:
                assert fetched.mime == "image/jpeg"
            assert rebinding.asked == 1
            assert [each["Host"] for _, each in there.asked] == [f"rebind.example:{there.port}"]

    uvloop.run(main())


def test_only_addresses_of_the_internet_are_public():
    for address in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"):
        assert is_public(address)
    for address in ("::ffff:10.0.0.1", "::", "192.0.0.8", "203.0.113.7", "2001:db8::1", "fe80::1%eth0"):
        assert not is_public(address)
    with raises(SetupError):
        CoreConfig(data_dir="", relay="", number="", link_networks="10.0.0.0/8, nonsense").networks()
