"""Planted words never appear where they must not: relay, logs at DEBUG, memory of the relay, any file of `up`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import Tell
from tests.support.business import Business, soon

NUMBER = "491713920020"
BODY = "CanaryBodyQuetzalcoatl"
ANSWER = "CanaryAnswerHuitzilopochtli"
NAME = "CanaryNameTlaloc"
WORDS = [word.encode() for word in (BODY, ANSWER, NAME)]


@pytest.fixture(scope="module")
def business(tell: Tell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    business = Business(tmp_path_factory.mktemp("secrets") / "data", COREFAST_LOG_LEVEL="debug")
    business.options += ("--log-level", "debug")
    tell(business.open())
    tell(exchange(business))
    yield business
    tell(business.close())


async def exchange(business: Business) -> None:
    """Words in both directions, one to a phone that is off, and requests that fail with them inside."""
    phone = await business.phone(NUMBER, "--name", NAME)
    assert phone.program is not None
    await business.send(NUMBER, f"{BODY} now")
    await phone.until_texts(1)
    phone.program.say(to=business.facts["number"], text=ANSWER)
    phone.program.say(read=[phone.messages[0]["id"]])
    await soon(lambda: ANSWER in business.receiver.texts)
    await phone.stop()
    await business.send(NUMBER, f"{BODY} later")
    await business.send("491713920098", f"{BODY} to nobody")
    for body in ({"to": BODY, "type": BODY}, {"to": NUMBER, "type": "text", "text": {"body": BODY * 300}}):
        status, _ = await business.request("POST", "/v1/messages", json=body)
        assert status == 400
    await business.request("GET", f"/v1/messages/{BODY}")
    await business.request("GET", f"/{BODY}")


def found_in(data: bytes) -> list[bytes]:
    return [word for word in WORDS if word in data]


def test_the_planted_words_did_arrive(business: Business):
    assert ANSWER in business.receiver.texts
    assert NAME in business.receiver.names


def test_no_file_of_up_has_a_planted_word(business: Business):
    files = [path for path in business.folder.rglob("*") if path.is_file()]
    assert {"relay.sqlite", "core.sqlite", "core.log", "api.log"} <= {path.name for path in files}
    assert {str(path): found for path in files if (found := found_in(path.read_bytes()))} == {}


def test_no_log_has_a_number_or_a_key_even_at_debug(business: Business):
    key = business.facts["api_key"].encode()
    secrets = [path.read_bytes().strip() for path in business.folder.rglob("*.secret")]
    assert len(secrets) == 2
    for log in business.folder.glob("logs/*.log"):
        text = log.read_bytes()
        assert not re.search(rb"(?<!\d)(491713920020|493023125000)(?!\d)", text), log
        assert not [secret for secret in [key, business.receiver.secret.encode(), *secrets] if secret in text], log
        assert all(json.loads(line) for line in text.splitlines()), log


def test_the_relays_memory_has_no_planted_word(business: Business):
    pid = business.pid("relay")
    assert pid is not None
    image = memory_of(pid)
    assert NUMBER.encode() in image, "the image is of a process that knows the number"
    assert found_in(image) == []


def memory_of(pid: int) -> bytes:
    """Return all that the process can read of itself: heap, stacks, mapped files."""
    parts = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, mode, *_ = line.split()
            if not mode.startswith("rw"):
                continue
            first, last = (int(end, 16) for end in span.split("-"))
            memory.seek(first)
            try:
                parts.append(memory.read(last - first))
            except OSError:  # not backed by memory, such as [vvar]
                continue
    return b"".join(parts)
