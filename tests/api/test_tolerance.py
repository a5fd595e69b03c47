"""What programs written for the original send and it never minded: slashes, nulls, marks, forms, another header."""

import asyncio
import base64
import gzip
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from ..core.world import CUSTOMER
from ..support.fake_core import KEY
from ..support.pictures import JPEG, PDF, PNG
from .front import AUTH, SEND, front
from .real import PASSWORD, Business, trade

BUSINESS = "/v1/settings/business/profile"
PHOTO = "/v1/settings/profile/photo"


def form(file: bytes, mime: str | None, filename: str | None = "a.bin", **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        made.add_field(name, value)
    made.add_field("file", BytesIO(file), content_type=mime, filename=filename)
    made.add_field("behind", "x" * 1_000)
    return made


@pytest.mark.parametrize("path", ("/v1/messages/", "//v1/messages", "/v1//messages//", "/v1/messages/?retry=1"))
def test_a_slash_too_many_is_overlooked(path: str) -> None:
    async def main() -> None:
        async with front() as api:
            assert (await api.ask("POST", path, json=SEND)).status == 201
            assert (await api.ask("GET", path)).status == 405
            assert len(api.core.sent()) == 1

    uvloop.run(main())


@pytest.mark.parametrize("path", ("//metrics", "/metrics/", "/livez/", "//docs", "/v1/nothing/", "/v1/", "/v1//", "//"))
def test_other_paths_have_one_spelling(path: str) -> None:
    async def main() -> None:
        async with front() as api:
            assert (await api.ask("GET", path)).status == 404

    uvloop.run(main())


def test_a_field_that_is_null_counts_as_left_out() -> None:
    async def main() -> None:
        async with front() as api:
            nulls = {"recipient_type": None, "image": None, "context": None, "ttl": None, "preview_url": None}
            assert (await api.send(json=SEND | nulls)).status == 201
            image = {"id": "5d1f0c3e-7a44-4a63-9c1f-0b6f4d2a9e11", "caption": None, "provider": None}
            assert (await api.send(json={"to": SEND["to"], "type": "image", "image": image})).status == 201
            plain, medium = api.core.sent()
            assert plain.body.body == "Hello world!" and medium.media is not None
            required = await api.send(json=SEND | {"text": {"body": None}})
            assert (required.v1_code, required.details) == (1009, "`text.body` has to be a string, not null")
            for unknown, code in (("1e400", 1009), ('"\xff"', 1025), ('"\\ud800"', 1025), ('"\\uZZZZ"', 1025)):
                broken = f'{{"to":"49123123456","recipient_type":null,"text":{{"body":"x"}},"x":{unknown}}}'
                assert (await api.send(data=broken.encode("latin-1"))).v1_code == code
            listed = {"type": "contacts", "contacts": [None]}
            assert (await api.send(json=SEND | listed)).v1_code == 1009

    uvloop.run(main())


def test_a_list_may_come_as_an_object_of_numbered_fields() -> None:
    async def main() -> None:
        async with front() as api:
            rows = {"0": {"id": "a", "title": "A"}, "2": {"id": "c", "title": "C", "description": None}}
            action = {"button": "Menu", "sections": {"0": {"rows": rows}}}
            message = {"type": "interactive", "interactive": {"type": "list", "body": {"text": "x"}, "action": action}}
            assert (await api.send(json={"to": SEND["to"], **message})).status == 201
            (section,) = api.core.sent()[0].body.sections
            assert [row.id for row in section.rows] == ["a", "c"]
            for wrong in ({}, {"a": rows["0"]}, {"0": rows["0"], "x": rows["2"]}, {"-1": rows["0"]}, {"9" * 5_000: {}}):
                action["sections"] = [{"rows": wrong}]
                reply = await api.send(json={"to": SEND["to"], **message})
                assert (reply.status, reply.v1_code) == (400, 1009) and "has to be a list" in reply.details

    uvloop.run(main())


@pytest.mark.covers("PATCH /v1/settings/application", "GET /v1/settings/application")
def test_settings_are_read_as_leniently_and_keep_what_is_null_otherwise(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        path = "/v1/settings/application"
        change = {"sent_status": None, "webhooks": {"url": "https://shop.example/hook", "message": None}, "mine": None}
        assert (await b.ask("PATCH", path, json=change | {"media": {"auto_download": {"1": "image"}}})).status == 200
        told = (await b.ask("GET", path)).json["settings"]["application"]
        assert (told["webhooks"]["url"], told["sent_status"]) == ("https://shop.example/hook", True)
        assert told["media"]["auto_download"] == ["image"] and "mine" not in told
        assert (await b.ask("PATCH", path, json={"webhooks": {"url": None}, "mine": None})).status == 200
        told = (await b.ask("GET", path)).json["settings"]["application"]
        assert told["webhooks"]["url"] == "" and told["mine"] is None

    trade(main, tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_body() -> None:
    async def main() -> None:
        async with front() as api:
            body = b'\xef\xbb\xbf{"to":"49123123456","text":{"body":"\xef\xbb\xbfhi"}}'
            assert (await api.send(data=body)).status == 201
            assert api.core.sent()[0].body.body == "\ufeffhi"
            assert (await api.send(data=b"\xef\xbb\xbf" * 2 + b"{}")).v1_code == 1025

    uvloop.run(main())


def test_a_compressed_body_is_refused_and_not_taken_for_a_file(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        headers = {"Authorization": f"Bearer {b.key}", "Content-Encoding": "gzip", "Content-Type": "image/jpeg"}
        for path in ("/v1/messages", "/v1/media", PHOTO):
            reply = await b.ask("POST", path, data=gzip.compress(JPEG), headers=headers)
            assert (reply.status, reply.v1_code) == (400, 1009) and "Content-Encoding" in reply.details
        identity = headers | {"Content-Encoding": "identity"}
        assert (await b.ask("POST", "/v1/media", data=JPEG, headers=identity)).status == 200

    trade(main, tmp_path)


def test_a_key_may_come_bare_in_the_header_of_a_vendor() -> None:
    async def main() -> None:
        async with front() as api:
            assert (await api.send(headers={"D360-API-KEY": KEY})).status == 201
            for wrong in ("", "  ", "nonsense", f"Bearer {KEY}", f"{KEY} {KEY}", "x" * 1_000):
                reply = await api.send(headers={"D360-Api-Key": wrong})
                assert (wrong, reply.status, reply.v1_code) == (wrong, 401, 1005)
            both = {"D360-API-KEY": KEY, "Authorization": "Bearer nonsense"}
            assert (await api.send(headers=both)).status == 401
            assert (await api.send(headers=AUTH | {"D360-API-KEY": "nonsense"})).status == 201

    uvloop.run(main())


def test_a_login_without_a_new_password_is_written_in_many_ways(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        headers = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
        for body in (b"", b" \n", b"null", b"{}", b'{"new_password":""}', b'{"new_password":null}'):
            reply = await b.ask("POST", "/v1/users/login", headers=headers, data=body)
            assert reply.status == 200 and reply.json["users"][0]["token"], body

    trade(main, tmp_path)


def test_a_login_that_sets_the_password_again_ends_no_token(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        async def status(token: str) -> int:
            return (await b.ask("GET", "/v1/users/admin", headers={"Authorization": f"Bearer {token}"})).status

        first = await b.token()
        again = await b.login(new_password=PASSWORD)
        assert again.status == 200
        assert await status(first) == await status(again.json["users"][0]["token"]) == 200
        assert (await b.login(new_password="Other-Pass-1")).status == 200
        async with asyncio.timeout(5):
            while await status(first) == 200:  # a front remembers it for half a second
                await asyncio.sleep(0.05)

    trade(main, tmp_path)


def test_a_password_beyond_ascii_may_come_in_either_charset(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        user = {"username": "joerg.smith", "password": "Größe-Straße-1"}
        assert (await b.ask("POST", "/v1/users", json=user)).status == 201
        for charset in ("utf-8", "latin-1"):
            for password, status in ((user["password"], 200), ("Größe-Straße-2", 401)):
                raw = f"{user['username']}:{password}".encode(charset)
                headers = {"Authorization": f"Basic {base64.b64encode(raw).decode()}"}
                assert (await b.ask("POST", "/v1/users/login", headers=headers)).status == status

    trade(main, tmp_path)


@pytest.mark.covers(f"POST {BUSINESS}", f"GET {BUSINESS}")
def test_a_profile_shows_every_field_and_null_leaves_one_as_it_is(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        async def profile() -> Any:
            return (await b.ask("GET", BUSINESS)).json["settings"]["business"]["profile"]

        empty = {"name": "", "address": "", "description": "", "email": "", "vertical": "", "websites": []}
        assert await profile() == empty
        change = {"address": "Main Street 1", "email": None, "description": None, "websites": None}
        assert (await b.ask("POST", BUSINESS, json=change)).status == 200
        assert await profile() == empty | {"address": "Main Street 1"}

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/media", "GET /v1/media/{id}")
@pytest.mark.covers(f"POST {PHOTO}", f"GET {PHOTO}")
def test_a_file_may_come_in_a_form(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        key = {"Authorization": f"Bearer {b.key}"}
        large = PDF + bytes(range(256)) * 4_000
        for file, mime, filename, kind in (
            (large, "application/pdf", "a.pdf", "application/pdf"),
            (PNG, None, "a.png", "image/png"),
            (PNG, "image/png", None, "image/png"),
            (b"\r\n--", None, "a", "application/octet-stream"),
        ):
            fields = {"messaging_product": "whatsapp", "type": "x"}
            reply = await b.ask("POST", "/v1/media", data=form(file, mime, filename, **fields), headers=key)
            assert reply.status == 200
            found = await b.ask("GET", f"/v1/media/{reply.json['media'][0]['id']}")
            assert (found.body, found.headers["content-type"]) == (file, kind)
        assert (await b.ask("POST", PHOTO, data=form(JPEG, "image/jpeg"), headers=key)).status == 200
        assert (await b.ask("GET", PHOTO)).body == JPEG

    trade(main, tmp_path)


def test_a_type_may_have_the_name_that_programs_give_it(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        headers = {"Authorization": f"Bearer {b.key}", "Content-Type": "image/jpg"}
        item = (await b.ask("POST", "/v1/media", data=JPEG, headers=headers)).json["media"][0]
        sent = await b.ask("POST", "/v1/messages", json={"to": CUSTOMER, "type": "image", "image": item})
        assert sent.status == 201
        assert (await b.ask("GET", f"/v1/media/{item['id']}")).headers["content-type"] == "image/jpeg"
        assert (await b.ask("POST", PHOTO, data=JPEG, headers=headers)).status == 200
        assert (await b.ask("GET", PHOTO)).headers["content-type"] == "image/jpeg"
        assert (await b.ask("POST", "/v1/media", data=PNG, headers=headers)).v1_code == 1009

    trade(main, tmp_path)


BAD_FORMS = {
    "no boundary": (b"multipart/form-data", b"--x\r\n\r\n\r\n--x--", 1009),
    "an endless boundary": (b"multipart/form-data; boundary=" + b"x" * 71, b"--x--", 1009),
    "a boundary of numbers": (b"multipart/form-data; boundary*" + b"9" * 5_000 + b"=x", b"--x--", 1009),
    "nothing": (b"multipart/form-data; boundary=x", b"", 1009),
    "the end alone": (b"multipart/form-data; boundary=x", b"--x--", 1008),
    "fields alone": (
        b"multipart/form-data; boundary=x",
        b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n--x--',
        1008,
    ),
    "cut": (
        b"multipart/form-data; boundary=x",
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n' + PNG,
        1009,
    ),
    "a head without end": (b"multipart/form-data; boundary=x", b"--x\r\n" + b"a: b\r\n" * 3_000, 1009),
    "numbers in the head": (
        b"multipart/form-data; boundary=x",
        b"--x\r\ncontent-disposition: form-data; filename*" + b"9" * 5_000 + b"=a\r\n\r\nb\r\n--x--",
        1009,
    ),
    "parts of a name": (
        b"multipart/form-data; boundary=x",
        b"--x\r\ncontent-disposition: form-data; filename*=a; filename*0=b\r\n\r\nb\r\n--x--",
        1009,
    ),
    "a long type": (b"multipart/form-data; boundary=x; a=" + b";" * 2_000, b"--x--", 1009),
    "a long head": (b"multipart/form-data; boundary=x", b"--x\r\na: " + b";" * 2_000 + b"\r\n\r\nb\r\n--x--", 1009),
    "many parts": (b"multipart/form-data; boundary=x", b"--x\r\na: b\r\n\r\n\r\n" * 40 + b"--x--", 1009),
    "too much before the file": (b"multipart/form-data; boundary=x", b"y" * 1_100_000 + b"\r\n--x--", 1009),
    "too much behind the file": (
        b"multipart/form-data; boundary=x",
        b'--x\r\ncontent-disposition: form-data; filename="a"\r\n\r\nb\r\n--x--' + b"y" * 1_100_000,
        1009,
    ),
}


@pytest.mark.covers("POST /v1/media", 1008, 1009)
def test_a_form_that_cannot_be_read_is_refused_and_nothing_kept(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        for name, (kind, body, code) in BAD_FORMS.items():
            headers = {"Authorization": f"Bearer {b.key}", "Content-Type": kind.decode()}
            reply = await b.ask("POST", "/v1/media", data=BytesIO(body), headers=headers)
            assert (name, reply.status, reply.json.get("errors", [{}])[0].get("code")) == (name, 400, code)
        async with asyncio.timeout(20):
            while b.world.relay.blobs.growing:
                await asyncio.sleep(0.01)
        assert not b.world.relay.blobs.kept

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/metrics")
@pytest.mark.covers("GET /v1/metrics", 1005, 1009)
def test_metrics_are_there_below_v1_too_as_json(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        told = await b.ask("GET", "/v1/metrics")
        assert told.status == 200 and told.json["metrics"]["corefast_api_core_up"]["data"][0]["value"] == 1
        text = await b.ask("GET", "/v1/metrics?format=prometheus")
        assert text.headers["content-type"].startswith("text/plain") and b"\ncorefast_api_core_up 1" in text.body
        assert (await b.ask("GET", "/v1/metrics", headers={})).v1_code == 1005
        assert (await b.ask("GET", "/v1/metrics?format=xml")).v1_code == 1009

    trade(main, tmp_path)


def test_the_place_where_balancers_look_is_the_page_that_people_read() -> None:
    async def main() -> None:
        async with front() as api:
            page = await api.ask("GET", "/", headers={})
            assert page.status == 200 and page.body == (await api.ask("GET", "/docs", headers={})).body

    uvloop.run(main())
