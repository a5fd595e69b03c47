"""Collecting garbage on request, and the event that tells its end."""

from pathlib import Path
from typing import Any

import pytest

from api.webhooks.bodies import encode_body
from corefast.store.database import Unit
from corefast.wire.event import Event, EventKind

from .real import Business, trade

MESSAGE, MEDIA = "/v1/services/message/gc", "/v1/services/media/gc"


async def told(b: Business) -> list[Any]:
    events = (await b.ask("GET", "/v1/events")).json["events"]
    return [each["body"]["services"] for each in events if "services" in each["body"]]


@pytest.mark.covers("PUT /v1/services/media/gc", "PUT /v1/services/message/gc")
@pytest.mark.covers("PUT /v1/services/message/gc", 1005)
def test_a_collection_answers_at_once_and_an_event_tells_how_many(tmp_path: Path) -> None:
    async def main(b: Business) -> None:
        await b.world.send("old")
        await b.world.statuses(2)
        b.world.clock.now_ms += 40 * 86_400_000
        core = b.world.business
        core.context.events.delete(unit := Unit(), core.context.events.last)
        await core.context.database.commit(unit)
        for path, name in ((MESSAGE, "message"), (MEDIA, "media")):
            reply = await b.ask("PUT", path)
            assert (reply.status, reply.json["services"]) == (200, {name: {"gc": {"status": "processing"}}})
            await b.world.events(1, EventKind.MESSAGES_COLLECTED if name == "message" else EventKind.MEDIA_COLLECTED)
        assert await told(b) == [
            [{"message": {"gc": {"messages_deleted": 1, "status": "complete"}}}],
            [{"media": {"gc": {"items_deleted": 0, "status": "complete"}}}],
        ]
        user = {"username": "ann.smith", "password": "Correct-Horse-1"}
        await b.ask("POST", "/v1/users", json=user)
        headers = {"Authorization": f"Bearer {await b.token('ann.smith', 'Correct-Horse-1')}"}
        assert (await b.ask("PUT", MESSAGE, headers=headers)).v1_code == 1005

    trade(main, tmp_path, keep_messages_days=30)


def test_a_collection_that_failed_says_so_without_a_number() -> None:
    event = Event("evt_1", 0, 1, EventKind.MESSAGES_COLLECTED, 0, count=-1)
    assert encode_body(event) == b'{"services":[{"message":{"gc":{"status":"failed"}}}]}'
