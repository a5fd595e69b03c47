"""The shapes of /v1/contacts."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.schema import META, AnswerMeta
from corefast.wire.contacts import ContactStatus


class ContactsRequest(msgspec.Struct, frozen=True):
    contacts: Annotated[list[str], Meta(description="Numbers in any spelling, at most 1,000.")]
    blocking: Annotated[Literal["no_wait", "wait"], Meta(description="wait: every answer is final")] = "no_wait"
    force_check: Annotated[bool, Meta(description="Ask the relay also for what was asked within 7 days.")] = False


class ContactItem(msgspec.Struct, frozen=True, omit_defaults=True):
    input: Annotated[str, Meta(description="As it was sent.")]
    status: ContactStatus
    wa_id: Annotated[str, Meta(description="The number to send to, of one that is valid.")] = ""


class ContactsAnswer(msgspec.Struct, frozen=True):
    contacts: list[ContactItem]
    meta: AnswerMeta = META


class Identity(msgspec.Struct, frozen=True):
    hash: Annotated[str, Meta(description="Names the identity key; opaque.")]
    created_timestamp: Annotated[int, Meta(description="When it was first seen, in milliseconds.")]
    acknowledged: Annotated[bool, Meta(description="false from a change of the key on until it is acknowledged")]


class IdentityAnswer(msgspec.Struct, frozen=True):
    contacts: Identity
    meta: AnswerMeta = META


class IdentityRequest(msgspec.Struct, frozen=True):
    hash: Annotated[str, Meta(description="The hash of the identity key that is acknowledged.")]
