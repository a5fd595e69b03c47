"""A business's webhook endpoint: verifies each signature by the reference library and keeps what came."""

import json
from typing import Any

import standardwebhooks
from aiohttp import web

from tests.support.programs import free_port

Fact = dict[str, Any]


class Receiver:
    """Answers 200, or what `answer_with` says; keeps each verified event once, in the order of its first arrival.

    `statuses` are those of each message; `changed_ids` came again with another body.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.secret = ""
        self.answer_with = 200
        self.bodies: dict[str, bytes] = {}
        self.changed_ids: list[str] = []
        self.statuses: dict[str, list[str]] = {}
        self.messages: list[Fact] = []
        """Those of customers and of the system."""
        self.texts: list[str] = []
        self.names: list[str] = []
        self.unverified: list[dict[str, str]] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            standardwebhooks.Webhook(self.secret).verify(body, dict(request.headers))
        except standardwebhooks.WebhookVerificationError:
            self.unverified.append(dict(request.headers))
        else:
            self._take(request.headers["webhook-id"], body)
        return web.Response(status=self.answer_with)

    def _take(self, event_id: str, raw: bytes) -> None:
        if event_id in self.bodies:
            self.changed_ids += [event_id] * (self.bodies[event_id] != raw)
            return
        self.bodies[event_id] = raw
        body: Fact = json.loads(raw)
        for status in body.get("statuses", []):
            self.statuses.setdefault(status["id"], []).append(status["status"])
        self.messages += body.get("messages", [])
        self.texts += [message["text"]["body"] for message in body.get("messages", []) if "text" in message]
        self.names += [contact["profile"].get("name", "") for contact in body.get("contacts", [])]
