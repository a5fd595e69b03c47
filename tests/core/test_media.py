"""Media of a business: put once, named in messages, received, proved, kept for their time."""

import asyncio
import os
from hashlib import sha256

import pytest
from pytest import raises

from corefast.core.media.folder import Folder
from corefast.core.media.kind import check_head, check_kind, read_mime, sniff, sticker_flaw
from corefast.core.media.media import MEDIA_LIFE_MS
from corefast.endpoint.media import Opening, Sealing, is_mime
from corefast.errors import MediaTooLarge, MediaUnfit, RemoteRefused
from corefast.limits import BLOB_CHUNK_BYTES, BLOB_IDLE_MS, BLOB_LIFE_MS, BLOB_SLACK_MS
from corefast.wire.body import Attachment, MediaKind, Option, ReplyButtons, Text
from corefast.wire.content import Medium
from corefast.wire.event import EventKind
from corefast.wire.gateway import Done, GetMessage, Idempotency, Send
from corefast.wire.media import (
    DeleteMedia,
    DropMedia,
    FetchMedia,
    KeepMedia,
    MediaInfo,
    MediaRef,
    OpenMedia,
    PutMedia,
    ReadMedia,
)

from ..support import pictures
from ..support.pictures import JPEG, PNG
from .fake import Phone
from .world import BUSINESS, CUSTOMER, World, story

LARGE = b"%PDF-" + os.urandom(5 * BLOB_CHUNK_BYTES + 3)


async def put(world: World, data: bytes, mime: str = "image/jpeg") -> MediaInfo:
    number = (await world.front.call(OpenMedia(BUSINESS, mime))).number
    calls = [
        world.front.call(PutMedia(BUSINESS, number, at, data[at : at + BLOB_CHUNK_BYTES]))
        for at in range(0, len(data), BLOB_CHUNK_BYTES)
    ]
    await asyncio.gather(*calls)
    return (await world.front.call(KeepMedia(BUSINESS, number))).info


async def get(world: World, media_id: str) -> bytes:
    opened = await world.front.call(FetchMedia(BUSINESS, media_id))
    found = b""
    while True:
        part = await world.front.call(ReadMedia(BUSINESS, opened.number))
        found += part.data
        if part.is_last:
            return found


async def refusal(call) -> str:
    with raises(RemoteRefused) as caught:
        await call
    return caught.value.code


def send(world: World, body, **ref):
    return world.front.call(Send(BUSINESS, CUSTOMER, body, media=MediaRef(**ref) if ref else None))


def open_medium(world: World, medium: Medium) -> bytes:
    opening = Opening(medium)
    return opening.update(world.relay.blobs.kept[medium.blob]) + opening.finish()


def seal(data: bytes, mime: str = "image/jpeg") -> tuple[Medium, bytes]:
    sealing = Sealing(mime, os.urandom)
    blob = sealing.update(data) + sealing.finish()
    return sealing.medium, blob


async def met(world: World) -> Phone:
    """A phone that has a session with us."""
    await world.relay.until(lambda: bool(world.relay.registers))
    world.phone.meet(world.relay.bundle_of_business())
    return world.phone


async def fetched(world: World) -> None:
    """Return once nothing is left to be fetched."""
    while await world.business.context.media.load_wanted(1):
        await asyncio.sleep(0.01)


def receive(world: World, data: bytes, kind: MediaKind = MediaKind.IMAGE, mime: str = "image/jpeg", *, keep=True):
    """Let the customer send a medium; return it."""
    medium, blob = seal(data, mime)
    if keep:
        world.relay.blobs.kept[medium.blob] = blob
    body = Attachment(kind, "look", "../../etc/passwd")
    world.relay.deliver(world.phone.write(body, media=medium))
    return medium


# ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_encrypted_once_and_sent_to_anybody_by_its_id(tmp_path):
    async def main(world: World):
        info = await put(world, JPEG)
        assert (info.mime, info.size, info.sha256) == ("image/jpeg", len(JPEG), sha256(JPEG).hexdigest())
        assert len(world.relay.blobs.kept) == 1 and JPEG not in next(iter(world.relay.blobs.kept.values()))
        sent = [await send(world, Attachment(MediaKind.IMAGE, "look"), id=info.id) for _ in range(2)]
        await world.relay.until(lambda: len(world.relay.posts) == 2)
        for post in world.relay.posts:
            content = world.phone.read(post.parts[0])
            assert content.body == Attachment(MediaKind.IMAGE, "look")
            assert open_medium(world, content.media) == JPEG
        assert len(world.relay.blobs.kept) == 1 and world.relay.blobs.touched == []
        view = await world.view(sent[0].id)
        assert view.media == info and view.body == Attachment(MediaKind.IMAGE, "look")
        assert await get(world, info.id) == JPEG

    story(main, tmp_path)


def test_a_large_file_streams_both_ways_and_survives_a_restart(tmp_path):
    async def main(world: World):
        info = await put(world, LARGE, "application/pdf")
        await world.restart()
        assert await get(world, info.id) == LARGE
        assert list((tmp_path / "core" / "media" / "1").iterdir()) == []
        assert await world.front.call(DeleteMedia(BUSINESS, info.id)) == Done()
        assert await refusal(world.front.call(FetchMedia(BUSINESS, info.id))) == "media.unknown"
        assert await refusal(world.front.call(DeleteMedia(BUSINESS, info.id))) == "media.unknown"
        assert await refusal(send(world, Attachment(MediaKind.DOCUMENT), id=info.id)) == "media.unknown"

    story(main, tmp_path)


def test_neither_name_nor_key_nor_bytes_of_a_file_are_in_the_database_or_the_folder(tmp_path, engine):
    async def main(world: World):
        await put(world, JPEG)
        await met(world)
        received = receive(world, PNG, mime="image/png")
        await world.events(1, EventKind.MESSAGE)
        await fetched(world)
        await world.stop()
        content = engine.content(tmp_path / "core")
        kept = [path for path in (tmp_path / "core" / "media" / "1").iterdir()]
        assert len(kept) == 1 and kept[0].stat().st_mode & 0o077 == 0
        for secret in (JPEG[:40], PNG[:40], received.key, received.sha256, b"image/jpeg"):
            assert secret not in content
        await world.start()

    story(main, tmp_path)


@pytest.mark.one_engine
def test_an_upload_that_is_wrong_ends_at_both_sides(tmp_path):
    async def main(world: World):
        front = world.front
        for mime in ("", "image", "image/svg+xml", "image/jpeg\r\nX: y", "text/plain; a=" + "x" * 99, "../x"):
            assert await refusal(front.call(OpenMedia(BUSINESS, mime))) == "media.unfit"
        number = (await front.call(OpenMedia(BUSINESS, "image/png"))).number
        assert await refusal(front.call(PutMedia(BUSINESS, number, 0, JPEG))) == "media.unfit"
        assert await refusal(front.call(PutMedia(BUSINESS, number, 0, PNG))) == "media.unknown"
        number = (await front.call(OpenMedia(BUSINESS, "image/png"))).number
        assert await refusal(front.call(KeepMedia(BUSINESS, number))) == "media.unfit"
        number = (await front.call(OpenMedia(BUSINESS, "image/png"))).number
        assert await refusal(front.call(PutMedia(BUSINESS, number, 1, PNG))) == "parameter.invalid"
        dropped = (await front.call(OpenMedia(BUSINESS, "image/png"))).number
        await front.call(DropMedia(BUSINESS, dropped))
        idle = (await front.call(OpenMedia(BUSINESS, "image/png"))).number
        world.clock.now_ms += BLOB_IDLE_MS + 1
        await world.business.duties.round()
        assert await refusal(front.call(PutMedia(BUSINESS, idle, 0, PNG))) == "media.unknown"
        await world.relay.until(lambda: not world.relay.blobs.growing)
        assert world.relay.blobs.kept == {} and world.business.media._open == {}

    story(main, tmp_path)


