"""What people see: words, ticks, and nothing that steers their terminal."""

import asyncio
import io

import pytest
from rich.console import Console

from corefast.device.config import PhoneConfig, home_of
from corefast.device.echo import echo_id
from corefast.device.event import (
    DevicesNews,
    IdentityNews,
    LinkFailed,
    LinkOffered,
    MessageReceived,
    MessageSent,
    Offline,
    ReadElsewhere,
    Ready,
    Safety,
    StatusChanged,
    Stopped,
    Unreadable,
)
from corefast.device.name import decode_id, encode_id
from corefast.device.profile import unix_ms
from corefast.device.terminal import Terminal
from corefast.device.view import printable
from corefast.errors import ParameterInvalid
from corefast.wire.body import Text
from corefast.wire.messages import ListedDevice

CODE = "corefast-link://127.0.0.1:4460/#" + "A" * 43 + "." + "B" * 22 + "." + "C" * 43
ALICE, BOB = "99910000001", "493023125000"


class Sent:
    """A device that remembers what it was told to send."""

    number = ALICE

    def __init__(self):
        self.sent = []
        self.accepted = []

    @property
    def texts(self):
        return [(to, body.body) for to, body, _ in self.sent]

    async def send(self, to, body, *, reply_to=None):
        self.sent.append((to, body, reply_to))
        return bytes(16)

    async def safety(self, number):
        return Safety(BOB, " ".join(f"{group:05}" for group in range(12)), "h4sh", bool(self.accepted))

    async def accept_identity(self, number):
        self.accepted.append(number)

    device = 1

    async def offer_link(self):
        return LinkOffered(CODE, unix_ms() + 600_000)

    async def devices(self):
        return [ListedDevice(1, 1_800_000_000_000), ListedDevice(2, 0)]

    async def unlink(self, device):
        self.unlinked = device
        return [ListedDevice(1, 0)]


def terminal():
    device = Sent()
    return Terminal(device, has_echo=False, console=Console(file=io.StringIO(), width=200)), device


def shown(face):
    return face._console.file.getvalue()


def test_devices_are_linked_listed_and_unlinked_by_words(tmp_path):
    face, device = terminal()

    async def main():
        for line in ("/link", "/devices", "/unlink 2", "/unlink two", "/unlink -1", "/unlink \u0663"):
            await face._try(line)

    asyncio.run(main())
    lines = shown(face)
    assert CODE in lines.splitlines() and "█" in lines
    assert "1  (first)  last here 2027-01-15  this one" in lines
    assert device.unlinked == 2 and lines.count("write /unlink and the number") == 3


def test_events_read_like_sentences():
    face, _ = terminal()
    text = MessageReceived(1, BOB, bytes(16), Text("hello\nworld"), 0, "The shop")
    for event in (
        Ready(ALICE),
        text,
        StatusChanged(bytes(16), BOB, "read", 0),
        StatusChanged(bytes(16), BOB, "failed", 0, "number.unknown"),
        Unreadable(2, BOB, bytes(16), 0, "message.mac"),
        IdentityNews(3, BOB, bytes(16), 0),
        MessageSent(4, BOB, bytes(16), Text("from my \x1b[31mtablet"), 0, 2),
        DevicesNews([1, 2]),
        LinkFailed("handshake.failed", "nothing was handed over"),
        ReadElsewhere(BOB, [bytes(16)]),
        Offline("link.lost", "nobody answers"),
        Stopped("number.taken", "use --replace"),
    ):
        face._show(event)
    lines = shown(face)
    for words in (
        "is online",
        "The shop (+49 30 23125000)  hello\n      world",
        "✓✓ read",
        "✗ failed (number.unknown)",
    ):
        assert words in lines
    for words in ("#2 you to +49 30 23125000  from my �[31mtablet", "devices are now 1, 2", "nothing was handed over"):
        assert words in lines
    for words in ("could not be decrypted", "new identity key", "offline: nobody answers", "--replace"):
        assert words in lines


def test_safety_number_is_shown_in_groups_and_a_new_key_is_accepted_by_a_word():
    face, device = terminal()
    asyncio.run(face._do("/safety +49 30 23125000"))
    assert "  00000 00001 00002 00003\n  00004 00005" in shown(face)
    assert f"/accept {BOB}" in shown(face)
    asyncio.run(face._do("/accept +49 30 23125000"))
    assert device.accepted == ["+49 30 23125000"] and "accepted" in shown(face)
    asyncio.run(face._do("/safety"))
    assert shown(face).count("/accept") == 1


def test_with_one_correspondent_typing_answers():
    face, device = terminal()
    face._show(MessageReceived(1, BOB, bytes(16), Text("hello"), 0))
    asyncio.run(face._do("hi there"))
    assert device.texts == [(BOB, "hi there")]


def test_a_partner_is_chosen_by_number_in_any_spelling():
    face, device = terminal()
    asyncio.run(face._try("hello?"))
    assert device.texts == [] and "/to NUMBER" in shown(face)
    asyncio.run(face._do("/to +49 30 23125000"))
    asyncio.run(face._do("one"))
    asyncio.run(face._do("/to +49 171 3920001 two words"))
    asyncio.run(face._do("three"))
    assert device.texts == [(BOB, "one"), ("491713920001", "two words"), ("491713920001", "three")]
    asyncio.run(face._try("/to nobody"))
    asyncio.run(face._try("/what"))
    asyncio.run(face._do("/help"))
    assert "international form" in shown(face) and "unknown command" in shown(face) and "/quit" in shown(face)


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "a\rb", "\u202egnp.exe", "\x07"])
def test_whoever_writes_to_us_cannot_steer_the_terminal(text):
    face, _ = terminal()
    face._show(MessageReceived(1, BOB, bytes(16), Text(text), 0, text))
    assert not set(shown(face)) & set("\x1b\x9b\r\u202e\x07")
    assert printable("plain\ntext ✓") == "plain\ntext ✓"


def test_ids_are_written_as_22_characters_and_read_strictly():
    message_id = bytes(range(16))
    assert decode_id(encode_id(message_id)) == message_id and len(encode_id(message_id)) == 22
    for text in ("", "A" * 21, "A" * 23, "A" * 21 + "B", "!" * 22, encode_id(message_id) + "=", "é" * 22):
        with pytest.raises(ParameterInvalid):
            decode_id(text)


def test_an_echo_has_one_id_for_each_message_and_author():
    one = MessageReceived(1, BOB, bytes(16), Text("x"), 0)
    assert echo_id(ALICE, one) == echo_id(ALICE, MessageReceived(9, BOB, bytes(16), Text("x"), 5))
    others = [MessageReceived(1, ALICE, bytes(16), Text("x"), 0), MessageReceived(1, BOB, b"1" * 16, Text("x"), 0)]
    assert len({echo_id(ALICE, each) for each in (one, *others)} | {echo_id(BOB, one)}) == 4


def test_a_phone_lives_in_the_users_data_folder_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home_of(PhoneConfig(number=ALICE), ALICE) == tmp_path / "corefast" / "phones" / ALICE
    assert home_of(PhoneConfig(number=ALICE, home=str(tmp_path / "x")), ALICE) == tmp_path / "x"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_of(PhoneConfig(number=ALICE), ALICE) == tmp_path / ".local/share/corefast/phones" / ALICE
