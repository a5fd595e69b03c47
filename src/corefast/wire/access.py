"""The gateway's messages about people who log in: users, passwords and the tokens that they get."""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """The roles of the on-premises API."""

    ADMIN = "ROLE_ADMIN"
    USER = "ROLE_USER"


class Login(msgspec.Struct, frozen=True, array_like=True, tag=50):
    """→ `LoggedIn`. With *new_password* it is changed first; *address* is the client's, for the delay on guessing.

    Errors: `login.refused`, `login.throttled`, `password.unchanged`, `parameter.invalid`.
    """

    username: str
    password: str
    address: str = ""
    new_password: str = ""


class LoggedIn(msgspec.Struct, frozen=True, array_like=True, tag=51):
    """*token*: a JWT that the core signs and checks; opaque to all others."""

    token: str
    expires_ms: int


class Logout(msgspec.Struct, frozen=True, array_like=True, tag=52):
    """→ `Done`: the token is revoked. Errors: `token.invalid`."""

    token: str


class CheckToken(msgspec.Struct, frozen=True, array_like=True, tag=53):
    """→ `KeyView` of whose token it is. Errors: `token.invalid`."""

    token: str


class UserView(msgspec.Struct, frozen=True, array_like=True, tag=54):
    """*account*: the number whose user it is, empty for one who administers all."""

    username: str
    role: Role
    account: str
    created_ms: int


class NewUser(msgspec.Struct, frozen=True, array_like=True, tag=55):
    """→ `UserView`. Errors: `user.exists`, `parameter.missing`, `parameter.invalid`."""

    account: str
    username: str
    password: str


class GetUser(msgspec.Struct, frozen=True, array_like=True, tag=56):
    """→ `UserView`. An empty *account* is the operator's and finds all. Errors: `user.unknown`."""

    account: str
    username: str


class SetPassword(msgspec.Struct, frozen=True, array_like=True, tag=57):
    """→ `UserView`; all tokens of the user end. Errors: `user.unknown`, `parameter.invalid`."""

    account: str
    username: str
    password: str


class DeleteUser(msgspec.Struct, frozen=True, array_like=True, tag=58):
    """→ `UserView` of who it was; all tokens of the user end. Errors: `user.unknown`, `user.builtin`."""

    account: str
    username: str


class ListUsers(msgspec.Struct, frozen=True, array_like=True, tag=59):
    """→ `Users`, by name."""

    account: str


class Users(msgspec.Struct, frozen=True, array_like=True, tag=49):
    users: list[UserView]


Message = (
    Login | LoggedIn | Logout | CheckToken | UserView | NewUser | GetUser | SetPassword | DeleteUser | ListUsers | Users
)
