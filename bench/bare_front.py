"""The floor under a front: Starlette and uvicorn as they come, one route that answers a constant 201."""

import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.programs import say

_ANSWER = b'{"messages":[{"id":"gBGGSRcAAAAAAgkLl0Y0Pw"}],"meta":{"version":"v0","api_status":"stable"}}'


async def send(request: Request) -> Response:
    await request.body()
    return Response(_ANSWER, 201, media_type="application/json")


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
    app = Starlette(routes=[Route("/v1/messages", send, methods=["POST"])])
    config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off", http="httptools")
    say(ready="bare", url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
