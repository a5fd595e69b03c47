"""Paths that no route matches: one with a slash too many is set right, any other is 404 in the shape of its part."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from api.answer import PROBLEMS, V1, Answer
from api.errors import PathUnknown
from api.request import Request
from api.resource import Resource


class _Unknown(Resource):
    """Answers every method alike."""

    async def _answer(self, method: str, request: Request) -> Answer:
        return self._shape.refuse(PathUnknown("there is no such path; /docs lists them"))


_PARTS = ("/v1/", "/api/")
_SLASHES = re.compile("/{2,}")


def tidy(path: str) -> str:
    """Return *path* as it is written here, where it has slashes too many at its end or in a row.

    Clients join a base URL that ends in a slash with a path that begins with one, and some end every path with one.
    Only what integrations call is so: a proxy that keeps /metrics to itself does not have to know other spellings.
    """
    tidied = _SLASHES.sub("/", path).rstrip("/")
    return tidied if tidied.startswith(_PARTS) else path


class Fallback:
    """Starlette's default: what no route matched. *router* is asked again for a path that had to be tidied."""

    router: ASGIApp

    def __init__(self) -> None:
        self._v1 = _Unknown("unknown", V1)
        self._other = _Unknown("unknown", PROBLEMS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (path := tidy(scope["path"])) != scope["path"]:
            await self.router({**scope, "path": path}, receive, send)
            return
        endpoint = self._v1 if scope["path"].startswith("/v1/") or scope["path"] == "/v1" else self._other
        await endpoint(scope, receive, send)
