"""The database server dies, and comes back, while messages are being posted: nothing is lost or doubled."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.scenarios.conftest import Tell
from tests.scenarios.test_kills import COUNT, KILL_AT, NUMBER, POSTERS, arrived, post
from tests.support.business import Business, soon
from tests.support.journal import positions_used_twice
from tests.support.mariadb import MariaDB
from tests.support.programs import Phone


@pytest.fixture(scope="module")
def business(tell: Tell, server: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    folder = tmp_path_factory.mktemp("database")
    business = Business(folder / "data", **server.settings(folder))
    tell(business.open())
    yield business
    assert tell(business.close()) == 0


@pytest.fixture(scope="module")
def phone(tell: Tell, business: Business) -> Iterator[Phone]:
    phone = tell(business.phone(NUMBER))
    yield phone
    tell(phone.stop())


def test_nothing_is_lost_or_doubled_when_the_database_is_killed(
    tell: Tell, business: Business, phone: Phone, server: MariaDB
):
    async def story() -> None:
        accepted: dict[str, str] = {}

        async def kill() -> None:
            for count in KILL_AT:
                await soon(lambda count=count: len(accepted) >= count, 60)
                server.kill()
                await asyncio.sleep(0.5)
                server.start()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(kill())
            for poster in range(POSTERS):
                tasks.create_task(post(business, "database", poster, accepted))
        assert len(accepted) == COUNT
        await arrived(business, phone, accepted)
        for poster in range(POSTERS):
            mine = [text for text in phone.texts if text.startswith(f"database {poster} ")]
            assert mine == [f"database {poster} {index}" for index in range(COUNT // POSTERS)]
        assert positions_used_twice(business.journal) == []
        assert business.program is not None
        # No program died of it.
        assert not any("starting it again" in line for line in business.program.lines), business.program.lines

    tell(story())
