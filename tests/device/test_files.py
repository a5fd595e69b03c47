"""Pictures and other files between phones: what arrives is what was sent, or nothing."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from corefast.device import Device, MessageReceived, MessageSent, Ready, encode_id
from corefast.device.file import kind_of, mime_of, name_of
from corefast.device.line import fields_of
from corefast.device.typed import attachment_of, file_of
from corefast.errors import LinkLost, MediaDamaged, ParameterInvalid, RemoteRefused
from corefast.wire.body import Attachment, MediaKind, ReplyButtons, Template
from corefast.wire.content import Medium
from tests.device.kinds import BUTTONS, TEMPLATE
from tests.device.world import Watched, World, run

MEDIUM = Medium(bytes(32), bytes(32), 5, "image/png", bytes(32))


def received(body, media=MEDIUM):
    return MessageReceived(1, "493023125000", bytes(16), body, 0, media=media)


def test_a_file_arrives_as_it_was_sent_also_on_our_other_phone_and_by_json_lines(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            await alice.until(Ready)
            tablet = Watched(await Device.link(w.home("tablet"), (await alice.device.offer_link()).code))
            try:
                await tablet.until(Ready)
                await talk(w, alice, tablet)
            finally:
                await tablet.device.close()

    async def talk(w, alice, tablet):
        phone = await w.phone(w.bob)
        await phone.until("ready")
        picture, words = os.urandom(200_000), os.urandom(1)
        (tmp_path / "boat.png").write_bytes(picture)
        (tmp_path / "a note.txt").write_bytes(words)
        sent = await alice.device.send_file(w.bob, tmp_path / "boat.png")
        again = await alice.device.send_file(w.bob, tmp_path / "boat.png", message_id=sent)
        assert again == sent
        line = await phone.until("message", type="image")
        assert (
            line["image"].items() >= {"mime_type": "image/png", "size": 200_000}.items() and "key" not in line["image"]
        )
        phone.say(save={"message": line["id"], "from": w.alice, "path": str(tmp_path / "got.png")})
        for _ in range(2):
            saved = await phone.until("saved", id=line["id"])
            phone.say(save={"message": line["id"], "from": w.alice, "path": str(tmp_path / "got.png")})
        assert saved["path"] == str(tmp_path / "got (1).png")
        assert (tmp_path / "got.png").read_bytes() == (tmp_path / "got (1).png").read_bytes() == picture
        assert stat.S_IMODE((tmp_path / "got.png").stat().st_mode) == 0o600
        [copy] = await tablet.until(MessageSent)
        assert (await tablet.device.save_file(copy, tmp_path / "copy.png")).read_bytes() == picture
        phone.say(
            to=w.alice, document={"path": str(tmp_path / "a note.txt"), "caption": "read it", "filename": "n.txt"}
        )
        [note] = await alice.until(MessageReceived)
        assert note.body == Attachment(MediaKind.DOCUMENT, "read it", "n.txt") and note.media.mime == "text/plain"
        (tmp_path / "folder").mkdir()
        assert (await alice.device.save_file(note, tmp_path / "folder")) == tmp_path / "folder" / "n.txt"
        assert (tmp_path / "folder" / "n.txt").read_bytes() == words
        for facts in ({"message": encode_id(bytes(16)), "from": w.alice}, {"message": line["id"], "from": w.eve}):
            phone.say(save=facts)
            assert (await phone.until("error"))["code"] == "message.unknown"
        await phone.kill()
        await refuse(alice.device, note)

    async def refuse(device, note):
        """Nothing is left of a file that is not the one that was announced, or is not there."""
        before = sorted(tmp_path.rglob("*"))
        for change, error in (
            ({"blob": bytes(32)}, RemoteRefused),
            ({"key": bytes(32)}, MediaDamaged),
            ({"sha256": bytes(32)}, MediaDamaged),
            ({"size": 2}, MediaDamaged),
        ):
            medium = msgspec.structs.replace(note.media, **change)
            with pytest.raises(error):
                await device.save_file(msgspec.structs.replace(note, media=medium), tmp_path / "x")
        for path in (tmp_path / "none" / "x", Path("/proc/x")):
            with pytest.raises(ParameterInvalid, match="cannot be written"):
                await device.save_file(note, path)
        for path in (tmp_path / "none", tmp_path / "folder"):
            with pytest.raises(ParameterInvalid, match="cannot be read"):
                await device.send_file("493023125000", path)
        with pytest.raises(ParameterInvalid, match="no file"):
            await device.save_file(msgspec.structs.replace(note, media=None), tmp_path)
        assert sorted(path for path in tmp_path.rglob("*") if "home" not in str(path)) == before

    run(main)


def test_an_offline_phone_says_that_it_cannot_send_or_save_a_file(tmp_path):
    async def main():
        device = await Device.open(tmp_path / "home", None, "99910000001")
        (tmp_path / "good").write_bytes(b"x")
        with pytest.raises(ParameterInvalid, match="MIME"):
            await device.send_file("493023125000", tmp_path / "good", mime="Image/PNG\r\n")
        with pytest.raises(LinkLost):
            await device.send_file("493023125000", tmp_path / "good")
        with pytest.raises(LinkLost):
            await device.save_file(received(Attachment(MediaKind.IMAGE)), tmp_path)
        await device.close()

    run(main)


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("bill.pdf", "bill.pdf"),
        ("../../.ssh/authorized_keys", "authorized_keys"),
        ("C:\\temp\\a.exe", "a.exe"),
        ("..", "image-00000000.png"),
        (".bashrc", "bashrc"),
        ("", "image-00000000.png"),
        ("a\x1b[2J\nb\u202egnp.exe", "a_2J_b_gnp.exe"),
        ("x" * 300 + ".pdf", "x" * 96 + ".pdf"),
        ("~", "_"),
    ],
)
def test_a_name_that_somebody_else_gave_stays_in_the_folder(filename, name):
    assert name_of(received(Attachment(MediaKind.DOCUMENT, "", filename)), MEDIUM) == name


def test_kinds_follow_from_names_and_types():
    for path, kind in (
        ("a.jpg", "image"),
        ("a.webp", "sticker"),
        ("a.mp4", "video"),
        ("a.mp3", "audio"),
        ("a", "document"),
    ):
        assert kind_of(mime_of(Path(path))) == kind
    assert attachment_of(Path("x/a.pdf"), "c") == Attachment(MediaKind.DOCUMENT, "c", "a.pdf")
    assert attachment_of(Path("a.png"), "c") == Attachment(MediaKind.IMAGE, "c")
    for typed, path, caption in (
        ("a.png", "a.png", ""),
        ("a.png our boat", "a.png", "our boat"),
        ('"my boat.png" our boat', "my boat.png", "our boat"),
        ("'my boat.png'", "my boat.png", ""),
    ):
        assert file_of(typed) == (Path(path), caption)
    with pytest.raises(ParameterInvalid):
        file_of("")


def test_a_file_is_told_without_its_key_also_in_a_header():
    facts = {"mime_type": "image/png", "sha256": "00" * 32, "size": 5}
    for body, fields in (
        (Attachment(MediaKind.IMAGE, "a boat"), {"type": "image", "image": {"caption": "a boat"} | facts}),
        (ReplyButtons("?", BUTTONS.buttons), {"header": {"type": "image", "image": facts}}),
        (Template("n", "en", "b"), {"media": facts}),
    ):
        told = fields_of(received(body))
        assert fields.items() <= (told if "type" in fields else told[told["type"]]).items()
    assert fields_of(received(TEMPLATE, None))["template"].get("media") is None