@pytest.mark.one_engine
def test_a_medium_has_to_fit_the_message_that_names_it(tmp_path):
    async def main(world: World):
        jpeg = (await put(world, JPEG)).id
        small = (await put(world, pictures.webp(200, 200), "image/webp")).id
        sticker = (await put(world, pictures.webp(), "image/webp")).id
        buttons = ReplyButtons("choose", [Option("1", "one")])
        cases = [
            (Attachment(MediaKind.VIDEO), dict(id=jpeg), "media.unfit"),
            (Attachment(MediaKind.STICKER), dict(id=jpeg), "media.unfit"),
            (Attachment(MediaKind.STICKER), dict(id=small), "media.unfit"),
            (Attachment(MediaKind.IMAGE), dict(id=sticker), "media.unfit"),
            (Attachment(MediaKind.IMAGE), dict(id="../../etc/passwd"), "media.unknown"),
            (Attachment(MediaKind.IMAGE), dict(id="x\0y"), "media.unknown"),
            (Attachment(MediaKind.IMAGE), {}, "parameter.missing"),
            (Attachment(MediaKind.IMAGE), dict(provider="x"), "parameter.missing"),
            (Attachment(MediaKind.IMAGE), dict(id=jpeg, link="http://x"), "parameter.invalid"),
            (Attachment(MediaKind.IMAGE), dict(id=jpeg, provider="x"), "parameter.unneeded"),
            (Attachment(MediaKind.VOICE), dict(id=jpeg), "parameter.invalid"),
            (Attachment(MediaKind.STICKER, "caption"), dict(id=sticker), "parameter.unneeded"),
            (Attachment(MediaKind.AUDIO, "caption"), dict(id=jpeg), "parameter.unneeded"),
            (Attachment(MediaKind.IMAGE, "", "a.jpg"), dict(id=jpeg), "parameter.unneeded"),
            (Attachment(MediaKind.IMAGE, "x" * 1_025), dict(id=jpeg), "parameter.invalid"),
            (Attachment(MediaKind.DOCUMENT, "", "../a"), dict(id=jpeg), "parameter.invalid"),
            (Attachment(MediaKind.DOCUMENT, "", "a\0b"), dict(id=jpeg), "parameter.invalid"),
            (Attachment(MediaKind.DOCUMENT, "", "x" * 241), dict(id=jpeg), "parameter.invalid"),
            (Text("hi"), dict(id=jpeg), "parameter.unneeded"),
            (buttons, dict(id=jpeg), "parameter.invalid"),
            (buttons, dict(id=jpeg, kind="sticker"), "parameter.invalid"),
            (buttons, dict(id=jpeg, kind="video"), "media.unfit"),
            (ReplyButtons("b", [Option("1", "one")], "head"), dict(id=jpeg, kind="image"), "parameter.unneeded"),
        ]
        for body, ref, code in cases:
            assert (await refusal(send(world, body, **ref)), body) == (code, body)
        assert world.relay.posts == []
        await send(world, Attachment(MediaKind.STICKER), id=sticker)
        await send(world, Attachment(MediaKind.DOCUMENT, "c", "a.jpg"), id=jpeg)
        await send(world, buttons, id=jpeg, kind="image")
        await world.relay.until(lambda: len(world.relay.posts) == 3)

    story(main, tmp_path)


@pytest.mark.one_engine
def test_a_repeat_with_an_idempotency_key_looks_at_no_medium(tmp_path):
    async def main(world: World):
        info = await put(world, JPEG)
        key = Idempotency("scope", "key", b"f" * 32)
        message = Send(BUSINESS, CUSTOMER, Attachment(MediaKind.IMAGE), idempotency=key, media=MediaRef(info.id))
        first = await world.front.call(message)
        await world.front.call(DeleteMedia(BUSINESS, info.id))
        again = await world.front.call(message)
        assert again.id == first.id and again.replayed

    story(main, tmp_path)


def test_a_file_in_use_is_kept_at_the_relay_and_an_unused_one_is_forgotten(tmp_path):
    async def main(world: World):
        used, unused = await put(world, JPEG), await put(world, PNG, "image/png")
        world.clock.now_ms += BLOB_SLACK_MS
        await send(world, Attachment(MediaKind.IMAGE), id=used.id)
        await send(world, Attachment(MediaKind.IMAGE), id=used.id)
        assert len(world.relay.blobs.touched) == 1
        world.clock.now_ms += MEDIA_LIFE_MS - BLOB_SLACK_MS + 1
        assert await world.business.media.sweep() == 0
        assert await world.business.media.collect() == 1
        assert await refusal(world.front.call(FetchMedia(BUSINESS, unused.id))) == "media.unknown"
        assert await get(world, used.id) == JPEG
        world.relay.blobs.kept.clear()
        assert await refusal(send(world, Attachment(MediaKind.IMAGE), id=used.id)) == "media.unknown"
        assert await refusal(world.front.call(FetchMedia(BUSINESS, used.id))) == "media.unknown"

    story(main, tmp_path)


# ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_customer_sends_is_told_at_once_fetched_proved_and_read_from_here(tmp_path):
    async def main(world: World):
        await met(world)
        receive(world, JPEG)
        (event,) = await world.events(1, EventKind.MESSAGE)
        assert event.body == Attachment(MediaKind.IMAGE, "look", "../../etc/passwd")
        assert event.media == MediaInfo(event.media.id, "image/jpeg", sha256(JPEG).hexdigest(), len(JPEG))
        await fetched(world)
        (kept,) = (tmp_path / "core" / "media" / "1").iterdir()
        assert kept.stat().st_mtime_ns == world.clock.now_ms * 1_000_000
        world.relay.blobs.kept.clear()
        assert await get(world, event.media.id) == JPEG
        view = await world.front.call(GetMessage(BUSINESS, event.message_id))
        assert view.media == event.media
        await world.restart()
        assert await get(world, event.media.id) == JPEG
        assert (await world.events(1, EventKind.MESSAGE))[0] == event
        world.clock.now_ms += BLOB_LIFE_MS + 1
        assert await world.business.media.sweep() == 1
        assert list((tmp_path / "core" / "media" / "1").iterdir()) == []

    story(main, tmp_path)


def test_media_that_cannot_be_had_or_are_not_genuine_become_an_event(tmp_path):
    async def main(world: World):
        await met(world)
        receive(world, JPEG, keep=False)
        forged = receive(world, PNG, mime="image/png")
        world.relay.blobs.kept[forged.blob] = world.relay.blobs.kept[forged.blob][:-1] + b"x"
        messages = await world.events(2, EventKind.MESSAGE)
        failed = await world.events(2, EventKind.MEDIA_FAILED)
        assert {event.message_id for event in failed} == {event.message_id for event in messages}
        assert {event.peer for event in failed} == {CUSTOMER}
        codes = [await refusal(world.front.call(FetchMedia(BUSINESS, event.media.id))) for event in messages]
        assert codes == ["media.unknown", "media.damaged"]
        assert list((tmp_path / "core" / "media" / "1").iterdir()) == []

    story(main, tmp_path)


@pytest.mark.one_engine
def test_a_download_that_was_interrupted_goes_on_after_a_restart(tmp_path):
    async def main(world: World):
        await met(world)
        world.business.media.downloads.want = lambda ids: None
        world.business.inbound.on_media = lambda ids: None
        receive(world, JPEG)
        await world.events(1, EventKind.MESSAGE)
        (tmp_path / "core" / "media" / "1").mkdir(parents=True, exist_ok=True)
        (tmp_path / "core" / "media" / "1" / "tmpabc.part").write_bytes(b"half")
        await world.restart()
        await fetched(world)
        (kept,) = (tmp_path / "core" / "media" / "1").iterdir()
        assert kept.suffix != ".part"

    story(main, tmp_path)


@pytest.mark.one_engine
def test_a_kind_that_is_not_downloaded_is_told_without_being_fetched(tmp_path):
    async def main(world: World):
        await met(world)
        world.business.context.auto_download = frozenset({MediaKind.VOICE})
        receive(world, JPEG)
        (event,) = await world.events(1, EventKind.MESSAGE)
        assert not event.media.is_ready
        assert world.relay.blobs.reads == []
        view = await world.front.call(GetMessage(BUSINESS, event.message_id))
        assert view.media == event.media
        assert await refusal(world.front.call(FetchMedia(BUSINESS, event.media.id))) == "media.unknown"

    story(main, tmp_path)


