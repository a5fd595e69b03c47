"""/v1/services: what the core does in the background when it is asked to."""

from functools import partial

from api.answer import V1, Answer, answer_json
from api.auth import Keys
from api.gateway import Core
from api.operation import AWAY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import META
from api.shapes.stats import ServicesAnswer
from corefast.wire.gateway import Done, Scope
from corefast.wire.stats import Collect, Litter


class Services:
    """For administrators; a webhook tells the end."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self.message = Resource("v1.services.message.gc", V1, PUT=partial(self._collect, Litter.MESSAGES))
        self.media = Resource("v1.services.media.gc", V1, PUT=partial(self._collect, Litter.MEDIA))

    async def _collect(self, what: Litter, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        await self._core.call(Collect(caller.account, what), Done)
        return answer_json(200, {"services": {what.value: {"gc": {"status": "processing"}}}, "meta": META})


def _operation(what: Litter, summary: str) -> Operation:
    return Operation(
        method="PUT",
        path=f"/v1/services/{what.value}/gc",
        id=f"collect{what.value.title()}",
        tag="operations",
        summary=f"{summary}; a webhook tells how many (administrators)",
        answer=ServicesAnswer,
        errors=(*CALLER, *AWAY),
    )


OPERATIONS = (
    _operation(Litter.MESSAGES, "Forget messages older than --keep-messages-days now"),
    _operation(Litter.MEDIA, "Forget own media that were not sent for 30 days now"),
)
