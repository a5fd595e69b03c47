"""A core whose disk is full, and has room again: it refuses, waits, and nothing is lost or doubled."""

import asyncio
import resource
from pathlib import Path

from tests.scenarios.conftest import Tell
from tests.support.business import Business, soon
from tests.support.journal import positions_used_twice

NUMBER = "491713920070"


def set_room(pid: int, size: int) -> None:
    """Let no file of the process grow beyond *size* bytes, or its pages be written there: what a full disk does."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_nothing_is_lost_or_doubled_while_the_disk_of_the_core_is_full(tell: Tell, tmp_path: Path):
    async def story() -> None:
        business = Business(tmp_path / "data")
        await business.open()
        phone = await business.phone(NUMBER)
        assert phone.program is not None
        say, receiver = phone.program.say, business.receiver
        try:
            await business.insist(NUMBER, "before", "before")
            await phone.until_texts(1)
            await soon(lambda: len(receiver.statuses) == 1)
            core = business.pid("core")
            assert core is not None
            set_room(core, 0)
            posts = [asyncio.ensure_future(business.insist(NUMBER, f"out {n}", f"out-{n}")) for n in range(10)]
            for n in range(10):
                say(to=business.facts["number"], text=f"in {n}")
            refused, _ = await business.request(
                "POST", "/v1/messages", json={"to": NUMBER, "type": "text", "text": {"body": "refused"}}
            )
            assert refused == 503
            await soon(lambda: [fact for fact in phone.program.facts if fact.get("status") == "sent"][9:])
            assert receiver.texts == [] and phone.texts == ["before"] and not any(post.done() for post in posts)
            assert business.pid("core") == core
            set_room(core, resource.RLIM_INFINITY)
            await asyncio.gather(*posts)
            await soon(lambda: len(receiver.texts) >= 10, 30, lambda: receiver.texts)
            await phone.until_texts(11)
            await business.insist(NUMBER, "after", "after")
            await phone.until_texts(12)
            assert receiver.texts == [f"in {n}" for n in range(10)]
            assert sorted(phone.texts[1:-1]) == sorted(f"out {n}" for n in range(10)) and phone.texts[-1] == "after"
            assert positions_used_twice(business.journal) == []
            assert business.pid("core") == core
        finally:
            await phone.stop()
            assert await business.close() == 0

    tell(story())
