"""The gateway's messages about contacts: whether somebody is registered under a number."""

from enum import StrEnum

import msgspec


class ContactStatus(StrEnum):
    """The statuses of the on-premises API."""

    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"
    FAILED = "failed"


class CheckContacts(msgspec.Struct, frozen=True, array_like=True, tag=100):
    """→ `Contacts`, in the order of *inputs*, each in any spelling.

    With *wait* every answer is final; *force* asks the relay also for what is known. Errors: `parameter.missing`,
    `parameter.invalid`, `rate.limited`.
    """

    account: str
    inputs: list[str]
    wait: bool = False
    force: bool = False


class Contact(msgspec.Struct, frozen=True, array_like=True):
    """*wa_id*: the number, of one that is valid."""

    status: ContactStatus
    wa_id: str = ""


class Contacts(msgspec.Struct, frozen=True, array_like=True, tag=101):
    contacts: list[Contact]


Message = CheckContacts | Contacts
