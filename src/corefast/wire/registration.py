"""The gateway's messages about numbers: registered at the relay, verified, protected by a pin, checked."""

import msgspec


class RegisterAccount(msgspec.Struct, frozen=True, array_like=True, tag=60):
    """Register *number* (in any spelling) at the relay. → `Registration`. A repeat is harmless, also after a crash.

    *pin*: the number's two-step pin, where it has one; *name*: what the answer calls the business, and its
    profile from then on. Errors: `number.invalid`, `parameter.invalid`, `registration.refused` with what to do,
    `relay.away`, `overloaded`.
    """

    number: str
    name: str = ""
    pin: str = ""


class VerifyAccount(msgspec.Struct, frozen=True, array_like=True, tag=61):
    """Finish a registration with the code that the relay gave out. → `Registration`.

    *account* may be left out: the registration that was begun last is meant. Errors: those of `RegisterAccount`.
    """

    code: str
    account: str = ""


class Registration(msgspec.Struct, frozen=True, array_like=True, tag=62):
    """*is_done* is false while the relay waits for a code."""

    number: str
    name: str
    is_done: bool


class GetShards(msgspec.Struct, frozen=True, array_like=True, tag=63):
    """→ `Shards`."""

    account: str


class Shards(msgspec.Struct, frozen=True, array_like=True, tag=64):
    shards: int


class SetTwoStep(msgspec.Struct, frozen=True, array_like=True, tag=65):
    """Set the pin that a later claim of the number has to know, or end it (empty). → `TwoStepSet`.

    Errors: `relay.away`, `rate.limited`.
    """

    account: str
    pin: str


class TwoStepSet(msgspec.Struct, frozen=True, array_like=True, tag=66):
    pass


class DropAccount(msgspec.Struct, frozen=True, array_like=True, tag=67):
    """End a registration that waits for its code: its keys and what was set for the number go. → `AccountDropped`.

    *account* may be left out where only one waits. Errors: `account.unknown`, `parameter.missing` where several wait,
    `registration.refused` for a number that is at work.
    """

    account: str = ""


class AccountDropped(msgspec.Struct, frozen=True, array_like=True, tag=68):
    pass


Message = (
    RegisterAccount
    | VerifyAccount
    | Registration
    | GetShards
    | Shards
    | SetTwoStep
    | TwoStepSet
    | DropAccount
    | AccountDropped
)
