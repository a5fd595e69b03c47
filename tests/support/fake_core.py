"""A core that answers from a script: behind a real link, or as an object where the link is of no interest."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from corefast.errors import CorefastError, RemoteRefused
from corefast.link.secure import responder_psk
from corefast.net.calls import Dispatcher
from corefast.net.server import Server, serve
from corefast.net.transport import Peer
from corefast.wire import gateway
from corefast.wire.codec import gateway_codec
from corefast.wire.gateway import Scope

SECRET = bytes(range(32))
KEY = "cf_test_of_everything"
READER = "cf_test_read_only"
SENDER = "cf_test_send_only"

SCOPES = {KEY: tuple(Scope), READER: (Scope.READ,), SENDER: (Scope.SEND,)}
VIEWS = {
    hashlib.sha256(key.encode()).digest(): gateway.KeyView(f"key_{index}", "test", "493023125000", scopes, 0)
    for index, (key, scopes) in enumerate(SCOPES.items())
}

Script = Callable[[Any], Any]


class FakeCore:
    """Knows three keys and accepts every message; `on[Type] = function` scripts the rest (return, raise or await)."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.on: dict[type, Script] = {
            gateway.CheckKey: check_key,
            gateway.Send: lambda message: gateway.Accepted("gBGGaccepted", message.to),
            gateway.GetHealth: lambda message: health(),
            gateway.GetMetrics: lambda message: gateway.Metrics("# HELP corefast_core_x X.\ncorefast_core_x 1\n"),
        }
        self.server: Server | None = None

    def sent(self) -> list[gateway.Send]:
        return [call for call in self.calls if isinstance(call, gateway.Send)]

    async def answer(self, message: Any) -> Any:
        self.calls.append(message)
        result = self.on[type(message)](message)
        return await result if isinstance(result, Awaitable) else result

    # ── as an object ───────────────────────────────────────────────────────────────────────────────────────────────

    async def call(self, message: Any, answer: type, *, timeout_ms: int = 0, link_wait_ms: int = 0) -> Any:
        try:
            return await self.answer(message)
        except CorefastError as error:
            raise RemoteRefused(error.code, str(error), getattr(error, "retry_after_ms", 0)) from None

    # ── behind a link ──────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, port: int = 0) -> str:
        """Serve the gateway protocol; return HOST:PORT."""

        async def answer(peer: Peer, message: Any) -> Any:
            return await self.answer(message)

        functions = {kind: answer for kind in gateway.Message.__args__}
        self.server = await serve(
            "127.0.0.1", port, responder_psk([SECRET]), gateway_codec, lambda peer: Dispatcher(functions)
        )
        return f"127.0.0.1:{self.server.port}"

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.close()


def check_key(message: gateway.CheckKey) -> gateway.KeyView:
    view = VIEWS.get(message.digest)
    if view is None:
        raise RemoteRefused("token.invalid", "no such API key")
    return view


def health(**changes: Any) -> gateway.Health:
    facts = dict(
        node="core",
        number="493023125000",
        gateway_status="connected",
        store_ok=True,
        keys_ok=True,
        waiting_messages=0,
        waiting_deliveries=0,
        version="0.1.0",
    )
    return gateway.Health(**(facts | changes))


def write_secret(folder: Path, name: str = "front.secret") -> Path:
    path = folder / name
    path.write_text(base64.urlsafe_b64encode(SECRET).rstrip(b"=").decode() + "\n")
    return path
