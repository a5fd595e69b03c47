"""`corefast phone` as a process: its lines, its exit codes, and what kill -9 does to it."""

import asyncio

import msgspec

from corefast.device import MessageReceived, Ready, StatusChanged, decode_id
from tests.device.world import Program, World, run, world

ALICE, BOB = "99910000001", "99910000002"


def test_a_script_sends_receives_and_reads_by_json_lines(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            phone = await w.phone(f"+999 {w.bob[3:]}")
            assert await phone.line() == {"event": "ready", "number": w.bob, "device": 1}
            phone.say(to=f"+999-{w.alice[3:]}", text="hello")
            accepted = await phone.until("accepted")
            assert accepted["to"] == w.alice and len(accepted["id"]) == 22
            [text] = await alice.until(MessageReceived)
            assert text.id == decode_id(accepted["id"]) and text.text == "hello"
            await phone.until("status", id=accepted["id"], status="delivered")
            await alice.device.send_text(w.bob, "and hello")
            message = await phone.until("message", type="text", text="and hello")
            assert message["from"] == w.alice and isinstance(message["at_ms"], int)
            phone.say(read=[message["id"]])
            await alice.until(StatusChanged, status="read")
            phone.say(safety=w.alice)
            safety = await phone.until("safety", number=w.alice, is_accepted=True)
            assert safety["safety_number"] == (await alice.device.safety(w.bob)).safety_number
            phone.say(accept=w.alice)
            assert await phone.until("safety") == safety
            phone.process.stdin.write_eof()
            await alice.device.send_text(w.bob, "after the end of stdin")
            await phone.until("message", text="after the end of stdin")
            assert await phone.stop() == 0

    run(main)


def test_a_malformed_line_is_answered_and_the_next_one_is_served(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            await alice.until(Ready)
            phone = await w.phone(w.bob)
            await phone.until("ready")
            bad = [
                b"{",
                b"[]",
                b'{"to":1,"text":"x"}',
                b"{}",
                b'{"read":["x"]}',
                b'{"link":true,"devices":true}',
                b'{"unlink":-1}',
                b"[" * 50_000,
                b"x" * 70_000,
                b"\xff",
            ]
            for line in bad:
                phone.process.stdin.write(line + b"\n")
                error = await phone.until("error")
                assert error["code"] == "parameter.invalid" and error["text"]
            phone.say(to="12", text="x")
            assert (await phone.until("error"))["code"] == "number.invalid"
            phone.say(to=w.alice, text="still here")
            await alice.until(MessageReceived)
            await phone.kill()

    run(main)


def test_a_killed_phone_shows_each_message_and_stores_it_once(tmp_path, relay_url):
    async def main():
        rounds, size = (3, 40, 65), 70
        count = len(rounds) * size
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            phone = await w.phone(w.bob)
            await phone.until("ready")
            shown: dict[str, str] = {}
            for number, lines in enumerate(rounds):
                # Each phone has messages of its own, so that these lines come however late it starts.
                first = number * size
                sending = asyncio.create_task(send_slowly(alice, w.bob, range(first, first + size)))
                for _ in range(lines):
                    await phone.until("message")
                remember(shown, await phone.kill())
                phone = await w.phone(w.bob)
                await sending
            while len(shown) < count:
                await phone.until("message")
                remember(shown, phone.lines)
            assert list(shown.values()) == [str(n) for n in range(count)]
            await phone.stop()
            # All of it is marked as shown: a further start is silent.
            phone = await w.phone(w.bob)
            await phone.until("ready")
            await alice.device.send_text(w.bob, "last")
            assert (await phone.until("message"))["text"] == "last"
            assert [line["text"] for line in phone.lines if line["event"] == "message"] == ["last"]
            await phone.kill()

    async def send_slowly(alice, to, numbers):
        for n in numbers:
            await alice.device.send_text(to, str(n))
            await asyncio.sleep(0.005)

    def remember(shown, lines):
        for line in lines:
            if line["event"] == "message":
                assert shown.setdefault(line["id"], line["text"]) == line["text"]

    run(main)


def test_a_killed_echo_answers_each_message_once(tmp_path, relay_url):
    async def main():
        count = 60
        w = World(tmp_path, relay_url)
        async with w.device(w.alice) as alice:
            echo = await w.phone(w.bob, "--echo")
            await echo.until("ready")
            for n in range(count):
                await alice.device.send_text(w.bob, str(n))
                if n in (10, 30):
                    await echo.kill()
                    echo = await w.phone(w.bob, "--echo")
            await alice.until(MessageReceived, count=count)
            while not any(isinstance(event, StatusChanged) and event.status == "read" for event in alice.events):
                await alice.until(StatusChanged)
            await alice.device.send_text(w.bob, "end")
            await alice.until(MessageReceived, text="end")
            texts = [event.text for event in alice.events if isinstance(event, MessageReceived)]
            assert texts == [*map(str, range(count)), "end"]
            await echo.kill()

    run(main)


def test_a_taken_number_ends_the_second_phone_with_the_remedy(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        first = await w.phone(w.bob)
        await first.until("ready")
        second = await w.phone(w.bob, home="second")
        assert (await second.line())["code"] == "number.taken"
        code, errors = await second.ended()
        assert code == 3 and "--replace" in errors
        third = await w.phone(w.bob, "--replace", home="second")
        await third.until("ready")
        code, errors = await first.ended()
        assert code == 3 and "another device" in errors
        await third.kill()

    run(main)


def test_a_home_serves_one_phone_at_a_time(tmp_path, relay_url):
    async def main():
        w = World(tmp_path, relay_url)
        first = await w.phone(w.bob)
        await first.until("ready")
        code, errors = await (await w.phone(w.bob)).ended()
        assert code == 2 and str(first.process.pid) in errors
        await first.kill()

    run(main)


def test_settings_that_cannot_work_are_named(tmp_path):
    async def main():
        home = ("--home", str(tmp_path / "home"))
        for flags, word in (
            (("--number", "12", "--relay", "corefast://h:1/#" + "B" * 43), "--number"),
            (("--number", BOB), "--relay"),
            (("--number", BOB, "--relay", "corefast://h:1/"), "no key"),
        ):
            code, errors = await (await Program.start("corefast.device", *home, *flags)).ended()
            assert code == 2 and word in errors

    run(main)


def test_a_phone_finds_the_relay_of_an_up_folder_also_after_it_moved(tmp_path):
    async def main():
        async with world(tmp_path / "one") as w:
            up = tmp_path / "up.json"
            starting = asyncio.create_task(
                Program.start(
                    *("corefast.device", "--json", "--number", w.bob),
                    *("--home", str(tmp_path / "home"), "--data", str(tmp_path)),
                )
            )
            up.write_bytes(msgspec.json.encode({"relay": w.url, "api": "http://127.0.0.1:9090"}))
            phone = await starting
            await phone.until("ready")
        async with world(tmp_path / "two") as w:
            up.write_bytes(msgspec.json.encode({"relay": w.url}))
            await phone.until("error", code="link.lost")
            await phone.until("ready")
            await phone.kill()

    run(main)
