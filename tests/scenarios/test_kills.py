"""`kill -9` of each program, and of `up`, while 120 messages are being posted.

Every 201 is on the phone exactly once and every event at the webhook, no status is missing, and no chain position
was ever used for two ciphertexts.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.scenarios.conftest import Tell
from tests.support.business import Business, soon
from tests.support.journal import positions_used_twice
from tests.support.programs import Phone

NUMBER = "491713920010"
COUNT = 120
POSTERS = 4
KILL_AT = (20, 55, 90)
"""After so many accepted messages; three times, because once may hit a quiet moment."""


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def business(
    request: pytest.FixtureRequest, tell: Tell, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Business]:
    """A business that keeps its state on each of the engines."""
    folder = tmp_path_factory.mktemp("kills")
    environ = request.getfixturevalue("server").settings(folder) if request.param == "mysql" else {}
    business = Business(folder / "data", **environ)
    tell(business.open())
    yield business
    assert tell(business.close()) == 0


@pytest.fixture(scope="module")
def phone(tell: Tell, business: Business) -> Iterator[Phone]:
    phone = tell(business.phone(NUMBER))
    yield phone
    tell(phone.stop())


@pytest.mark.parametrize("victim", ["core", "relay", "api", "webhooks", "phone", "up"])
def test_nothing_is_lost_or_doubled_when_it_is_killed(tell: Tell, business: Business, phone: Phone, victim: str):
    async def story() -> None:
        accepted: dict[str, str] = {}
        async with killing(business, phone, victim, accepted), asyncio.TaskGroup() as posters:
            for poster in range(POSTERS):
                posters.create_task(post(business, victim, poster, accepted))
        assert len(accepted) == COUNT

        await arrived(business, phone, accepted)
        shown = [text for text in phone.texts if text in accepted]
        assert sorted(shown) == sorted(accepted)
        for poster in range(POSTERS):
            mine = [text for text in shown if text.startswith(f"{victim} {poster} ")]
            assert mine == [f"{victim} {poster} {index}" for index in range(COUNT // POSTERS)]
        assert positions_used_twice(business.journal) == []

    tell(story())


async def post(business: Business, victim: str, poster: int, accepted: dict[str, str]) -> None:
    for index in range(COUNT // POSTERS):
        text = f"{victim} {poster} {index}"
        accepted[text] = await business.insist(NUMBER, text, key=text.replace(" ", "-"))


@contextlib.asynccontextmanager
async def killing(business: Business, phone: Phone, victim: str, accepted: dict[str, str]) -> AsyncIterator[None]:
    """Kill *victim* while the block runs; a killed phone is switched on again."""

    async def kill() -> None:
        for count in KILL_AT:
            await soon(lambda count=count: len(accepted) >= count, 60)
            if victim == "phone":
                await phone.kill()
                await phone.start()
            else:
                await business.kill(victim)

    killer = asyncio.ensure_future(kill())
    yield
    await killer


async def arrived(business: Business, phone: Phone, accepted: dict[str, str]) -> None:
    """Wait until each message is on the phone and each of its statuses at the webhook."""
    receiver = business.receiver

    def missing() -> list[str]:
        return [text for text, one in accepted.items() if len(receiver.statuses.get(one, [])) < 2]

    try:
        await soon(lambda: set(accepted) <= set(phone.texts), 60)
        await soon(lambda: not missing(), 60)
    except AssertionError:
        lost = sorted(set(accepted) - set(phone.texts))
        unreported = {
            text: (receiver.statuses.get(accepted[text]), await business.states(accepted[text])) for text in missing()
        }
        pytest.fail(f"not on the phone: {lost}; without their statuses: {unreported}")
    assert receiver.changed_ids == receiver.unverified == []
    orders = {tuple(dict.fromkeys(receiver.statuses[one])) for one in accepted.values()}
    assert orders == {("sent", "delivered")}


def test_after_a_kill_of_up_it_serves_within_five_seconds(tell: Tell, business: Business):
    async def story() -> None:
        took = [await business.restart()]
        while min(took) > 5 and len(took) < 3:  # a busy machine is given another chance
            took.append(await business.restart())
        assert min(took) <= 5
        assert (await business.request("GET", "/readyz"))[0] == 200

    tell(story())


def test_an_answer_of_the_phone_survives_a_kill_of_the_webhook_and_its_receiver(
    tell: Tell, business: Business, phone: Phone
):
    async def story() -> None:
        assert phone.program is not None
        await business.receiver.stop()
        for index in range(10):
            phone.program.say(to=business.facts["number"], text=f"answer {index}")
        await business.kill("webhooks")
        await business.receiver.start()
        answers = [f"answer {index}" for index in range(10)]
        await soon(lambda: set(answers) <= set(business.receiver.texts), 60, lambda: business.receiver.texts)
        assert [text for text in business.receiver.texts if text in answers] == answers
        assert business.receiver.changed_ids == []

    tell(story())


@pytest.mark.parametrize("business", ["sqlite"], indirect=True)  # no database has a part in it
def test_after_five_deaths_up_gives_up_with_the_last_error(tell: Tell, business: Business):
    async def story() -> None:
        assert business.program is not None
        program = business.program
        while program.process.returncode is None:
            with contextlib.suppress(TimeoutError, ProcessLookupError):
                await asyncio.wait_for(business.kill("api"), 5)
            await asyncio.sleep(0.1)
        assert program.process.returncode == 1
        assert any(line.startswith("corefast: giving up: api: ") for line in program.lines)
        await business.start()

    tell(story())
