"""The shapes of /v1/stats and /v1/support."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from api.schema import META, AnswerMeta

FORMAT: dict[str, Any] = {
    "name": "format",
    "in": "query",
    "schema": {"type": "string", "enum": ["json", "prometheus"]},
}
"""How figures are told."""


class Point(msgspec.Struct, frozen=True):
    labels: dict[str, str]
    value: float


class Figure(msgspec.Struct, frozen=True):
    type: Annotated[str, Meta(description="counter, gauge or untyped")]
    help: str
    data: list[Point]


class StatsAnswer(msgspec.Struct, frozen=True):
    stats: Annotated[dict[str, dict[str, Figure]], Meta(description="Under `app` or `db`, by name.")]
    meta: AnswerMeta = META


class MetricsAnswer(msgspec.Struct, frozen=True):
    metrics: dict[str, Figure]
    meta: AnswerMeta = META


class ServiceStatus(msgspec.Struct, frozen=True):
    status: Annotated[str, Meta(examples=["processing"])]


class ServicesAnswer(msgspec.Struct, frozen=True):
    services: Annotated[dict[str, dict[str, ServiceStatus]], Meta(description="`gc` under `message` or `media`.")]
    meta: AnswerMeta = META


class SupportFacts(msgspec.Struct, frozen=True, kw_only=True):
    context: str = "web"
    db_engine: Annotated[str, Meta(examples=["SQLITE"])]
    db_info: Annotated[str, Meta(description="The database's version.")]
    debug_info: Annotated[str, Meta(description="The account's number.")]
    description: str
    device_iso8601: str
    e2e: str = "PQXDH"
    env: str = "production"
    expire_timestamp: Annotated[int, Meta(description="0: this release does not expire.")] = 0
    free_space_data: Annotated[int, Meta(description="bytes on the disk of the core's folder")]
    lc: str = "US"
    lg: str = "en"
    multi_connect: bool
    os_name: str
    os_version: str
    role: str = "coreapp"
    schema: int
    shards: list[int]
    socket_conn: Annotated[str, Meta(description="UP, SC (connecting), DN or UNK")]


class SupportAnswer(msgspec.Struct, frozen=True):
    support: SupportFacts
    meta: AnswerMeta = META
