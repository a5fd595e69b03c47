"""The state of each released schema, with data in it, under today's programs: nothing is lost and talks go on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from corefast.store.migrate import load_migrations
from tests.support.business import Business, soon
from tests.support.journal import positions_used_twice
from tests.support.mariadb import MariaDB
from tests.support.released import PHONE, PROGRAMS, VECTORS, Place, restore

RELEASED = sorted(path.name for path in VECTORS.iterdir())
WHISPER = 2


@pytest.fixture(params=["sqlite", "mysql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    server: MariaDB | None = request.getfixturevalue("server") if request.param == "mysql" else None
    return Place(tmp_path, server)


def corefast(place: Place, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "corefast", *arguments]
    environ = os.environ | place.environ()
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environ)
    return done.returncode, done.stdout + done.stderr


def migrate(place: Place, *flags: str) -> tuple[int, str]:
    return corefast(place, "migrate", "--data", str(place.data), *flags)


@pytest.mark.parametrize("release", RELEASED)
def test_a_released_schema_is_brought_up_and_its_talks_go_on(release: str, place: Place) -> None:
    expected = restore(VECTORS / release, place)
    code, said = migrate(place)
    assert code == 0, said
    for program in PROGRAMS:
        newest = len(load_migrations(f"corefast.{program}.store"))
        assert f"{program}: schema {newest}" in said
        counts = place.counts(program)
        assert expected["counts"][program].items() <= counts.items()
    uvloop.run(go_on(place, expected))


async def go_on(place: Place, expected: dict) -> None:
    business = Business(place.data, **place.environ())
    await business.open()
    try:
        assert business.facts["number"] == expected["number"]
        assert await business.states(expected["first"]) == ["accepted", "sent", "delivered", "read"]
        status, page = await business.request("GET", "/v1/events?after=&limit=1000")
        assert status == 200 and "an answer" in json.dumps(page)
        phone = await business.phone(PHONE)
        assert (await phone.until_texts(2))[-2:] == ["waits at the relay", "waits at the core"]
        for message in expected["waiting"]:
            await soon(lambda message=message: business.receiver.statuses.get(message, [])[-1:] == ["delivered"])
        await soon(lambda: "waits at the phone" in business.receiver.texts)
        # What no receiver took before the upgrade is delivered after it.
        await soon(lambda: "delivered" in business.receiver.statuses.get(expected["second"], []))
        again = await business.insist(PHONE, "the first one", "key-of-the-first")
        assert again == expected["first"]
        await business.send(PHONE, "after the upgrade")
        await soon(lambda: phone.texts[-1] == "after the upgrade")
        assert phone.program is not None
        phone.program.say(to=expected["number"], text="understood")
        await soon(lambda: "understood" in business.receiver.texts)
        await phone.stop()
    finally:
        assert await business.close() == 0
    kinds = {json.loads(line)["kind"] for line in business.journal.read_text().splitlines()}
    assert kinds == {WHISPER}, "the sessions of before are the ones that go on"
    assert positions_used_twice(business.journal) == []


def test_a_schema_of_a_later_release_is_refused_with_the_remedy(place: Place) -> None:
    assert migrate(place)[0] == 0
    later = "INSERT INTO schema_version SELECT 999, 'later'{0}, applied_s FROM schema_version WHERE number = 1"
    place.execute("relay", later.format(", 1" if place.is_on_server("relay") else ""))
    for said in (migrate(place), migrate(place, "--check"), corefast(place, "up", "--data", str(place.data))):
        assert said[0] != 0 and "the database has schema 999" in said[1] and "start the newer corefast" in said[1]
