"""GET /v1/events."""

import asyncio

import pytest
import uvloop

from api.webhooks.bodies import encode_body
from corefast.errors import CursorInvalid, TokenInvalid
from corefast.wire.body import Text
from corefast.wire.event import Event, EventKind, Events, ReadEvents
from corefast.wire.gateway import CheckKey

from ..support.fake_core import FakeCore
from .front import front

EVENT = Event(
    "evt_1",
    0,
    7,
    EventKind.MESSAGE,
    1_900_000_000_123,
    peer="49123123456",
    message_id="ABGGx",
    body=Text("hi"),
    name="Ada",
)


def feed(core: FakeCore, *events: Event) -> None:
    core.on[ReadEvents] = lambda message: Events(list(events), "cursor2", "cursor0")


@pytest.mark.covers("GET /v1/events")
def test_an_event_has_the_body_that_the_webhook_gets():
    async def main():
        core = FakeCore()
        feed(core, EVENT)
        async with front(core) as api:
            reply = await api.ask("GET", "/v1/events?after=cursor1&limit=5")
            assert core.calls[-1] == ReadEvents("493023125000", "cursor1", 5, 0)
            assert reply.status == 200
            assert encode_body(EVENT) in reply.body
            answer = reply.json
            assert (answer["cursor"], answer["oldest"]) == ("cursor2", "cursor0")
            (event,) = answer["events"]
            assert (event["id"], event["kind"], event["at_ms"]) == ("evt_1", "message", 1_900_000_000_123)
            assert event["body"]["messages"][0]["text"] == {"body": "hi"}
            assert "errors" not in answer

    uvloop.run(main())


@pytest.mark.covers("GET /v1/events")
def test_a_poll_is_answered_when_something_happens():
    async def main():
        core, happened = FakeCore(), asyncio.Event()

        async def wait(message):
            assert message.wait_ms == 60_000
            await happened.wait()
            return Events([EVENT], "cursor2", "cursor0")

        core.on[ReadEvents] = wait
        async with front(core) as api:
            poll = asyncio.ensure_future(api.ask("GET", "/v1/events?wait=60"))
            while not any(isinstance(call, ReadEvents) for call in core.calls):
                await asyncio.sleep(0)
            assert not poll.done()
            happened.set()
            assert len((await poll).json["events"]) == 1

    uvloop.run(main())


@pytest.mark.covers("GET /v1/events", 1005)
def test_a_poll_tells_nothing_once_its_key_is_revoked(monkeypatch):
    monkeypatch.setattr("api.auth.KEY_CACHE_MS", 0)

    async def main():
        core, happened = FakeCore(), asyncio.Event()

        async def wait(message):
            await happened.wait()
            return Events([EVENT], "cursor2", "cursor0")

        def refuse(message):
            raise TokenInvalid("revoked")

        core.on[ReadEvents] = wait
        async with front(core) as api:
            poll = asyncio.ensure_future(api.ask("GET", "/v1/events?wait=60"))
            while not any(isinstance(call, ReadEvents) for call in core.calls):
                await asyncio.sleep(0)
            core.on[CheckKey] = refuse
            happened.set()
            reply = await poll
            assert reply.status == 401 and b"hi" not in reply.body

    uvloop.run(main())


@pytest.mark.covers("GET /v1/events")
def test_a_poll_ends_empty_when_the_front_drains():
    async def main():
        core = FakeCore()
        core.on[ReadEvents] = lambda message: asyncio.Event().wait()
        async with front(core) as api:
            poll = asyncio.ensure_future(api.ask("GET", "/v1/events?wait=60&after=cursor1"))
            while not any(isinstance(call, ReadEvents) for call in core.calls):
                await asyncio.sleep(0)
            api.draining.set()
            answer = await poll
            assert (answer.status, answer.json["events"], answer.json["cursor"]) == (200, [], "cursor1")

    uvloop.run(main())


def test_a_client_that_leaves_its_poll_harms_nobody():
    async def main():
        core, happened = FakeCore(), asyncio.Event()

        async def wait(message):
            await happened.wait()
            raise CursorInvalid("after all")

        core.on[ReadEvents] = wait
        async with front(core) as api:
            poll = asyncio.ensure_future(api.ask("GET", "/v1/events?wait=60"))
            while not any(isinstance(call, ReadEvents) for call in core.calls):
                await asyncio.sleep(0)
            poll.cancel()
            await asyncio.wait((poll,))
            happened.set()
            assert (await api.send()).status == 201

    uvloop.run(main())


@pytest.mark.covers("GET /v1/events")
@pytest.mark.covers("GET /v1/events", 1009)
def test_a_query_that_makes_no_sense_is_refused():
    queries = ("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1e3", "wait=61", "wait=x", "wait=\u0661")
    queries += ("limit=99999999999999999999", "after=" + "x" * 600, "&".join(f"a{n}=1" for n in range(40)))

    async def main():
        core = FakeCore()
        feed(core)
        async with front(core) as api:
            for query in queries:
                reply = await api.ask("GET", f"/v1/events?{query}")
                assert (query, reply.status, reply.v1_code) == (query, 400, 1009)
            assert (await api.ask("GET", "/v1/events?unknown=1&limit=&wait=")).json["events"] == []

    uvloop.run(main())


@pytest.mark.covers("GET /v1/events", 1009)
def test_a_cursor_that_the_core_does_not_know_is_refused():
    def refuse(message):
        raise CursorInvalid("this cursor is none of ours")

    async def main():
        core = FakeCore()
        core.on[ReadEvents] = refuse
        async with front(core) as api:
            reply = await api.ask("GET", "/v1/events?after=garbage")
            assert (reply.status, reply.v1_code) == (400, 1009)

    uvloop.run(main())
