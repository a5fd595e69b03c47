"""Every kind of message between phones: sent, received, told as JSON, answered, and kept apart from damage."""

import os

import msgspec
import pytest

from corefast.device import MessageReceived, MessageSent, Ready, Unreadable, decode_id, encode_id
from corefast.device.bounds import check_received, check_sent
from corefast.device.choice import choices_of, choose
from corefast.device.command import parse, saying_of
from corefast.device.draft import draft
from corefast.device.line import fields_of
from corefast.errors import CallerError, MessageTooLong, ParameterInvalid
from corefast.store.database import Unit
from corefast.wire import body as bodies
from corefast.wire.content import Content, Medium, Unsupported, encode_content
from tests.device.kinds import ANSWERS, BUTTONS, CARD, CARD_FIELDS, FROM_A_BUSINESS, FROM_ANYBODY, LIST, PLACE, TEMPLATE
from tests.device.world import Watched, World, run

ID = encode_id(bytes(16))
MEDIUM = Medium(bytes(32), bytes(32), 5, "image/png", bytes(32))
ALL = FROM_A_BUSINESS + FROM_ANYBODY


def test_each_kind_goes_both_ways_and_to_our_other_devices(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await alice.until(Ready)
            await bob.until(Ready)
            second = Watched(await type(alice.device).link(w.home("tablet"), (await alice.device.offer_link()).code))
            try:
                await second.until(Ready)
                await talk(w, alice, bob, second)
            finally:
                await second.device.close()

    async def talk(w, alice, bob, second):
        first = await bob.device.send_text(w.alice, "to react to")
        await alice.until(MessageReceived)
        sent = [(await alice.device.send(w.bob, body), body, None) for body, _ in ALL]
        for body in (*(body for body, _ in ANSWERS), bodies.Reaction("👍"), bodies.Reaction("")):
            sent.append((await alice.device.send(w.bob, body, reply_to=first), body, first))
        assert await alice.device.send(w.bob, bodies.Text("again"), message_id=sent[0][0]) == sent[0][0]
        got = await bob.until(MessageReceived, len(sent))
        assert [(event.id, event.body, event.reply_to) for event in got] == sent
        copies = await second.until(MessageSent, len(sent))
        assert [(event.id, event.body, event.reply_to) for event in copies] == sent
        assert {(event.recipient, event.device) for event in copies} == {(w.bob, 1)}
        assert (await alice.device.message(w.bob, first)).text == "to react to"
        assert [(await phone.device.message(w.bob, sent[0][0])).body for phone in (alice, second)] == [BUTTONS] * 2
        assert await alice.device.message(w.eve, first) is None
        answers = [await bob.device.choose(got[at], option) for at, option in enumerate(("no", "Second", "stop-it"))]
        back = await second.until(MessageReceived, 3)
        assert [(event.id, event.body, event.reply_to) for event in back] == [
            (answers[0], bodies.ButtonReply("no", "No"), sent[0][0]),
            (answers[1], bodies.ListReply("r2", "Second"), sent[1][0]),
            (answers[2], bodies.QuickReply("stop-it", "Stop"), sent[2][0]),
        ]
        assert await bob.device.mark_read([event.id for event in got]) == len(got)

    run(main)


def test_what_cannot_be_known_or_believed_is_told_and_never_lost(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice, w.device(w.bob) as bob:
            await bob.until(Ready)
            bad = [
                Content(bytes(16), 1, bodies.Location(float("nan"), 0)),
                Content(bytes(16), 1, bodies.Text("x" * 5_000)),
                Content(bytes(16), 1, bodies.ContactCards([CARD] * 101)),
                Content(bytes(16), 1, bodies.Text("x"), reply_to=b"short"),
                Content(bytes(16), 1, bodies.Reaction("👍")),
                Content(bytes(16), 1, bodies.Attachment(bodies.MediaKind.IMAGE)),
                Content(bytes(16), 1, bodies.Attachment(bodies.MediaKind.IMAGE), media=Medium(b"", b"", 1, "", b"")),
            ]
            for content in bad:
                await smuggle(alice.device, w.bob, content)
            told = await bob.until(Unreadable, len(bad))
            assert {event.code for event in told} == {"content.malformed"}
            await smuggle(alice.device, w.bob, Content(bytes(16), 7, Unsupported(99)))
            [unknown] = await bob.until(MessageReceived)
            assert unknown.body == Unsupported(99) and unknown.text == ""
            assert fields_of(unknown)["type"] == "unsupported"
            assert await bob.device.mark_read([unknown.id]) == 1

    async def smuggle(device, to, content):
        """Send what our own checks would stop."""
        row = draft(device._profile, to, bodies.Text("x"))
        content = encode_content(msgspec.structs.replace(content, id=row.id))
        if b"\x92\x00\x63" in content:  # Unsupported(99) becomes the kind 99 itself
            content = content.replace(b"\x92\x00\x63", b"\x92\x63\x01")
        await device._accept(Unit(), [row._replace(content=content)])

    run(main)


def test_a_program_sends_and_is_told_each_kind_by_json_lines(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            phone = await w.phone(w.bob)
            await phone.until("ready")
            ids = [await alice.device.send(w.bob, body) for body, _ in ALL]
            for message_id, (_, fields) in zip(ids, ALL, strict=True):
                line = await phone.until("message")
                assert fields.items() <= line.items() and line["id"] == encode_id(message_id)
            mine = encode_id(os.urandom(16))
            context = {"message_id": encode_id(ids[3])}
            for _ in range(2):
                phone.say(to=w.alice, id=mine, type="location", location={"latitude": 1, "longitude": 2.5})
            phone.say(to=w.alice, contacts=[CARD_FIELDS])
            phone.say(to=w.alice, reaction={"message_id": encode_id(ids[0]), "emoji": "👍"})
            phone.say(to=w.alice, text={"body": "quoting"}, context=context)
            phone.say(to=w.alice, choose={"message": encode_id(ids[0]), "option": "yes"})
            phone.say(to=w.alice, context=context, **ANSWERS[1][1])
            phone.say(to=w.alice, context=context, **ANSWERS[2][1])
            got = await alice.until(MessageReceived, 7)
            assert sorted((repr(event.body), event.reply_to or b"") for event in got) == sorted(
                (repr(body), quoted)
                for body, quoted in (
                    (bodies.Location(1.0, 2.5), b""),
                    (bodies.ContactCards([CARD]), b""),
                    (bodies.Reaction("👍"), ids[0]),
                    (bodies.Text("quoting"), ids[3]),
                    (bodies.ButtonReply("yes", "Yes"), ids[0]),
                    (ANSWERS[1][0], ids[3]),
                    (ANSWERS[2][0], ids[3]),
                )
            )
            assert decode_id(mine) in {event.id for event in got}
            for unknown in ({"message": ID, "option": "yes"}, {"message": encode_id(ids[3]), "option": "yes"}):
                phone.say(to=w.alice, choose=unknown)
                assert (await phone.until("error"))["code"] in ("message.unknown", "parameter.invalid")
            await phone.kill()

    run(main)


@pytest.mark.parametrize(("body", "fields"), ALL + ANSWERS)
def test_each_kind_is_told_with_the_field_names_of_webhooks(body, fields):
    event = MessageReceived(1, "493023125000", bytes(16), body, 5, "Shop", bytes(range(16)))
    assert fields_of(event) == fields | {
        "event": "message",
        "from": "493023125000",
        "id": ID,
        "at_ms": 5,
        "name": "Shop",
        "context": {"id": encode_id(bytes(range(16)))},
    }


@pytest.mark.parametrize(("body", "fields"), FROM_ANYBODY + ANSWERS)
def test_what_is_told_can_be_sent_by_the_same_fields(body, fields):
    line = msgspec.json.encode(fields | {"to": "493023125000", "context": {"message_id": ID}})
    command = parse(line)
    assert saying_of(command) == body and command.reply_to == bytes(16)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"to":"1"', "one of text, location"),
        ('"to":"1","text":"x","location":{}', "one of text, location"),
        ('"to":"1","type":"text","location":{}', '"type" is location'),
        ('"to":"1","location":{"latitude":"52","longitude":1}', "location: Expected `float`, got `str`"),
        ('"to":"1","location":{"latitude":52}', "location: Object missing required field `longitude`"),
        ('"to":"1","contacts":[{"name":{}}]', "contacts[0]: Object missing required field `formatted_name`"),
        ('"to":"1","contacts":[{"name":1}]', "contacts[0]: Expected `object`, got `int`"),
        ('"to":"1","interactive":{"type":"button"}', "come from businesses"),
        ('"to":"1","interactive":{"type":"button_reply"}', "interactive.button_reply: Expected `object`"),
        ('"to":"1","reaction":{"message_id":"x"}', "22 characters"),
        ('"to":"1","choose":{"message":"x"}', "missing required field `option`"),
        ('"to":"1","text":"x","read":[]', 'one of "to"'),
        (f'"to":"1","reaction":{{"message_id":"{ID}"}},"context":{{"message_id":"{ID}"}}', 'without "context"'),
    ],
)
def test_a_wrong_line_is_told_by_the_name_of_the_field(line, words):
    with pytest.raises(ParameterInvalid) as error:
        command = parse(b"{" + line.encode() + b"}")
        assert command.reply_to is None
        saying_of(command)
    assert words in str(error.value)


def test_bounds_hold_for_what_is_sent_and_what_is_received():
    quoted = bytes(16)
    for body, _ in ALL:
        check_sent(body, None, None)
    for body, _ in ANSWERS:
        check_sent(body, quoted, None)
    check_sent(bodies.Attachment(bodies.MediaKind.IMAGE), None, MEDIUM)
    check_sent(bodies.Reaction("1\ufe0f\u20e3"), quoted, None)
    for body, reply_to, media in (
        (bodies.Text(""), None, None),
        (bodies.Text("x"), None, MEDIUM),
        (bodies.Reaction("👍"), None, None),
        (bodies.Reaction("ok"), quoted, None),
        (bodies.Reaction("👍" * 17), quoted, None),
        (bodies.ButtonReply("yes", "Yes"), None, None),
        (bodies.ContactCards([]), None, None),
        (bodies.Location(90.1, 0), None, None),
        (bodies.Location(0, float("inf")), None, None),
        (msgspec.structs.replace(TEMPLATE, location=bodies.Location(0, 181)), None, None),
        (msgspec.structs.replace(BUTTONS, buttons=BUTTONS.buttons * 6), None, None),
        (msgspec.structs.replace(LIST, footer="x" * 4_097), None, None),
        (bodies.Attachment(bodies.MediaKind.IMAGE), None, None),
        (bodies.Attachment(bodies.MediaKind.IMAGE), None, msgspec.structs.replace(MEDIUM, size=-1)),
    ):
        with pytest.raises(CallerError):
            check_sent(body, reply_to, media)
    check_received(bodies.Text(""), None, None)
    with pytest.raises(MessageTooLong):
        check_received(bodies.Location(0, 0, "x" * 4_097), None, None)


def test_a_message_that_fills_more_than_a_plaintext_is_refused_before_it_is_stored(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            wide = msgspec.structs.replace(CARD, birthday="x" * 4_000)
            with pytest.raises(MessageTooLong, match="bytes in all"):
                await alice.device.send(w.bob, bodies.ContactCards([wide] * 16))
            with pytest.raises(ParameterInvalid, match="half a character"):
                await alice.device.send_text(w.bob, "\ud800")

    run(main)


def test_a_choice_is_found_by_id_before_title():
    body = bodies.ReplyButtons("?", [bodies.Option("a", "b"), bodies.Option("b", "c")])
    assert choose(body, "b").answer == bodies.ButtonReply("b", "c")
    assert choose(body, "c").id == "b"
    assert [each.title for each in choices_of(TEMPLATE)] == ["Stop"]
    for other in (body, PLACE, Unsupported(99)):
        with pytest.raises(ParameterInvalid):
            choose(other, "d")
