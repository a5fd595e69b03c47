"""An ASGI endpoint for one path: finds the method's handler, sends its answer, tells every error in one shape."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from random import getrandbits

from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from api.answer import Answer, Shape, StreamAnswer
from api.errors import ClientGone, MethodNotAllowed, row_of
from api.request import Request
from corefast import metrics
from corefast.errors import CorefastError
from corefast.logs import get_logger

log = get_logger()

Handler = Callable[[Request], Awaitable[Answer]]


class Resource:
    """One path of the API. *name* is its label in metrics; HEAD and OPTIONS come for free."""

    def __init__(self, name: str, shape: Shape, **handlers: Handler) -> None:
        self.name = name
        self._shape = shape
        self._handlers = dict(handlers)
        if "GET" in handlers:
            self._handlers["HEAD"] = handlers["GET"]
        self._allowed = ", ".join(sorted({*self._handlers, "OPTIONS"}))
        self._handlers["OPTIONS"] = self._options
        self._seconds = metrics.api_request_seconds.labels(name)
        self._counts: dict[int, Counter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request = Request(scope, receive, f"{getrandbits(128):032x}")
        try:
            answer = await self._answer(scope["method"], request)
        except ClientGone:
            return
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": answer.head(request.id),
            }
        )
        if isinstance(answer, StreamAnswer):
            if not await self._stream(scope["method"], request, send, answer):
                return
        else:
            await send({"type": "http.response.body", "body": answer.body})
        self._count(answer.status).inc()
        self._seconds.observe(time.perf_counter() - began)

    async def _stream(self, method: str, request: Request, send: Send, answer: StreamAnswer) -> bool:
        """Send the pieces; return whether all of them went out. The server hangs up where they did not."""
        gone = asyncio.ensure_future(request.disconnected())
        try:
            async with contextlib.aclosing(answer.pieces):
                if method != "HEAD":
                    async for piece in answer.pieces:
                        if gone.done():
                            return False
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return True
        except CorefastError as error:
            log.warning("an answer broke off", route=self.name, request_id=request.id, code=error.code)
            return False
        finally:
            gone.cancel()

    async def _answer(self, method: str, request: Request) -> Answer:
        handler = self._handlers.get(method)
        try:
            if handler is None:
                raise MethodNotAllowed(method, self._allowed)
            return await handler(request)
        except ClientGone:
            raise
        except CorefastError as error:
            if row_of(error).status == 500:
                log.error("a request failed", route=self.name, request_id=request.id, code=error.code)
            return self._shape.refuse(error)
        except Exception as error:
            log.exception("a request failed", route=self.name, request_id=request.id)
            return self._shape.refuse(error)

    async def _options(self, request: Request) -> Answer:
        return Answer(204, b"", (b"allow", self._allowed.encode()))

    def _count(self, status: int) -> Counter:
        count = self._counts.get(status)
        if count is None:
            count = self._counts[status] = metrics.api_requests.labels(self.name, str(status))
        return count
