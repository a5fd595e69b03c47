"""The shapes of /v1/users."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.schema import META, AnswerMeta

Username = Annotated[str, Meta(description="4 to 32 characters", examples=["ann.smith"])]
Password = Annotated[
    str,
    Meta(
        description="8 to 64 characters, with a digit, an upper-case and a lower-case letter, and a special character",
        examples=["Correct-Horse-1"],
    ),
]


class LoginRequest(msgspec.Struct, frozen=True):
    new_password: Annotated[str, Meta(description="Changes the password first; all earlier tokens end.")] = ""


class TokenItem(msgspec.Struct, frozen=True):
    token: Annotated[str, Meta(description="Send it as Authorization: Bearer …; opaque.", examples=["eyJhbGciOi…"])]
    expires_after: Annotated[str, Meta(description="7 days on, in UTC.", examples=["2031-03-01 15:29:26+00:00"])]


class LoginAnswer(msgspec.Struct, frozen=True):
    users: list[TokenItem]
    meta: AnswerMeta = META


class UserRequest(msgspec.Struct, frozen=True):
    username: Username
    password: Password


class PasswordRequest(msgspec.Struct, frozen=True):
    password: Password


class UserName(msgspec.Struct, frozen=True):
    username: Username


class UserNames(msgspec.Struct, frozen=True):
    users: list[UserName]
    meta: AnswerMeta = META


class UserItem(msgspec.Struct, frozen=True):
    username: Username
    ROLES: Annotated[str, Meta(description="ROLE_ADMIN or ROLE_USER", examples=["ROLE_USER"])]


class UserAnswer(msgspec.Struct, frozen=True):
    users: list[UserItem]
    meta: AnswerMeta = META
