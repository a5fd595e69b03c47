"""Paths that nobody serves: 404 in the shape of the part of the API that the path looks like."""

from starlette.types import Receive, Scope, Send

from api.answer import PROBLEMS, V1, Answer
from api.errors import PathUnknown
from api.request import Request
from api.resource import Resource


class _Unknown(Resource):
    """Answers every method alike."""

    async def _answer(self, method: str, request: Request) -> Answer:
        return self._shape.refuse(PathUnknown("there is no such path; /docs lists them"))


class Fallback:
    """Starlette's default: what no route matched."""

    def __init__(self) -> None:
        self._v1 = _Unknown("unknown", V1)
        self._other = _Unknown("unknown", PROBLEMS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._v1 if scope["path"].startswith("/v1/") or scope["path"] == "/v1" else self._other
        await endpoint(scope, receive, send)
