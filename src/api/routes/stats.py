"""/v1/stats and /v1/support: figures in the original's words, and what somebody who helps has to know."""

from datetime import UTC, datetime

from api.answer import NO_CACHE, V1, Answer, answer_json
from api.auth import Keys
from api.figures import Figures, as_original, as_own, as_text, of_counts
from api.gateway import Core
from api.operation import AWAY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import META
from api.shapes.stats import FORMAT, StatsAnswer, SupportAnswer, SupportFacts
from corefast import metrics
from corefast.errors import ParameterInvalid
from corefast.wire.gateway import GetMetrics, Metrics, Scope
from corefast.wire.stats import Counts, GetCounts, GetSupport, Support

TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_SOCKETS = {"connected": "UP", "connecting": "SC", "disconnected": "DN"}


class Stats:
    """For everybody with a key: monitoring has one of no scope."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self.app = Resource("v1.stats.app", V1, GET=self._app)
        self.app_internal = Resource("v1.stats.app.internal", V1, GET=self._app_internal)
        self.db = Resource("v1.stats.db", V1, GET=self._db)
        self.db_internal = Resource("v1.stats.db.internal", V1, GET=self._db_internal)
        self.support = Resource("v1.support", V1, GET=self._support)

    async def _form(self, request: Request) -> str:
        """Return in which form the figures are wanted by somebody who may see them: they are dear to collect."""
        await self._keys.require(request)
        form = request.query().get("format", "json")
        if form not in ("json", "prometheus"):
            raise ParameterInvalid("`format` is prometheus or json")
        return form

    async def _app(self, request: Request) -> Answer:
        form = await self._form(request)
        return _tell(form, "app", as_original(await self._text() + metrics.render("api")))

    async def _app_internal(self, request: Request) -> Answer:
        form = await self._form(request)
        return _tell(form, "app", as_own(await self._text()))

    async def _db(self, request: Request) -> Answer:
        form = await self._form(request)
        return _tell(form, "db", of_counts(await self._core.call(GetCounts(), Counts)))

    async def _db_internal(self, request: Request) -> Answer:
        form = await self._form(request)
        own = as_own(await self._text())
        return _tell(form, "db", {name: each for name, each in own.items() if name.startswith("corefast_store_")})

    async def _text(self) -> str:
        return (await self._core.call(GetMetrics(), Metrics)).text

    async def _support(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.READ)
        found = await self._core.call(GetSupport(caller.account), Support)
        return answer_json(200, SupportAnswer(_facts(found)))


def _tell(form: str, part: str, figures: Figures) -> Answer:
    if form == "prometheus":
        return Answer(200, as_text(figures).encode(), TEXT, NO_CACHE)
    return answer_json(200, {"stats": {part: figures}, "meta": META})


def _facts(found: Support) -> SupportFacts:
    return SupportFacts(
        debug_info=found.number,
        description=f"corefast {found.version}",
        device_iso8601=datetime.now(UTC).isoformat(timespec="seconds"),
        db_engine=found.database,
        db_info=found.database_version,
        schema=found.schema,
        free_space_data=found.free_bytes,
        multi_connect=len(found.shards) > 1,
        os_name=found.system,
        os_version=found.system_version,
        shards=found.shards,
        socket_conn=_SOCKETS.get(found.gateway_status, "UNK"),
    )


def _operation(path: str, name: str, summary: str) -> Operation:
    return Operation(
        method="GET",
        path=path,
        id=name,
        tag="operations",
        summary=summary,
        answer=StatsAnswer,
        parameters=(FORMAT,),
        errors=("token.invalid", "parameter.invalid", *AWAY),
        also_text=True,
    )


OPERATIONS = (
    _operation("/v1/stats/app", "appStats", "Figures of front and core, in the original's names"),
    _operation("/v1/stats/app/internal", "appStatsInternal", "All figures of the core, in its own names"),
    _operation("/v1/stats/db", "dbStats", "How much there is in the core's database"),
    _operation("/v1/stats/db/internal", "dbStatsInternal", "Figures of the core's commits"),
    Operation(
        method="GET",
        path="/v1/support",
        id="support",
        tag="operations",
        summary="What somebody who helps has to know; no secret",
        answer=SupportAnswer,
        errors=(*CALLER, *AWAY),
    ),
)
