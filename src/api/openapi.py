"""openapi.json, derived from the structs that the routes decode and encode: it cannot drift from them.

`python -m api.openapi` prints it; docs/openapi.json is that output.
"""

import re
import sys
from typing import Any, get_args

import msgspec

from api import schema
from api.errors import TABLE, V1_TITLES
from api.operation import ACCOUNT, Operation
from api.routes import (
    absent,
    account,
    backup,
    certificates,
    chat,
    configs,
    contacts,
    events,
    groups,
    health,
    media,
    messages,
    metrics,
    profile,
    services,
    settings,
    stats,
    templates,
    users,
)
from api.webhooks.bodies import Body
from corefast import __version__

OPERATIONS: tuple[Operation, ...] = (
    *messages.OPERATIONS,
    *media.OPERATIONS,
    *events.OPERATIONS,
    *chat.OPERATIONS,
    *templates.OPERATIONS,
    *users.OPERATIONS,
    *account.OPERATIONS,
    *contacts.OPERATIONS,
    *groups.OPERATIONS,
    *settings.OPERATIONS,
    *configs.OPERATIONS,
    *profile.OPERATIONS,
    *backup.OPERATIONS,
    *certificates.OPERATIONS,
    *health.OPERATIONS,
    *metrics.OPERATIONS,
    *stats.OPERATIONS,
    *services.OPERATIONS,
    *absent.OPERATIONS,
)

_TAGS = {
    "messages": "Send, and see what became of it.",
    "media": "Files: put once, sent to anybody; and what customers send.",
    "events": "Receive without a server of your own.",
    "templates": "Messages whose form is kept here and sent by name.",
    "groups": "Several members who read and write the same.",
    "users": "Who may call: people with passwords and tokens.",
    "settings": "What can be set while it runs.",
    "absent": "What the on-premises API had and corefast has not.",
    "operations": "For those who keep it running.",
}


_REFERENCE = re.compile(r"#/components/schemas/(\w+)")


def describe() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    structs = {struct for operation in OPERATIONS for struct in operation.structs}
    structs |= {schema.ErrorAnswer, schema.Problem}
    _, components = msgspec.json.schema_components(
        sorted(structs, key=lambda struct: struct.__name__), ref_template="#/components/schemas/{name}"
    )
    _permit_nulls(components)
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
        "tags": [{"name": name, "description": words} for name, words in _TAGS.items()],
        "security": [{"bearer": []}],
        "paths": _paths(),
        "webhooks": {"event": {"post": _webhook()}},
        "components": {
            "schemas": dict(sorted(components.items())),
            "parameters": {"Account": ACCOUNT},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "an API key, cf_… (corefast key new), or the token of POST /v1/users/login",
                },
                "basic": {"type": "http", "scheme": "basic", "description": "user name and password, to log in"},
            },
        },
        "x-errors": _errors(),
    }


def _permit_nulls(components: dict[str, Any]) -> None:
    """Say of the optional fields of requests what `api.decode` does: null is as good as leaving one out."""
    waiting = [_name_of(operation.request) for operation in OPERATIONS if not isinstance(operation.request, str | None)]
    seen: set[str] = set()
    while waiting:
        if (name := waiting.pop()) in seen:
            continue
        seen.add(name)
        shape = components[name]
        waiting += _REFERENCE.findall(msgspec.json.encode(shape).decode())
        for field, told in shape.get("properties", {}).items():
            if field not in shape.get("required", ()):
                shape["properties"][field] = _or_null(told)


def _or_null(told: dict[str, Any]) -> dict[str, Any]:
    if {"type": "null"} in told.get("anyOf", ()):
        return told
    if "enum" not in told and isinstance(told.get("type"), str):
        return told | {"type": [told["type"], "null"]}
    words = {key: told[key] for key in ("description", "default") if key in told}
    return {"anyOf": [{key: value for key, value in told.items() if key not in words}, {"type": "null"}]} | words


def _name_of(shape: Any) -> str:
    return str((get_args(shape) or (shape,))[0].__name__)


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = operation.describe()
    return paths


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
