"""What people see: words, ticks, and nothing that steers their terminal."""

import asyncio
import io
from pathlib import Path

import msgspec
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
from corefast.device.memory import MAX_REMEMBERED, Memory
from corefast.device.name import decode_id, encode_id
from corefast.device.profile import unix_ms
from corefast.device.terminal import Terminal
from corefast.device.view import printable
from corefast.errors import ParameterInvalid
from corefast.wire.body import (
    Attachment,
    ButtonKind,
    ButtonReply,
    ContactCard,
    ContactCards,
    ListReply,
    Location,
    MediaKind,
    Option,
    OptionList,
    PersonName,
    Phone,
    QuickReply,
    Reaction,
    ReplyButtons,
    Section,
    Template,
    TemplateButton,
    Text,
)
from corefast.wire.content import Medium, Unsupported
from corefast.wire.messages import ListedDevice
from tests.device.kinds import ANSWERS, BUTTONS, FROM_A_BUSINESS, FROM_ANYBODY, LIST

CODE = "corefast-link://127.0.0.1:4460/#" + "A" * 43 + "." + "B" * 22 + "." + "C" * 43
ALICE, BOB = "99910000001", "493023125000"


YESTERDAY = b"y" * 16


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
        return bytes([len(self.sent)]) * 16

    async def send_file(self, to, path, said):
        self.sent.append((to, said, path))
        return b"f" * 16

    async def save_file(self, message, path):
        self.saved = (message.id, path)
        return Path("/tmp/a\x1b.png")

    async def message(self, peer, message_id):
        return MessageReceived(0, peer, message_id, Text("said yesterday"), 0) if message_id == YESTERDAY else None

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


def received(body, number=1, sender=BOB, **facts):
    return MessageReceived(number, sender, bytes([number]) * 16, body, 0, "Shop", **facts)


def test_each_kind_of_message_is_drawn_with_what_it_offers():
    face, _ = terminal()
    for at, (body, _) in enumerate(FROM_A_BUSINESS + FROM_ANYBODY + ANSWERS, 1):
        face._show(received(body, at))
    face._show(received(Unsupported(99)))
    lines = shown(face)
    for words in (
        "#1 Shop (+49 30 23125000)  Dinner\n      Shall we?\n      at eight\n       1  Yes\n       2  No",
        "Choose\n      Top\n       1  First — the best\n      Rest\n       2  Second",
        "Hello\n      Your order is here\n      📍 Shop\n",
        "The shop\n      Track: https://shop.example/1\n       1  Stop",
        "📍 Berlin, Mitte\n      https://www.openstreetmap.org/?mlat=52.520000&mlon=13.405000#map=16/52.520000/13.405000",
        "👤 Ada Lovelace\n      Countess, Analysis, Engines\n      cell +49 30 23125000\n      work ada@example.org",
        "Main St 1, W1 London, UK\n      born 1815-12-10",
        "▸ Yes",
        "▸ First",
        "▸ Stop",
        "does not know",
    ):
        assert words in lines
    assert lines.count("type a number to answer") == 3


def test_a_number_answers_what_was_offered_last_and_is_words_after_that():
    face, device = terminal()
    face._show(received(BUTTONS, 1))
    face._show(received(LIST, 2))
    face._show(received(BUTTONS, 3, "491713920009"))
    for line in (
        "/to +49 30 23125000",
        "2",
        "/choose 1 2",
        "/choose #2 1",
        "/choose 1 9",
        "/to +491713920009",
        "3",
        "1",
        "1",
        "/choose 9",
    ):
        asyncio.run(face._try(line))
    quoted = [bytes([number]) * 16 for number in (1, 2, 3)]
    assert device.sent == [
        (BOB, Text("2"), None),
        (BOB, ButtonReply("no", "No"), quoted[0]),
        (BOB, ListReply("r1", "First", "the best"), quoted[1]),
        ("491713920009", Text("3"), None),
        ("491713920009", ButtonReply("yes", "Yes"), quoted[2]),
        ("491713920009", Text("1"), None),
    ]
    assert "from 1 to 2" in shown(face) and "nothing to choose from" in shown(face)


def test_replies_reactions_places_and_cards_are_sent_by_words():
    face, device = terminal()
    face._show(received(Text("hello")))
    for line in (
        "/reply 1 hello back",
        "/react 1 👍",
        "/react #1",
        "/location 52.52, 13.405 Berlin Mitte",
        "/contact Ada Lovelace +49 30 23125000",
    ):
        asyncio.run(face._try(line))
    card = ContactCard(PersonName("Ada Lovelace", "Ada", "Lovelace"), phones=[Phone("+49 30 23125000", "CELL", BOB)])
    assert device.sent == [
        (BOB, Text("hello back"), b"\x01" * 16),
        (BOB, Reaction("👍"), b"\x01" * 16),
        (BOB, Reaction(""), b"\x01" * 16),
        (BOB, Location(52.52, 13.405, "Berlin Mitte"), None),
        (BOB, ContactCards([card]), None),
    ]
    sent = len(device.sent)
    bad = (
        "/reply 7 x",
        "/reply",
        "/react x 👍",
        "/location",
        "/location here",
        "/contact Ada",
        "/contact Ada 12",
        "/re 1 x",
    )
    for line in bad:
        asyncio.run(face._try(line))
    assert len(device.sent) == sent
    for words in (
        "number behind the #",
        "/location 52.52",
        "/contact Ada Lovelace",
        "international form",
        "unknown command",
    ):
        assert words in shown(face)


