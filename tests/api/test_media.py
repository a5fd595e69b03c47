"""/v1/media, and media in messages, webhooks and look-ups: a real front over a real core."""

import asyncio
import os
import re
from hashlib import sha256

import pytest

from api.saying import base_name
from api.webhooks.bodies import encode_body
from corefast.endpoint.media import Opening, Sealing
from corefast.limits import MAX_BODY_BYTES, MAX_MEDIA_BYTES
from corefast.wire.body import Attachment, MediaKind
from corefast.wire.event import Event, EventKind, ReadEvents
from corefast.wire.media import MediaInfo

from ..core.world import BUSINESS, CUSTOMER
from ..support import pictures
from ..support.pictures import JPEG, PDF
from .real import Business, trade

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def put(business: Business, data, mime: str = "image/jpeg"):
    headers = {"Authorization": f"Bearer {business.key}", "Content-Type": mime}
    return await business.ask("POST", "/v1/media", data=data, headers=headers)


async def send(business: Business, **message):
    return await business.ask("POST", "/v1/messages", json={"to": CUSTOMER} | message)


@pytest.mark.covers("DELETE /v1/media/{id}", "GET /v1/media/{id}", "POST /v1/media")
@pytest.mark.covers("DELETE /v1/media/{id}", 1006)
def test_a_file_is_put_as_bytes_got_back_and_deleted(tmp_path):
    async def main(business: Business):
        data = b"%PDF-" + os.urandom(3 * MAX_BODY_BYTES)
        answer = await put(business, data, "application/pdf")
        (item,) = answer.json["media"]
        assert answer.status == 200 and UUID.fullmatch(item["id"]) and answer.json["meta"]
        got = await business.ask("GET", f"/v1/media/{item['id']}")
        assert got.status == 200 and got.body == data
        assert got.headers["content-type"] == "application/pdf"
        assert got.headers["content-length"] == str(len(data))
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-disposition"] == f'attachment; filename="{item["id"]}.pdf"'
        assert "sandbox" in got.headers["content-security-policy"]
        head = await business.ask("HEAD", f"/v1/media/{item['id']}")
        assert head.status == 200 and head.body == b"" and head.headers["content-length"] == str(len(data))

        async def pieces():
            for at in range(0, len(data), 10_000):
                yield data[at : at + 10_000]

        chunked = (await put(business, pieces(), "application/pdf")).json["media"][0]["id"]
        assert (await business.ask("GET", f"/v1/media/{chunked}")).body == data
        gone = await business.ask("DELETE", f"/v1/media/{item['id']}")
        assert gone.status == 200 and "errors" not in gone.json
        assert (await business.ask("DELETE", f"/v1/media/{item['id']}")).v1_code == 1006
        missing = await business.ask("GET", f"/v1/media/{item['id']}")
        assert (missing.status, missing.body) == (404, b"")

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/media", 1008, 1009)
def test_a_file_that_is_not_what_it_says_is_refused(tmp_path):
    async def main(business: Business):
        cases = [
            (b"", "image/jpeg", 1009),
            (JPEG, "image/png", 1009),
            (pictures.SVG, "image/svg+xml", 1009),
            (pictures.SVG, "image/jpeg", 1009),
            (b"<html>", "image/png", 1009),
            (JPEG, "nonsense", 1009),
        ]
        for data, mime, code in cases:
            answer = await put(business, data, mime)
            assert (answer.status, answer.v1_code, mime) == (400, code, mime)
        headers = {"Authorization": f"Bearer {business.key}"}
        untyped = {"headers": headers, "skip_auto_headers": ["content-type"]}
        assert (await business.ask("POST", "/v1/media", data=JPEG, **untyped)).v1_code == 1008
        assert not business.world.relay.blobs.kept

    trade(main, tmp_path)


@pytest.mark.covers("DELETE /v1/media/{id}", "GET /v1/media/{id}", 1005, 1006)
@pytest.mark.covers("POST /v1/media", 1005)
def test_paths_that_are_no_ids_find_nothing(tmp_path):
    async def main(business: Business):
        for path in ("..%2f..%2fetc%2fpasswd", "%00", "x" * 300, "5d1f0c3e-7a44-4a63-9c1f-0b6f4d2a9e11"):
            for method in ("GET", "DELETE"):
                assert (await business.ask(method, f"/v1/media/{path}")).status == 404
        for method, path in (("GET", "/v1/media/x"), ("DELETE", "/v1/media/x"), ("POST", "/v1/media")):
            without = await business.ask(method, path, headers={})
            assert (without.status, without.v1_code) == (401, 1005)
        assert (await business.ask("PUT", "/v1/media/x")).status == 405

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/media", 1009)
def test_a_file_that_is_too_large_is_refused_before_it_comes_and_while_it_does(tmp_path, monkeypatch):
    async def main(business: Business):
        reader, writer = await asyncio.open_connection("127.0.0.1", business.port)
        head = f"POST /v1/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {business.key}\r\n"
        head += f"Content-Type: image/jpeg\r\nContent-Length: {MAX_MEDIA_BYTES + 1}\r\n\r\n"
        writer.write(head.encode())
        assert (await reader.readline()).split()[1] == b"413"
        writer.close()
        monkeypatch.setattr("corefast.core.media.writer.MAX_MEDIA_BYTES", 100_000)
        monkeypatch.setattr("corefast.core.media.writer.Writer.open.__func__.__defaults__", (100_000,))
        answer = await put(business, JPEG + bytes(200_000))
        assert (answer.status, answer.v1_code) == (400, 1009)
        await business.world.relay.until(lambda: not business.world.relay.blobs.growing)

    trade(main, tmp_path)


