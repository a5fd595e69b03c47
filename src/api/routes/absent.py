"""Parts of the on-premises API that corefast does not have: 501 with a sentence, for those who may call at all."""

from typing import NamedTuple

from starlette.routing import Route

from api.answer import V1, Answer
from api.auth import Keys
from api.errors import PathAbsent
from api.operation import AWAY, Operation
from api.request import Request
from api.resource import Resource

STICKERS = "sticker packs have no meaning here: send a sticker as a message of its own, type `sticker`"
GROUPS = "a group's founder alone administers it here: PUT /v1/groups/{id} and POST or DELETE …/participants"
LEAVE = "a business does not leave a group here: its founder removes it, by DELETE …/participants or on the phone"


class Part(NamedTuple):
    """A path with its methods, and why there is nothing."""

    path: str
    methods: tuple[str, ...]
    reason: str


PARTS = (
    Part("/v1/stickerpacks", ("GET", "POST"), STICKERS),
    Part("/v1/stickerpacks/{pack}", ("GET", "PATCH", "DELETE"), STICKERS),
    Part("/v1/stickerpacks/{pack}/stickers", ("GET", "POST"), STICKERS),
    Part("/v1/stickerpacks/{pack}/stickers/{index}", ("GET", "PATCH", "DELETE"), STICKERS),
    Part("/v1/groups/{group}/icon", ("GET", "POST", "DELETE"), GROUPS),
    Part("/v1/groups/{group}/invite", ("GET", "DELETE"), GROUPS),
    Part("/v1/groups/{group}/leave", ("POST",), LEAVE),
    Part("/v1/groups/{group}/admins", ("PATCH", "DELETE"), GROUPS),
)


class Absent:
    """One resource for each path; the body of a request is not looked at."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.routes = [Route(part.path, self._resource(part)) for part in PARTS]

    def _resource(self, part: Part) -> Resource:
        async def refuse(request: Request) -> Answer:
            await self._keys.require(request)
            raise PathAbsent(part.reason)

        return Resource("absent", V1, **dict.fromkeys(part.methods, refuse))


OPERATIONS = tuple(
    Operation(
        method=method,
        path=part.path,
        id=f"absent{method.title()}{part.path.title().replace('/V1', '').translate({ord(c): None for c in '/{}'})}",
        tag="absent",
        summary=f"Not served: {part.reason}",
        status=501,
        note="Not served.",
        errors=("token.invalid", "path.absent", *AWAY),
    )
    for part in PARTS
    for method in part.methods
)
