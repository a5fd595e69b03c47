"""openapi.json, derived from the structs that the routes decode and encode: it cannot drift from them.

`python -m api.openapi` prints it; docs/openapi.json is that output.
"""

import sys
from typing import Any

import msgspec

from api import schema
from api.errors import TABLE, V1_TITLES
from api.webhooks.bodies import Body
from corefast import __version__
from corefast.limits import MAX_BODY_BYTES, MAX_PAGE, MAX_WAIT_MS

_V1_ERRORS = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}
_PROBLEMS = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

_STRUCTS = (
    schema.SendRequest,
    schema.SendAnswer,
    schema.MessageAnswer,
    schema.EventsAnswer,
    schema.ChatRequest,
    schema.ChatAnswer,
    schema.HealthAnswer,
    schema.ReadyAnswer,
    schema.LiveAnswer,
    schema.ErrorAnswer,
    schema.Problem,
)

_SEND_STATUSES = (400, 401, 403, 409, 413, 422, 429, 503)
_READ_STATUSES = (400, 401, 403, 503)

_STATUS_WORDS = {
    400: "The request has to be changed; details say how.",
    401: "The API key is missing or not valid.",
    403: "The API key lacks the scope.",
    404: "There is no such thing.",
    409: "A request with this Idempotency-Key is running.",
    413: f"The body has more than {MAX_BODY_BYTES} bytes.",
    422: "This Idempotency-Key was used for another request.",
    429: "Too many requests; Retry-After says when.",
    503: "Overloaded, or the core is away; Retry-After says when.",
}

_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "Any unique text, such as a UUID. For 24 hours the same key gives the same answer, sent once.",
}


def describe() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    _, components = msgspec.json.schema_components(_STRUCTS, ref_template="#/components/schemas/{name}")
    _, hooks = msgspec.json.schema_components((Body,), ref_template="#/components/schemas/Webhook{name}")
    components |= {f"Webhook{name}": shape for name, shape in hooks.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "corefast",
            "version": __version__,
            "description": "End-to-end-encrypted messages to customers. Receive by webhook or by polling the events.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "messages", "description": "Send, and see what became of it."},
            {"name": "events", "description": "Receive without a server of your own."},
            {"name": "operations", "description": "For those who keep it running."},
        ],
        "security": [{"key": []}],
        "paths": {
            "/v1/messages": {"post": _send()},
            "/v1/messages/{id}": {"get": _look_up()},
            "/v1/events": {"get": _events()},
            "/api/v7/chat": {"post": _chat()},
            "/v1/health": {"get": _get("health", "How the gateway is", "HealthAnswer", _V1_ERRORS, (401, 503))},
            "/readyz": {"get": _probe("ready", "Whether a send would be accepted", "ReadyAnswer")},
            "/livez": {"get": _probe("live", "Whether this process runs", "LiveAnswer")},
            "/metrics": {"get": _metrics()},
        },
        "webhooks": {"event": {"post": _webhook()}},
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "cf_…, made by: corefast key new"}
            },
        },
        "x-errors": _errors(),
    }


def _send() -> dict[str, Any]:
    body = {"to": schema.NUMBER_EXAMPLE, "type": "text", "text": {"body": "Hello world!"}}
    operation = _post("sendMessage", "Send a message", "SendRequest", body)
    operation["responses"] = {"201": _ok("SendAnswer", "Accepted and durable.")} | _refusals(_V1_ERRORS, _SEND_STATUSES)
    return operation


def _chat() -> dict[str, Any]:
    body = {"id": schema.NUMBER_EXAMPLE, "message": "Hello world!"}
    operation = _post("chat", "Send a text, the short way (any version number)", "ChatRequest", body)
    form = {"schema": {"$ref": "#/components/schemas/ChatRequest"}}
    operation["requestBody"]["content"]["application/x-www-form-urlencoded"] = form
    operation["responses"] = {"201": _ok("ChatAnswer", "Accepted and durable.")} | _refusals(_PROBLEMS, _SEND_STATUSES)
    return operation


def _post(name: str, summary: str, shape: str, example: Any) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{shape}"}, "example": example}
    return {
        "operationId": name,
        "tags": ["messages"],
        "summary": summary,
        "parameters": [_IDEMPOTENCY],
        "requestBody": {"required": True, "content": {"application/json": content}},
    }


def _look_up() -> dict[str, Any]:
    operation = _get("getMessage", "One message and its history", "MessageAnswer", _V1_ERRORS, (401, 403, 404, 503))
    operation["tags"] = ["messages"]
    operation["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return operation


def _events() -> dict[str, Any]:
    operation = _get("getEvents", "What happened since", "EventsAnswer", _V1_ERRORS, _READ_STATUSES)
    operation["tags"] = ["events"]
    operation["parameters"] = [
        _query("after", {"type": "string"}, "The cursor of the last answer; without it, the oldest event kept."),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 100}, "Events at most."),
        _query(
            "wait",
            {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_MS // 1_000, "default": 0},
            "Seconds to wait for the first one.",
        ),
    ]
    return operation


def _query(name: str, shape: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": shape, "description": description}


def _get(name: str, summary: str, shape: str, errors: dict[str, Any], statuses: tuple[int, ...]) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": ["operations"],
        "summary": summary,
        "responses": {"200": _ok(shape, "As asked.")} | _refusals(errors, statuses),
    }


def _probe(name: str, summary: str, shape: str) -> dict[str, Any]:
    operation = _get(name, summary, shape, {}, ()) | {"security": []}
    if name == "ready":
        operation["responses"]["503"] = _ok(shape, "Not now.")
    return operation


def _metrics() -> dict[str, Any]:
    text = {"200": {"description": "Prometheus text.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    return {"operationId": "metrics", "tags": ["operations"], "summary": "Figures of front and core", "responses": text}


def _webhook() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/WebhookBody"}}}
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "operationId": "webhook",
        "tags": ["events"],
        "summary": "What corefast posts to your URL; answer 2xx (Standard Webhooks)",
        "security": [],
        "parameters": [{"name": name, "in": "header", "schema": {"type": "string"}} for name in names],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "Delivered. Anything but 2xx is tried again later; 410 turns it off."}},
    }


def _ok(shape: str, description: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}}}
    return {"description": description, "content": content}


def _refusals(content: dict[str, Any], statuses: tuple[int, ...]) -> dict[str, Any]:
    return {str(status): {"description": _STATUS_WORDS[status], "content": content} for status in statuses}


def _errors() -> list[dict[str, Any]]:
    """Every error with its two faces: what /docs lists, and where a problem's `type` points."""
    return [
        {"code": code, "status": row.status, "v1": row.v1_code, "title": V1_TITLES[row.v1_code], "remedy": row.remedy}
        for code, row in sorted(TABLE.items())
    ]


def encode() -> bytes:
    """Return the document as people like to read and compare it."""
    return msgspec.json.format(msgspec.json.encode(describe()), indent=2) + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(encode())