@pytest.mark.one_engine
def test_a_medium_without_a_sound_description_is_an_unreadable_message(tmp_path):
    async def main(world: World):
        await met(world)
        good, _ = seal(JPEG)
        wrong = [
            None,
            Medium(b"../../etc/passwd", good.key, good.size, good.mime, good.sha256),
            Medium(good.blob, b"short", good.size, good.mime, good.sha256),
            Medium(good.blob, good.key, 10**12, good.mime, good.sha256),
            Medium(good.blob, good.key, good.size, "image/jpeg\r\nset-cookie: a", good.sha256),
            Medium(good.blob, good.key, good.size, good.mime, b""),
        ]
        for medium in wrong:
            world.relay.deliver(world.phone.write(Attachment(MediaKind.IMAGE), media=medium))
        await world.events(len(wrong), EventKind.UNREADABLE)
        assert world.relay.blobs.reads == []
        world.relay.deliver(world.phone.write(Text("with a broken one"), media=wrong[1]))
        (event,) = await world.events(1, EventKind.MESSAGE)
        assert event.media is None

    story(main, tmp_path)


@pytest.mark.one_engine
def test_no_call_waits_for_the_disk_on_which_a_file_is_kept_or_read(tmp_path, monkeypatch):
    """The disk stands still until the loop has answered somebody: on the loop it would do so for ever."""
    calls = []

    async def main(world: World):
        await met(world)
        loop = asyncio.get_running_loop()

        def slow(function):
            def stand_still(*args, **options):
                calls.append(function.__name__)
                asyncio.run_coroutine_threadsafe(answered(), loop).result(5)
                return function(*args, **options)

            stand_still.__name__ = function.__name__
            return stand_still

        class SlowFile:
            def __init__(self, file):
                self.file = file
                self.close = file.close

            def __getattr__(self, name):
                return slow(getattr(self.file, name))

        async def answered():
            await world.front.call(GetMessage(BUSINESS, sent.id))

        def begin(folder):
            file, part = begin_at_once(folder)
            return SlowFile(file), part

        def open_slowly(folder, name):
            file = open_at_once(folder, name)
            return file and SlowFile(file)

        open_at_once, begin_at_once = Folder.open, Folder.begin
        open_slowly.__name__ = "open"

        sent = await world.send("before")
        monkeypatch.setattr(Folder, "open", slow(open_slowly))
        monkeypatch.setattr(Folder, "begin", slow(begin))
        for name in ("finish", "remove", "sweep", "load"):
            monkeypatch.setattr(Folder, name, slow(getattr(Folder, name)))
        receive(world, JPEG)
        (event,) = await world.events(1, EventKind.MESSAGE)
        await fetched(world)
        world.relay.blobs.kept.clear()
        assert await get(world, event.media.id) == JPEG
        await world.business.media.sweep()
        await world.front.call(DeleteMedia(BUSINESS, event.media.id))
        await world.business.media.load()
        assert set(calls) == {*"open begin finish remove sweep load read writelines seek flush fileno".split()}

    story(main, tmp_path)


@pytest.mark.one_engine
def test_the_folder_of_received_media_stays_within_its_size(tmp_path):
    async def main(world: World):
        await met(world)
        world.business.media._files._folder.limit = 5 * len(JPEG) // 2
        for number in range(4):
            receive(world, JPEG + bytes([number]))
        events = await world.events(4, EventKind.MESSAGE)
        await fetched(world)
        assert len(list((tmp_path / "core" / "media" / "1").iterdir())) == 2
        for number, event in enumerate(events):
            assert await get(world, event.media.id) == JPEG + bytes([number])
        world.business.media._files._folder.limit = 1
        for number, event in enumerate(events):
            assert await get(world, event.media.id) == JPEG + bytes([number])
        assert len(list((tmp_path / "core" / "media" / "1").iterdir())) == 1

    story(main, tmp_path)


# ── types ──────────────────────────────────────────────────────────────────────────────────────────────────────────

HEADS = {
    "image/jpeg": pictures.JPEG,
    "image/png": pictures.PNG,
    "image/webp": pictures.webp(),
    "video/mp4": pictures.MP4,
    "video/3gpp": pictures.M3GP,
    "audio/ogg": pictures.OPUS,
    "audio/mpeg": pictures.MP3,
    "audio/aac": pictures.AAC,
    "audio/amr": pictures.AMR,
    "audio/mp4": pictures.MP4,
    "application/pdf": pictures.PDF,
}


