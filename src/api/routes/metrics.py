"""/metrics: the front's own figures and the core's, in the Prometheus text format."""

from api.answer import NO_CACHE, PROBLEMS, V1, Answer, answer_json
from api.auth import Keys
from api.figures import as_own
from api.gateway import Core
from api.operation import Operation
from api.request import Request
from api.resource import Resource
from api.schema import META
from api.shapes.stats import FORMAT, MetricsAnswer
from corefast import metrics
from corefast.errors import CorefastError, ParameterInvalid
from corefast.wire.gateway import GetMetrics, Metrics

_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_TIMEOUT_MS = 2_000

_CORE_UP = """\
# HELP corefast_api_core_up 1 while the core answers.
# TYPE corefast_api_core_up gauge
corefast_api_core_up {}
"""


class MetricsView:
    """Without a core the front's own figures are served alone, with `corefast_api_core_up 0`."""

    def __init__(self, core: Core, keys: Keys, *, is_open: bool) -> None:
        self._core = core
        self._keys = keys
        self._is_open = is_open
        self.resource = Resource("metrics", PROBLEMS, GET=self._scrape)
        self.v1 = Resource("v1.metrics", V1, GET=self._read)

    async def _scrape(self, request: Request) -> Answer:
        if not self._is_open:
            await self._keys.require(request)
        return await self._tell(request, "prometheus")

    async def _read(self, request: Request) -> Answer:
        await self._keys.require(request)
        return await self._tell(request, "json")

    async def _tell(self, request: Request, default: str) -> Answer:
        try:
            found = await self._core.call(GetMetrics(), Metrics, timeout_ms=_TIMEOUT_MS, link_wait_ms=_TIMEOUT_MS // 4)
            theirs, is_up = found.text, 1
        except CorefastError:
            theirs, is_up = "", 0
        own = metrics.render("api", "link") + _CORE_UP.format(is_up)
        text = own + _without(theirs, names_in(own))
        form = request.query().get("format", default)
        if form == "json":
            return answer_json(200, {"metrics": as_own(text), "meta": META})
        if form != "prometheus":
            raise ParameterInvalid("`format` is prometheus or json")
        return Answer(200, text.encode(), _TEXT, NO_CACHE)


def names_in(text: str) -> set[str]:
    """Return the names of the metric families in *text*."""
    return {line.split(" ", 3)[2] for line in text.splitlines() if line.startswith("# HELP ")}


def _without(text: str, names: set[str]) -> str:
    """Return *text* without the families called *names*: a family may occur once (both processes have `process_…`)."""
    kept, is_kept = [], True
    for line in text.splitlines(keepends=True):
        if line.startswith("# HELP "):
            is_kept = line.split(" ", 3)[2] not in names
        if is_kept:
            kept.append(line)
    return "".join(kept)


OPERATIONS = (
    Operation(
        method="GET",
        path="/metrics",
        id="metrics",
        tag="operations",
        summary="Figures of front and core",
        answer=MetricsAnswer,
        also_text=True,
        parameters=(FORMAT,),
        errors=("parameter.invalid",),
        is_problem=True,
        note="Prometheus text, and JSON with ?format=json; with --no-open-metrics it takes a key.",
        security="",
    ),
    Operation(
        method="GET",
        path="/v1/metrics",
        id="metricsV1",
        tag="operations",
        summary="The same as JSON, and as text with ?format=prometheus",
        answer=MetricsAnswer,
        also_text=True,
        parameters=(FORMAT,),
        errors=("token.invalid", "parameter.invalid"),
    ),
)
