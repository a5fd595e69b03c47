"""Sessions lost between a business and its customer, each in a process of its own, with `kill -9` on the way."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import Tell
from tests.support.business import Business, soon
from tests.support.journal import positions_used_twice
from tests.support.programs import Phone

NUMBER = "491713920030"


@pytest.fixture(scope="module")
def business(tell: Tell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    business = Business(tmp_path_factory.mktemp("resend") / "data")
    tell(business.open())
    yield business
    assert tell(business.close()) == 0


@pytest.fixture(scope="module")
def phone(tell: Tell, business: Business) -> Iterator[Phone]:
    phone = tell(business.phone(NUMBER))
    yield phone
    tell(phone.stop())


def drop_sessions(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        assert connection.execute("DELETE FROM session").rowcount > 0
    connection.close()


async def say(business: Business, phone: Phone, text: str) -> None:
    """Let the customer write to the business."""
    assert phone.program is not None
    phone.program.say(to=business.facts["number"], text=text)


async def talk(business: Business, phone: Phone, word: str) -> None:
    """Let both write and read."""
    await business.insist(NUMBER, f"{word}?", key=word.replace(" ", "-"))
    await soon(lambda: f"{word}?" in phone.texts)
    await say(business, phone, f"{word}!")
    await soon(lambda: f"{word}!" in business.receiver.texts)


@pytest.mark.parametrize("victim", ["phone", "core"])
def test_what_a_phone_without_its_session_could_not_read_is_shown_once(
    tell: Tell, business: Business, phone: Phone, victim: str
):
    async def story() -> None:
        await talk(business, phone, f"before {victim}")
        await phone.stop()
        drop_sessions(business.folder.parent / f"phone-{NUMBER}" / "phone.sqlite")
        texts = [f"lost {victim} {number}" for number in range(3)]
        ids = [await business.insist(NUMBER, text, key=text.replace(" ", "-")) for text in texts]
        await phone.start()
        assert phone.program is not None
        if victim == "phone":
            await phone.program.fact(event="unreadable")
            await phone.kill()
            await phone.start()
        else:
            await business.kill(victim)
        await soon(lambda: set(texts) <= set(phone.texts), 60, lambda: phone.texts)
        shown = [fact for fact in phone.messages if fact["text"] in texts]
        assert sorted({(fact["id"], fact["text"]) for fact in shown}) == sorted(
            (one[4:], text) for one, text in zip(ids, texts, strict=True)
        )
        await talk(business, phone, f"after {victim}")
        assert sorted(text for text in phone.texts if text.startswith(f"lost {victim}")) == texts
        assert positions_used_twice(business.journal) == []

    tell(story())


def test_what_a_core_without_its_sessions_could_not_read_is_at_the_webhook_once(
    tell: Tell, business: Business, phone: Phone
):
    async def story() -> None:
        await talk(business, phone, "before the core")
        assert await business.stop() == 0
        drop_sessions(business.folder / "core" / "core.sqlite")
        await business.start()
        texts = [f"core lost {number}" for number in range(3)]
        for text in texts:
            await say(business, phone, text)
        await business.kill("core")
        receiver = business.receiver
        await soon(lambda: set(texts) <= set(receiver.texts), 60, lambda: receiver.texts)
        await talk(business, phone, "after the core")
        assert sorted(text for text in receiver.texts if text.startswith("core lost")) == texts
        assert receiver.changed_ids == receiver.unverified == []

    tell(story())
