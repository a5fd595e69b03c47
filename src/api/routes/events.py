"""/v1/events: the feed of everything that happened, read with a cursor; the equal of webhooks without a server."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec

from api.answer import V1, Answer, answer_json
from api.auth import Keys
from api.errors import ClientGone
from api.gateway import Core
from api.operation import AWAY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import EventsAnswer, FeedEvent
from api.webhooks.bodies import encode_body
from corefast.errors import Overloaded, ParameterInvalid
from corefast.limits import CALL_TIMEOUT_MS, MAX_PAGE, MAX_POLLS, MAX_WAIT_MS
from corefast.wire.event import Events, ReadEvents
from corefast.wire.gateway import Scope

_DEFAULT_PAGE = 100
_MAX_CURSOR = 512


class EventFeed:
    """A poll waits for the first event, for its client's departure, or for the front to drain."""

    def __init__(self, core: Core, keys: Keys, draining: asyncio.Event) -> None:
        self._core = core
        self._keys = keys
        self._draining = draining
        self._polls: set[asyncio.Task[Events]] = set()
        self.resource = Resource("v1.events", V1, GET=self._read)

    async def _read(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.READ)
        query = request.query()
        after = query.get("after", "")
        if len(after) > _MAX_CURSOR:
            raise ParameterInvalid("`after` has to be a cursor that an earlier answer gave")
        wanted = ReadEvents(
            key.account,
            after,
            _whole(query.get("limit", ""), "limit", _DEFAULT_PAGE, 1, MAX_PAGE),
            _wait_ms(query.get("wait", "")),
        )
        if wanted.wait_ms == 0:
            return _tell(await self._core.call(wanted, Events))
        events = await self._poll(request, wanted)
        if events.events:
            await self._keys.require(request, Scope.READ)  # it may have been revoked meanwhile
        return _tell(events)

    async def _poll(self, request: Request, wanted: ReadEvents) -> Events:
        """Return the core's answer, or nothing new when the front drains first; the call may outlive the client."""
        if len(self._polls) >= MAX_POLLS:
            raise Overloaded("too many polls are open at this front")
        call = self._keep(self._core.call(wanted, Events, timeout_ms=wanted.wait_ms + CALL_TIMEOUT_MS))
        gone = asyncio.ensure_future(request.disconnected())
        drained = asyncio.ensure_future(self._draining.wait())
        try:
            await asyncio.wait((call, gone, drained), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            drained.cancel()
        if call.done():
            return call.result()
        if self._draining.is_set():
            return Events([], wanted.after, "")
        raise ClientGone()

    def _keep(self, call: Coroutine[Any, Any, Events]) -> asyncio.Task[Events]:
        task = asyncio.ensure_future(call)
        self._polls.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Events]) -> None:
        self._polls.discard(task)
        if not task.cancelled():
            task.exception()  # its client may be gone: nobody else asks


def _tell(events: Events) -> Answer:
    told = [FeedEvent(event.id, event.kind, event.at_ms, msgspec.Raw(encode_body(event))) for event in events.events]
    return answer_json(200, EventsAnswer(told, events.cursor, events.oldest))


def _wait_ms(text: str) -> int:
    return _whole(text, "wait", 0, 0, MAX_WAIT_MS // 1_000, "seconds ") * 1_000


def _whole(text: str, name: str, default: int, least: int, most: int, unit: str = "") -> int:
    if not text:
        return default
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
    if not least <= value <= most:
        raise ParameterInvalid(f"`{name}` has to be a whole number {unit}from {least} to {most}")
    return value


def _query(name: str, shape: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": shape, "description": description}


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/events",
        id="getEvents",
        tag="events",
        summary="What happened since",
        parameters=(
            _query("after", {"type": "string"}, "The cursor of the last answer; without it, the oldest event kept."),
            _query(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": _DEFAULT_PAGE},
                "Events at most.",
            ),
            _query(
                "wait",
                {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_MS // 1_000, "default": 0},
                "Seconds to wait for the first one.",
            ),
        ),
        answer=EventsAnswer,
        errors=(*CALLER, "cursor.invalid", *AWAY),
    ),
)