def test_a_client_that_hangs_up_leaves_nothing_behind(tmp_path):
    async def main(business: Business):
        reader, writer = await asyncio.open_connection("127.0.0.1", business.port)
        head = f"POST /v1/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {business.key}\r\n"
        writer.write((head + "Content-Type: image/jpeg\r\nContent-Length: 900000\r\n\r\n").encode() + JPEG * 100)
        relay = business.world.relay
        while not relay.blobs.growing:
            await asyncio.sleep(0.01)
        writer.close()
        while relay.blobs.growing:
            await asyncio.sleep(0.01)
        assert business.world.business.media._open == {} and not relay.blobs.kept

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/messages/{id}", "POST /v1/media", "POST /v1/messages")
def test_each_type_of_medium_is_sent_by_id_and_looked_up(tmp_path):
    async def main(business: Business):
        cases = {
            "image": (JPEG, "image/jpeg", {"caption": "look"}),
            "video": (pictures.MP4, "video/mp4", {"caption": "look"}),
            "audio": (pictures.OPUS, "audio/ogg; codecs=opus", {}),
            "document": (PDF, "application/pdf", {"caption": "look", "filename": "Invoice 1.pdf"}),
            "sticker": (pictures.webp(), "image/webp", {}),
        }
        for count, (kind, (data, mime, more)) in enumerate(cases.items(), 1):
            media_id = (await put(business, data, mime)).json["media"][0]["id"]
            sent = await send(business, type=kind, **{kind: {"id": media_id} | more})
            assert sent.status == 201, sent.json
            await business.world.relay.until(lambda count=count: len(business.world.relay.posts) == count)
            content = business.world.phone.read(business.world.relay.posts[-1].parts[0])
            assert content.body == Attachment(MediaKind(kind), more.get("caption", ""), more.get("filename", ""))
            opening = Opening(content.media)
            assert opening.update(business.world.relay.blobs.kept[content.media.blob]) + opening.finish() == data
            view = await business.ask("GET", f"/v1/messages/{sent.json['messages'][0]['id']}")
            (message,) = view.json["messages"]
            told = {"id": media_id, "mime_type": mime, "sha256": sha256(data).hexdigest()} | more
            assert message["type"] == kind and message[kind] == told

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/messages/{id}", "POST /v1/media", "POST /v1/messages")
@pytest.mark.covers("POST /v1/messages", 1006, 1008, 1009)
def test_buttons_may_have_a_medium_above_them(tmp_path):
    async def main(business: Business):
        media_id = (await put(business, JPEG)).json["media"][0]["id"]
        button = {"type": "reply", "reply": {"id": "1", "title": "Yes"}}
        interactive = {"type": "button", "body": {"text": "Well?"}, "action": {"buttons": [button]}}
        header = {"type": "image", "image": {"id": media_id}}
        sent = await send(business, type="interactive", interactive=interactive | {"header": header})
        assert sent.status == 201, sent.json
        view = (await business.ask("GET", f"/v1/messages/{sent.json['messages'][0]['id']}")).json["messages"][0]
        assert view["interactive"]["header"]["image"]["id"] == media_id
        wrong = [
            ({"type": "image"}, 1008),
            ({"type": "image", "image": {}}, 1008),
            ({"type": "video", "video": {"id": media_id}}, 1009),
            ({"type": "audio", "audio": {"id": media_id}}, 1009),
            ({"type": "image", "image": {"id": "none"}}, 1006),
        ]
        for header, code in wrong:
            answer = await send(business, type="interactive", interactive=interactive | {"header": header})
            assert (answer.v1_code, header) == (code, header)
        listed = {"type": "list", "body": {"text": "x"}, "header": {"type": "image", "image": {"id": media_id}}}
        listed["action"] = {"button": "open", "sections": [{"rows": [{"id": "1", "title": "a"}]}]}
        assert (await send(business, type="interactive", interactive=listed)).v1_code == 1009

    trade(main, tmp_path)


