"""Groups as people type and see them, and as programs write and read them."""

import asyncio
import io

from rich.console import Console

from corefast.device import GroupChanged, MessageReceived, MessageSent, Ready, StatusChanged, encode_id
from corefast.device.group_command import MAX_NAMED, describe, label
from corefast.device.line import fields_of
from corefast.device.terminal import Terminal
from corefast.wire.body import Text
from tests.device.test_groups import circle, found, say
from tests.device.world import World, run

GROUP, ANN, BOB = bytes(range(16)), "4930100", "4930200"


def changed(**facts):
    return GroupChanged(0, ANN, 7, GROUP, "Dinner", **facts)


class Screen:
    """A terminal of a real phone, and what it shows."""

    def __init__(self, device):
        self.text = io.StringIO()
        self.terminal = Terminal(device, has_echo=False, console=Console(file=self.text, width=200, highlight=False))
        self.told = asyncio.create_task(self.terminal.tell())

    async def shows(self, words):
        async with asyncio.timeout(20):
            while words not in self.text.getvalue():
                await asyncio.sleep(0.01)

    async def type(self, *lines):
        for line in lines:
            await self.terminal._try(line)


def test_group_is_founded_talked_in_changed_and_left_from_a_terminal(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann", "bob") as c:
            ann, bob = Screen(c.ann.device), Screen(c.bob.device)
            await ann.type("/members", "/add +9991", "/group 1", "/new Dinner", "/new : +9991", "/new Dinner: x")
            for words in ("in which group?", "/groups lists them", "write /new", "1 to 128 characters"):
                assert words in ann.text.getvalue()
            await ann.type(f"/new Din\x1bner: +{c.number('bob')}")
            assert "one line" in ann.text.getvalue()
            await ann.type(f"/new Dinner: +{c.number('bob')}", "at eight?")
            await bob.shows("added you to [Dinner]")
            await bob.shows("[Dinner] +999")
            await ann.shows("✓✓ read to")
            await bob.type("/reply 1 fine", "/members", "I come")
            await ann.shows("[Dinner] +999")
            await ann.shows("I come")
            assert "“at eight?” fine" in ann.text.getvalue() and "(founder)" in bob.text.getvalue()
            await ann.type("/rename Supper", "/groups", "/group 1 hello again")
            await bob.shows("renamed the group to [Supper]")
            await bob.shows("hello again")
            await bob.type("/group 1", "/leave", "too late")
            assert "you left [Supper]" in bob.text.getvalue() and "not in this group" in bob.text.getvalue()
            await ann.shows("left [Supper]")
            for screen in (ann, bob):
                screen.told.cancel()

    run(main)


def test_group_is_served_by_json_lines(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "bob", "cay") as c:
            w: World = c.world
            phone = await w.phone(w.alice, "--echo")
            await phone.until("ready")
            phone.say(found={"subject": "Dinner", "members": [c.number("bob")]}, id=encode_id(GROUP))
            [group] = (await phone.until("groups"))["groups"]
            name = encode_id(GROUP)
            members = [w.alice, c.number("bob")]
            assert group == {
                "group": name,
                "subject": "Dinner",
                "founder": w.alice,
                "members": members,
                "is_member": True,
            }
            phone.say(group=name, text="at eight?")
            accepted = await phone.until("accepted", group=name)
            await c.bob.until(MessageReceived, text="at eight?", group=GROUP)
            await phone.until("status", id=accepted["id"], status="delivered", group=name, to=c.number("bob"))
            await c.bob.device.send_text(GROUP, "fine")
            message = await phone.until("message", text="fine", group=name, subject="Dinner")
            assert message["from"] == c.number("bob")
            phone.say(group=name, reaction={"message_id": message["id"], "emoji": "👍"})
            [event] = await c.bob.until(MessageReceived, group=GROUP)
            assert encode_id(event.reply_to) == message["id"]
            (tmp_path / "boat.png").write_bytes(b"\x89PNG" + bytes(100))
            await c.bob.device.send_file(GROUP, tmp_path / "boat.png")
            picture = await phone.until("message", type="image", group=name)
            phone.say(save={"message": picture["id"], "group": name, "path": str(tmp_path / "saved.png")})
            assert (await phone.until("saved"))["path"] == str(tmp_path / "saved.png")
            phone.say(add={"group": name, "members": [c.number("cay")]})
            assert (await phone.until("groups"))["groups"][0]["members"] == [*members, c.number("cay")]
            phone.say(rename={"group": name, "subject": "Supper"})
            await phone.until("groups")
            phone.say(remove={"group": name, "members": [c.number("cay")]})
            assert (await phone.until("groups"))["groups"][0]["members"] == members
            await c.bob.device.groups.leave(GROUP)
            news = await phone.until("group", left=[c.number("bob")])
            assert (news["by"], news["group"], news["subject"]) == (c.number("bob"), name, "Supper")
            for line, code in (
                ({"group": encode_id(bytes(16)), "text": "x"}, "group.missing"),
                ({"leave": encode_id(bytes(16))}, "group.missing"),
                ({"leave": "x"}, "parameter.invalid"),
                ({"group": name, "to": w.bob, "text": "x"}, "parameter.invalid"),
                ({"group": name}, "parameter.invalid"),
                ({"found": {"subject": "", "members": [w.bob]}}, "group.invalid"),
                ({"found": {"subject": "x", "members": []}}, "group.invalid"),
                ({"found": {"subject": "x", "members": [w.alice]}}, "group.invalid"),
                ({"found": {"subject": "x", "members": ["x"]}}, "number.invalid"),
            ):
                phone.say(**line)
                assert (await phone.until("error"))["code"] == code
            phone.say(leave=name)
            assert not (await phone.until("groups"))["groups"][0]["is_member"]
            phone.say(groups=True)
            assert [each["group"] for each in (await phone.until("groups"))["groups"]] == [name]
            assert [line["text"] for line in phone.lines if line["event"] == "accepted" and "text" in line] == []

    run(main)


def test_news_of_a_group_name_people_and_count_the_rest():
    assert describe(changed(added=[BOB]), BOB) == "+49 30 100 added you to [Dinner]"
    assert describe(changed(removed=[BOB], is_renamed=True), ANN) == (
        "you removed +49 30 200 from [Dinner]; you renamed the group to [Dinner]"
    )
    assert describe(changed(left=[ANN]), BOB) == "+49 30 100 left [Dinner]"
    many = [str(4930000 + each) for each in range(MAX_NAMED + 3)]
    assert describe(changed(added=many), BOB).endswith("and 3 more to [Dinner]")
    assert label("a\n\x1b[2Jb") == "[a �[2Jb]" and label("") == "[a group]"


def test_events_of_a_group_have_fields_of_it():
    name = encode_id(GROUP)
    received = MessageReceived(1, BOB, b"i" * 16, Text("hi"), 7, group=GROUP, subject="Dinner")
    assert fields_of(received) | {"group": name, "subject": "Dinner", "from": BOB} == fields_of(received)
    sent = fields_of(MessageSent(1, "", b"i" * 16, Text("hi"), 7, 2, group=GROUP, subject="Dinner"))
    assert sent["group"] == name and "to" not in sent
    assert fields_of(StatusChanged(b"i" * 16, BOB, "read", 7, group=GROUP))["group"] == name
    assert fields_of(changed(added=[BOB])) == {
        "event": "group",
        "group": name,
        "subject": "Dinner",
        "by": ANN,
        "added": [BOB],
        "at_ms": 7,
    }


def test_what_was_not_shown_is_told_again_with_its_group(tmp_path, relay_url):
    async def main():
        async with circle(tmp_path, relay_url, "ann") as c:
            w: World = c.world
            async with w.device(w.bob) as bob:
                await bob.until(Ready)
                c.phones["bob"] = bob
                group = await found(c, "ann", "Dinner", "bob")
                message_id = await say(c, "ann", group, "hello", "bob")
            async with w.device(w.bob) as bob:
                [event] = await bob.until(MessageReceived)
                assert (event.id, event.group, event.subject, event.sender) == (
                    message_id,
                    group,
                    "Dinner",
                    c.number("ann"),
                )

    run(main)
