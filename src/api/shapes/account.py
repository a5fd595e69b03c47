"""The shapes of /v1/account and of two-step verification."""

from typing import Annotated

import msgspec
from msgspec import Meta

CountryCode = Annotated[str, Meta(description="The country code, digits alone.", examples=["49"])]
PhoneNumber = Annotated[str, Meta(description="The rest of the number.", examples=["30 23125000"])]
Pin = Annotated[str, Meta(description="6 digits", examples=["482913"])]


class AccountRequest(msgspec.Struct, frozen=True):
    cc: CountryCode
    phone_number: PhoneNumber
    method: Annotated[str, Meta(description="sms or voice; how the relay's operator hands out codes is theirs.")]
    cert: Annotated[str, Meta(description="Base64: the original's certificate or a text; the name in it becomes ours.")]
    pin: Annotated[str, Meta(description="6 digits, where the number has two-step verification")] = ""


class AccountItem(msgspec.Struct, frozen=True):
    vname: Annotated[str, Meta(description="The business's name as the certificate says it, else the number.")]


class AccountAnswer(msgspec.Struct, frozen=True):
    """A code is needed: POST /v1/account/verify."""

    account: list[AccountItem]


class VerifyRequest(msgspec.Struct, frozen=True):
    code: Annotated[str, Meta(description="The code that `corefast relay issue-code NUMBER` prints.")]


class ShardsRequest(msgspec.Struct, frozen=True):
    cc: CountryCode
    phone_number: PhoneNumber
    shards: Annotated[int, Meta(description="1, 2, 4, 8, 16 or 32; this release runs an account in 1")]
    pin: str = ""


class Shards(msgspec.Struct, frozen=True):
    shards: int


class ShardsAnswer(msgspec.Struct, frozen=True):
    account: Shards


class TwoStepRequest(msgspec.Struct, frozen=True):
    pin: Pin
