"""Is it alive, is it ready, and how is the gateway: for orchestrators, load balancers and the original's clients."""

import asyncio
from collections.abc import Callable

from api.answer import PROBLEMS, V1, Answer, answer_json
from api.auth import Keys
from api.errors import V1_TITLES
from api.gateway import Core
from api.operation import Operation
from api.request import Request
from api.resource import Resource
from api.schema import Checks, ErrorItem, GatewayHealth, HealthAnswer, LiveAnswer, ReadyAnswer
from corefast.errors import CorefastError
from corefast.wire.gateway import GetHealth, Health

REUSE_MS = 250
"""Probes need no key, so their number must not become calls to the core."""

PROBE_TIMEOUT_MS = 2_000


class HealthView:
    """`/livez` is about this process, `/readyz` about what a send needs, `/v1/health` in the original's words."""

    def __init__(self, core: Core, keys: Keys, draining: asyncio.Event, clock_ms: Callable[[], int]) -> None:
        self._core = core
        self._keys = keys
        self._draining = draining
        self._clock_ms = clock_ms
        self._latest: asyncio.Task[Health] | None = None
        self._latest_ms = 0
        self.live = Resource("livez", PROBLEMS, GET=self._live)
        self.ready = Resource("readyz", PROBLEMS, GET=self._ready)
        self.v1 = Resource("v1.health", V1, GET=self._v1)

    async def _live(self, request: Request) -> Answer:
        return answer_json(200, LiveAnswer())

    async def _ready(self, request: Request) -> Answer:
        if self._draining.is_set():
            return answer_json(503, ReadyAnswer("draining", Checks(False, False, False, "")))
        try:
            health = await self._ask()
        except CorefastError:
            return answer_json(503, ReadyAnswer("not ready", Checks(False, False, False, "")))
        checks = Checks(True, health.store_ok, health.keys_ok, health.gateway_status)
        is_ready = health.store_ok and health.keys_ok
        return answer_json(200 if is_ready else 503, ReadyAnswer("ready" if is_ready else "not ready", checks))

    async def _v1(self, request: Request) -> Answer:
        caller = await self._keys.require(request)
        health = await self._core.call(
            GetHealth(caller.account), Health, timeout_ms=PROBE_TIMEOUT_MS, link_wait_ms=PROBE_TIMEOUT_MS // 4
        )
        return answer_json(200, HealthAnswer(GatewayHealth(health.gateway_status, _troubles(health))))

    async def _ask(self) -> Health:
        """Return the core's health, at most `REUSE_MS` old; callers at the same time share one call."""
        task = self._latest
        if task is None or (task.done() and self._clock_ms() - self._latest_ms > REUSE_MS):
            call = self._core.call(GetHealth(), Health, timeout_ms=PROBE_TIMEOUT_MS, link_wait_ms=PROBE_TIMEOUT_MS // 4)
            task = self._latest = asyncio.ensure_future(call)
            task.add_done_callback(self._answered)
        return await asyncio.shield(task)

    def _answered(self, task: asyncio.Task[Health]) -> None:
        self._latest_ms = self._clock_ms()
        if not task.cancelled():
            task.exception()  # its caller may be gone: nobody else asks


def _troubles(health: Health) -> list[ErrorItem]:
    """Return what is wrong with a node besides its link."""
    troubles = []
    if not health.store_ok:
        troubles.append(ErrorItem(1023, V1_TITLES[1023], "the core's database does not answer, or takes no commits"))
    if not health.keys_ok:
        troubles.append(ErrorItem(1011, V1_TITLES[1011], "another copy of the account took over; choose one"))
    return troubles


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/health",
        id="health",
        tag="operations",
        summary="How the gateway is",
        answer=HealthAnswer,
        errors=("token.invalid", "link"),
    ),
    Operation(
        method="GET",
        path="/readyz",
        id="ready",
        tag="operations",
        summary="Whether a send would be accepted",
        answer=ReadyAnswer,
        more={503: ReadyAnswer},
        security="",
    ),
    Operation(
        method="GET",
        path="/livez",
        id="live",
        tag="operations",
        summary="Whether this process runs",
        answer=LiveAnswer,
        security="",
    ),
)