@pytest.mark.parametrize("mime", HEADS)
def test_a_type_is_borne_out_by_the_first_bytes(mime):
    check_head(mime, HEADS[mime])
    for other in HEADS.values():
        if mime not in sniff(other):
            with raises(MediaUnfit):
                check_head(mime, other)


def test_a_type_is_written_plainly_or_refused():
    assert read_mime("Audio/OGG;codecs=opus") == "audio/ogg; codecs=opus"
    assert read_mime("application/vnd.ms-excel") == "application/vnd.ms-excel"
    assert read_mime("image/JPG") == "image/jpeg" and read_mime("audio/mp3; x=y") == "audio/mpeg; x=y"
    check_head("text/plain", b"anything")
    for text in (
        "",
        "a",
        "a/",
        "/b",
        "a/b/c",
        "a/b;",
        "a/b; c",
        "a\n/b",
        "a/b; c=d; e=f; g=h",
        "ä/b",
        "x" * 200 + "/a",
    ):
        with raises(MediaUnfit):
            read_mime(text)
        assert not is_mime(text)
    with raises(MediaUnfit, match="Opus"):
        check_head("audio/ogg", pictures.VORBIS)
    with raises(MediaUnfit, match="scripts"):
        read_mime("image/svg+xml; charset=utf-8")


def test_a_kind_has_its_types_and_its_size():
    def medium(mime: str, size: int) -> Medium:
        return Medium(b"", b"", size, mime, b"")

    check_kind(MediaKind.IMAGE, medium("image/png", 5_242_880))
    check_kind(MediaKind.AUDIO, medium("audio/ogg; codecs=opus", 1))
    check_kind(MediaKind.DOCUMENT, medium("text/csv", 104_857_600))
    for kind, mime, size in (
        (MediaKind.IMAGE, "image/png", 5_242_881),
        (MediaKind.VIDEO, "video/mp4", 16_777_217),
        (MediaKind.AUDIO, "audio/mpeg", 16_777_217),
        (MediaKind.DOCUMENT, "text/csv", 104_857_601),
        (MediaKind.STICKER, "image/webp", 512_001),
    ):
        with raises(MediaTooLarge):
            check_kind(kind, medium(mime, size))
    with raises(MediaUnfit):
        check_kind(MediaKind.IMAGE, medium("image/webp", 1))


def test_a_sticker_has_512_pixels_and_100_kilobytes_unless_it_moves():
    assert sticker_flaw(pictures.webp(), 102_400) == ""
    assert "at most" in sticker_flaw(pictures.webp(), 102_401)
    assert sticker_flaw(pictures.webp(moves=True), 500_000) == ""
    assert "pixels" in sticker_flaw(pictures.webp(512, 511), 1)
    assert "pixels" in sticker_flaw(b"RIFF\0\0\0\0WEBPVP8X", 1)
    lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + (511 | 511 << 14).to_bytes(4, "little")
    assert sticker_flaw(lossless, 1) == ""
    lossy = b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + (512).to_bytes(2, "little") * 2
    assert sticker_flaw(lossy, 1) == ""


@pytest.mark.one_engine
def test_a_file_that_the_disk_has_spoiled_is_fetched_again(tmp_path):
    async def main(world: World):
        await met(world)
        receive(world, JPEG)
        (event,) = await world.events(1, EventKind.MESSAGE)
        await fetched(world)
        (kept,) = (tmp_path / "core" / "media" / "1").iterdir()
        kept.write_bytes(kept.read_bytes()[:-1])
        assert await refusal(get(world, event.media.id)) == "media.damaged"
        assert await get(world, event.media.id) == JPEG

    story(main, tmp_path)


@pytest.mark.one_engine
def test_more_media_than_are_remembered_at_a_time_are_fetched_all(tmp_path, monkeypatch):
    monkeypatch.setattr("corefast.core.media.download.MAX_QUEUED", 2)

    async def main(world: World):
        await met(world)
        for _ in range(7):
            receive(world, JPEG)
        await world.events(7, EventKind.MESSAGE)
        async with asyncio.timeout(20):
            await fetched(world)
        assert len(list((tmp_path / "core" / "media" / "1").iterdir())) == 7

    story(main, tmp_path)
