"""What flows between a business and its customer's phones while the disk is full and while devices come and go."""

import asyncio
import resource
from collections.abc import Iterator

import pytest

from tests.scenarios.conftest import Tell
from tests.support.business import Business, soon
from tests.support.journal import positions_used_twice
from tests.support.programs import Phone, Program

NUMBER = "491713920070"


@pytest.fixture(scope="module")
def business(tell: Tell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    business = Business(tmp_path_factory.mktemp("flow") / "data")
    tell(business.open())
    yield business
    assert tell(business.close()) == 0


@pytest.fixture(scope="module")
def phone(tell: Tell, business: Business) -> Iterator[Phone]:
    phone = tell(business.phone(NUMBER))
    yield phone
    tell(phone.stop())


def set_room(pid: int, size: int) -> None:
    """Let the process write nothing behind *size* bytes of a file, as a full disk does."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def texts_of(program: Program, event: str = "message") -> list[str]:
    return [fact["text"] for fact in program.facts if fact.get("event") == event]


def test_nothing_is_lost_or_doubled_while_the_disk_of_the_core_is_full(tell: Tell, business: Business, phone: Phone):
    async def story() -> None:
        program, receiver, core = phone.program, business.receiver, business.pid("core")
        assert program is not None and core is not None
        await business.insist(NUMBER, "before", "before")
        await phone.until_texts(1)
        await soon(lambda: len(receiver.statuses) == 1)
        set_room(core, 0)
        posts = [asyncio.ensure_future(business.insist(NUMBER, f"out {n}", f"out-{n}")) for n in range(10)]
        for n in range(10):
            program.say(to=business.facts["number"], text=f"in {n}")
        body = {"to": NUMBER, "type": "text", "text": {"body": "refused"}}
        refused, _ = await business.request("POST", "/v1/messages", json=body)
        assert refused == 503
        await soon(lambda: [fact for fact in program.facts if fact.get("status") == "sent"][9:])
        assert receiver.texts == [] and phone.texts == ["before"] and not any(post.done() for post in posts)
        set_room(core, resource.RLIM_INFINITY)
        await asyncio.gather(*posts)
        await soon(lambda: len(receiver.texts) >= 10, 30, lambda: receiver.texts)
        await phone.until_texts(11)
        await business.insist(NUMBER, "after", "after")
        await phone.until_texts(12)
        assert receiver.texts == [f"in {n}" for n in range(10)]
        assert sorted(phone.texts[1:-1]) == sorted(f"out {n}" for n in range(10)) and phone.texts[-1] == "after"
        assert positions_used_twice(business.journal) == []
        assert business.pid("core") == core, "it lived through that"

    tell(story())


def test_business_reaches_each_device_once_and_in_order_while_they_are_linked_and_unlinked(
    tell: Tell, business: Business, phone: Phone
):
    async def story() -> None:
        first = phone.program
        assert first is not None
        sent: list[str] = []
        is_over = asyncio.Event()

        async def write() -> None:
            while not is_over.is_set():
                text = f"while {len(sent)}"
                await business.insist(NUMBER, text, text.replace(" ", "-"))
                sent.append(text)

        async def link(name: str) -> Program:
            first.say(link=True)
            codes = len([fact for fact in first.facts if fact.get("event") == "link"])
            offer = await first.until(lambda: [fact for fact in first.facts if fact.get("event") == "link"][codes:])
            home = str(business.folder.parent / name)
            program = await Program.start("corefast.device", "--json", "--link", offer[0]["code"], "--home", home)
            await program.until(lambda: len(texts_of(program)) >= 5)
            return program

        writing = asyncio.ensure_future(write())
        tablet = await link("tablet")
        laptop = await link("laptop")
        first.say(unlink=2)
        assert await tablet.process.wait() == 3
        more = len(texts_of(laptop)) + 5
        await laptop.until(lambda: len(texts_of(laptop)) >= more)
        is_over.set()
        await writing
        await business.insist(NUMBER, "the end", "the-end")
        sent.append("the end")
        for program in (first, laptop):
            await program.until(lambda program=program: "the end" in texts_of(program))
        assert [text for text in phone.texts if text in sent] == sent
        for program in (tablet, laptop):
            seen = texts_of(program)
            begin = sent.index(seen[0])
            assert seen == sent[begin : begin + len(seen)]
            assert not [fact for fact in program.facts if fact.get("event") == "unreadable"]
        assert await laptop.stop() == 0
        assert positions_used_twice(business.journal) == []

    tell(story())
