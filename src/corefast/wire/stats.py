"""The gateway's messages about how much there is, and what a core runs on."""

from enum import StrEnum

import msgspec


class Litter(StrEnum):
    """What can be collected when a client asks for it."""

    MESSAGES = "message"
    MEDIA = "media"


class GetCounts(msgspec.Struct, frozen=True, array_like=True, tag=120):
    """→ `Counts`, of all accounts; at most half a minute old."""


class Counts(msgspec.Struct, frozen=True, array_like=True, tag=121):
    """Rows in the core's database: *contacts* we have met, *pending_messages* without a result of the relay."""

    contacts: int
    messages: int
    pending_messages: int
    pending_callbacks: int


class GetSupport(msgspec.Struct, frozen=True, array_like=True, tag=122):
    """→ `Support`. *number*: of which account; empty: of the only one, or of none."""

    number: str = ""


class Support(msgspec.Struct, frozen=True, array_like=True, tag=123):
    """What somebody who helps has to know; no secret. *free_bytes*: of the data folder's disk."""

    number: str
    gateway_status: str
    database: str
    database_version: str
    schema: int
    system: str
    system_version: str
    free_bytes: int
    shards: list[int]
    version: str


class Collect(msgspec.Struct, frozen=True, array_like=True, tag=124):
    """→ `Done` as soon as the collection runs; an event tells its end. *what*: `message` or `media`."""

    account: str
    what: Litter


Message = GetCounts | Counts | GetSupport | Support | Collect