def test_files_are_sent_and_saved_by_words():
    face, device = terminal()
    medium = Medium(bytes(32), bytes(32), 123_456, "image/png", bytes(32))
    face._show(received(Attachment(MediaKind.IMAGE, "our boat"), media=medium))
    face._show(received(Attachment(MediaKind.DOCUMENT, "", "bill.pdf"), media=msgspec.structs.replace(medium, size=5)))
    face._show(received(Template("n", "en", "Your order"), media=medium))
    for words in (
        "🖼 image, image/png, 123 kB; /save N keeps it\n      our boat",
        "image/png, 5 bytes; /save N keeps it\n      bill.pdf",
        "123 kB; /save N keeps it\n      Your order",
    ):
        assert words in shown(face)
    for line in ("/send 'my bill.pdf' for you", "/send", "/save 1", "/save 9"):
        asyncio.run(face._try(line))
    assert device.sent == [(BOB, Attachment(MediaKind.DOCUMENT, "for you", "my bill.pdf"), Path("my bill.pdf"))]
    assert device.saved == (b"\x01" * 16, ".") and "saved /tmp/a�.png" in shown(face)
    face._show(StatusChanged(b"f" * 16, BOB, "sent", 0))
    assert "✓ sent 📄 for you" in shown(face) and "write /send" in shown(face)


def test_reactions_and_replies_stand_beside_what_they_are_about():
    face, device = terminal()
    face._partner = BOB
    asyncio.run(face._try("shall we meet at the bridge at noon?"))

    async def tell(*events):
        for event in events:
            await face._recall(event)
            face._show(event)

    ours, nobody = b"\x01" * 16, b"n" * 16
    # A message with the id of ours does not take its place.
    asyncio.run(tell(received(Text("a forged one"), 1)))
    for reply_to, words in (
        (ours, "👍 to “shall we meet at the br…”"),
        (YESTERDAY, "👍 to “said yesterday”"),
        (nobody, "👍 to “an earlier message”"),
    ):
        asyncio.run(tell(received(Reaction("👍"), 2, reply_to=reply_to)))
        assert words in shown(face)
    asyncio.run(tell(received(Reaction(""), 3, reply_to=ours), received(Text("yes"), 4, reply_to=ours)))
    assert "takes the reaction back to “shall we" in shown(face) and "↪ “shall we meet at the br…” yes" in shown(face)
    face._show(StatusChanged(ours, BOB, "read", 0))
    assert "✓✓ read shall we meet at the br…" in shown(face)


NASTY = "\n12:00 #9 Bank\x1b[2J\u202e"


@pytest.mark.parametrize(
    "body",
    [
        Text(NASTY),
        Location(1, 2, NASTY, NASTY, NASTY),
        ContactCards([ContactCard(PersonName(NASTY), phones=[Phone(NASTY, NASTY)], birthday=NASTY)] * 100),
        ReplyButtons(NASTY, [Option(NASTY, NASTY)] * 3, NASTY, NASTY),
        OptionList(NASTY, NASTY, [Section([Option(NASTY, NASTY, NASTY)], NASTY)], NASTY, NASTY),
        Template(NASTY, NASTY, NASTY, NASTY, NASTY, [TemplateButton(ButtonKind.URL, NASTY, NASTY)]),
        ButtonReply(NASTY, NASTY),
        QuickReply(NASTY, NASTY),
        Reaction(NASTY),
    ],
)
def test_no_kind_of_message_steers_the_terminal_or_looks_like_another_message(body):
    face, _ = terminal()
    face._show(received(Text(NASTY)))
    face._show(MessageReceived(2, BOB, b"2" * 16, body, 0, NASTY, b"\x01" * 16))
    face._show(StatusChanged(b"2" * 16, BOB, "read", 0))
    lines = shown(face)
    assert not set(lines) & set("\x1b\u202e")
    starts = [line for line in lines.splitlines() if not line.startswith("      ")]
    assert len(starts) == 2 and len(lines.splitlines()) < 80


def test_old_messages_are_forgotten_in_time():
    memory = Memory()
    for number in range(MAX_REMEMBERED + 1):
        memory.add(MessageReceived(1, BOB, number.to_bytes(16), Text(str(number)), 0))
        memory.note_sent(BOB, number.to_bytes(16), "x")
    assert memory.get("2").text == "1" and memory.get(f"{MAX_REMEMBERED + 1}").text == str(MAX_REMEMBERED)
    for unknown in ("1", "0", "-1", "9" * 20, "٣", ""):
        with pytest.raises(ParameterInvalid):
            memory.get(unknown)
    assert memory.sent(BOB, bytes(16)) == "" and memory.sent(BOB, (1).to_bytes(16)) == "x"


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