@pytest.mark.covers("POST /v1/media")
@pytest.mark.covers("POST /v1/messages", 1006, 1008, 1009, 1010)
def test_a_message_names_one_medium_that_there_is(tmp_path):
    async def main(business: Business):
        media_id = (await put(business, JPEG)).json["media"][0]["id"]
        cases = [
            ({"type": "image"}, 400, 1008),
            ({"type": "image", "image": {}}, 400, 1008),
            ({"type": "image", "image": {"id": media_id, "link": "https://example.com/x"}}, 400, 1009),
            ({"type": "image", "image": {"id": "5d1f0c3e-7a44-4a63-9c1f-0b6f4d2a9e11"}}, 404, 1006),
            ({"type": "video", "video": {"id": media_id}}, 400, 1009),
            ({"type": "document", "document": {"id": media_id, "filename": "../x"}}, 400, 1009),
            ({"type": "document", "document": {"id": media_id, "filename": "a\u0000b"}}, 400, 1009),
            ({"type": "audio", "audio": {"id": media_id, "caption": "x"}}, 400, 1010),
            ({"type": "image", "image": {"link": "http://127.0.0.1/x"}}, 400, 1009),
            ({"type": "image", "image": {"link": "file:///etc/passwd"}}, 400, 1009),
            ({"type": "image", "image": {"link": "https://x.example", "provider": {"name": "none"}}}, 400, 1009),
        ]
        for message, status, code in cases:
            answer = await send(business, **message)
            assert (answer.status, answer.v1_code, message) == (status, code, message)
        assert business.world.relay.posts == []

    trade(main, tmp_path)


@pytest.mark.covers("GET /v1/media/{id}", "GET /v1/messages/{id}")
def test_the_webhook_of_a_medium_has_its_id_type_hash_caption_and_name(tmp_path):
    async def main(business: Business):
        world = business.world
        await world.relay.until(lambda: bool(world.relay.registers))
        world.phone.meet(world.relay.bundle_of_business())
        sealing = Sealing("audio/ogg; codecs=opus", os.urandom)
        blob = sealing.update(pictures.OPUS) + sealing.finish()
        world.relay.blobs.kept[sealing.medium.blob] = blob
        world.relay.deliver(world.phone.write(Attachment(MediaKind.VOICE), media=sealing.medium))
        (event,) = (await world.front.call(ReadEvents(BUSINESS, wait_ms=2_000))).events
        body = await business.ask("GET", "/v1/events")
        (told,) = body.json["events"][0]["body"]["messages"]
        assert told["type"] == "voice"
        assert told["voice"] == {
            "id": event.media.id,
            "mime_type": "audio/ogg; codecs=opus",
            "sha256": sha256(pictures.OPUS).hexdigest(),
        }
        got = await business.ask("GET", f"/v1/media/{told['voice']['id']}")
        assert got.body == pictures.OPUS and got.headers["content-type"] == "audio/ogg; codecs=opus"
        view = await business.ask("GET", f"/v1/messages/{told['id']}")
        assert view.json["messages"][0]["voice"] == told["voice"]

    trade(main, tmp_path)


INFO = MediaInfo("5d1f0c3e-7a44-4a63-9c1f-0b6f4d2a9e11", "image/jpeg", "ab" * 32, 7)


def test_a_medium_that_was_not_fetched_has_a_status_in_place_of_its_id():
    info = MediaInfo(INFO.id, INFO.mime, INFO.sha256, INFO.size, is_ready=False)
    event = Event("evt_1", 0, 1, EventKind.MESSAGE, 1_000, CUSTOMER, "ABGG", Attachment(MediaKind.IMAGE), media=info)
    body = encode_body(event).decode()
    assert '"image":{"mime_type":"image/jpeg","sha256":"' + "ab" * 32 + '","status":"undownloaded"}' in body
    assert INFO.id not in body


def test_a_medium_that_cannot_be_had_is_error_400():
    event = Event("evt_1", 0, 1, EventKind.MEDIA_FAILED, 1_000, CUSTOMER, "ABGGx")
    body = encode_body(event).decode()
    assert body.startswith('{"errors":[{"code":400,') and '"title":"Media download error"' in body and "ABGGx" in body


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.pdf", "a.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.pdf", "a.pdf"),
        ("..", ""),
        ("a\r\nb\0c", "abc"),
        ("/", ""),
        ("\u202efdp.exe", "fdp.exe"),
    ],
)
def test_a_customers_name_of_a_file_leads_nowhere(name, told):
    assert base_name(name) == told
    event = Event("e", 0, 1, EventKind.MESSAGE, 1, CUSTOMER, "A", Attachment(MediaKind.DOCUMENT, "", name), media=INFO)
    assert (f'"filename":"{told}"' in encode_body(event).decode()) == bool(told)
