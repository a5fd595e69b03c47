"""A business and its customers in one group, each in a process of its own, with the core killed in between."""

from collections.abc import Iterator

import pytest

from tests.scenarios.conftest import Tell
from tests.support.business import Business, soon
from tests.support.journal import EVERYBODY, positions_used_twice, read
from tests.support.programs import Phone

ANN, BOB, CAROL, DAVE = (f"49171392004{at}" for at in range(4))


@pytest.fixture(scope="module")
def business(tell: Tell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    business = Business(tmp_path_factory.mktemp("groups") / "data")
    tell(business.open())
    yield business
    assert tell(business.close()) == 0


def say(phone: Phone, group: str, text: str) -> None:
    assert phone.program is not None
    phone.program.say(group=group, text=text)


async def told(phones: list[Phone], text: str) -> None:
    """Wait until each of them has shown it, in a group."""
    for phone in phones:
        await soon(lambda: text in phone.texts, what=lambda: (phone.number, phone.texts))  # noqa: B023
        assert next(each for each in phone.messages if each["text"] == text)["group"]


async def announce(business: Business, group: str, text: str, key: str) -> str:
    """Say it in the group, as often as it takes; return its id."""
    body = {"to": group, "recipient_type": "group", "type": "text", "text": {"body": text}}
    headers = business.headers | {"Idempotency-Key": key}

    async def once() -> str:
        try:
            status, answer = await business.request("POST", "/v1/messages", json=body, headers=headers)
        except OSError:
            return ""
        assert status in (201, 409, 503), answer
        return str(answer["messages"][0]["id"]) if status == 201 else ""

    for _ in range(100):
        if message_id := await once():
            return message_id
    raise AssertionError("the message was never accepted")


def check_that_nothing_is_in_clear(business: Business, group: str) -> None:
    """Neither subject nor words are in a file of the business or its relay, and no log names the group."""
    for file in business.folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"Regulars" not in content and b"hello from Ann" not in content, file
            if "logs" in file.parts:
                assert group.encode() not in content and ANN.encode() not in content, file


def test_group_talks_changes_and_goes_on_after_the_core_was_killed(tell: Tell, business: Business):
    async def story() -> None:
        receiver = business.receiver
        ann, bob, carol, dave = phones = [await business.phone(number) for number in (ANN, BOB, CAROL, DAVE)]
        body = {"subject": "Regulars", "participants": [ANN, BOB, CAROL]}
        status, answer = await business.request("POST", "/v1/groups", json=body)
        assert status == 201, answer
        group = answer["groups"][0]["id"]
        path = f"/v1/groups/{group}"
        for phone in (ann, bob, carol):
            assert phone.program is not None
            assert (await phone.program.fact(event="group"))["subject"] == "Regulars"

        first = await announce(business, group, "welcome", "1")
        await told([ann, bob, carol], "welcome")
        await soon(lambda: sorted(receiver.statuses.get(first, [])) == ["delivered"] * 3 + ["sent"] * 3)
        say(ann, group, "hello from Ann")
        await told([bob, carol], "hello from Ann")
        await soon(lambda: "hello from Ann" in receiver.texts)
        say(ann, group, "and once more")
        await soon(lambda: "and once more" in receiver.texts)
        heard = [each for each in receiver.messages if each.get("group_id") == group]
        assert [(each["from"], each["text"]["body"]) for each in heard] == [
            (ANN, "hello from Ann"),
            (ANN, "and once more"),
        ]

        await business.kill("core")
        await announce(business, group, "after the kill", "2")
        await told([ann, bob, carol], "after the kill")
        assert (await business.request("DELETE", f"{path}/participants", json={"wa_ids": [CAROL]}))[0] == 200
        assert (await business.request("POST", f"{path}/participants", json={"wa_ids": [DAVE]}))[0] == 200
        await business.kill("core")
        await announce(business, group, "among us", "3")
        await told([ann, bob, dave], "among us")
        say(dave, group, "hello from Dave")
        await told([ann, bob], "hello from Dave")
        await soon(lambda: "hello from Dave" in receiver.texts)

        assert bob.program is not None
        bob.program.say(leave=group)

        async def members() -> list[str]:
            return list((await business.request("GET", path))[1]["groups"][0]["participants"])

        while BOB in await members():
            pass
        await announce(business, group, "without Bob", "4")
        await told([ann, dave], "without Bob")
        assert await members() == [business.facts["number"], ANN, DAVE]
        assert carol.texts == ["welcome", "hello from Ann", "and once more", "after the kill"]
        assert "without Bob" not in bob.texts
        for phone in phones:
            await phone.stop()
        check_that_nothing_is_in_clear(business, group)

    tell(story())
    assert positions_used_twice(business.journal) == []
    shared = [position for position, _ in read(business.journal) if position[1] == EVERYBODY]
    assert len(shared) > len(set(shared)) >= 4
    assert len({chain for author, _, _, chain, _ in shared if author == business.facts["number"]}) >= 2
