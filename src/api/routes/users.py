"""/v1/users: log in and out, and the users there are."""

from datetime import UTC, datetime

from api.answer import V1, Answer, answer_json
from api.auth import Keys, read_basic
from api.decode import JsonBody
from api.gateway import Core
from api.operation import AWAY, BODY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import MetaAnswer
from api.shapes.users import (
    LoginAnswer,
    LoginRequest,
    PasswordRequest,
    TokenItem,
    UserAnswer,
    UserItem,
    UserName,
    UserNames,
    UserRequest,
)
from corefast.errors import ScopeMissing, TokenInvalid
from corefast.wire.access import (
    DeleteUser,
    GetUser,
    ListUsers,
    LoggedIn,
    Login,
    Logout,
    NewUser,
    SetPassword,
    UserView,
)
from corefast.wire.access import (
    Users as UserList,
)
from corefast.wire.gateway import Done, KeyView, Scope


class Users:
    """The collection, its members, and the door."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._login_body = JsonBody(LoginRequest)
        self._user_body = JsonBody(UserRequest)
        self._password_body = JsonBody(PasswordRequest)
        self.login = Resource("v1.users.login", V1, POST=self._login)
        self.logout = Resource("v1.users.logout", V1, POST=self._logout)
        self.collection = Resource("v1.users", V1, GET=self._list, POST=self._make)
        self.member = Resource("v1.users.name", V1, GET=self._get, PUT=self._set_password, DELETE=self._delete)

    async def _login(self, request: Request) -> Answer:
        username, password = read_basic(request)
        body = await request.body()
        wanted: LoginRequest = self._login_body.decode(body) if body.strip() not in (b"", b"null") else LoginRequest()
        made = await self._core.call(Login(username, password, request.client, wanted.new_password), LoggedIn)
        ends = datetime.fromtimestamp(made.expires_ms // 1_000, UTC).isoformat(" ")
        return answer_json(200, LoginAnswer([TokenItem(made.token, ends)]))

    async def _logout(self, request: Request) -> Answer:
        token = self._keys.token_of(request)
        caller = await self._keys.require_token(token)
        if not caller.user:
            raise TokenInvalid("an API key does not log out; revoke it with: corefast key revoke")
        await self._core.call(Logout(token.decode()), Done)
        self._keys.forget(token)
        return answer_json(200, MetaAnswer())

    async def _list(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        found = await self._core.call(ListUsers(_reach(caller)), UserList)
        return answer_json(200, UserAnswer([UserItem(each.username, each.role) for each in found.users]))

    async def _make(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: UserRequest = self._user_body.decode(await request.body())
        made = await self._core.call(NewUser(caller.account, wanted.username, wanted.password), UserView)
        return _name(201, made)

    async def _get(self, request: Request) -> Answer:
        caller = await self._caller(request)
        found = await self._core.call(GetUser(_reach(caller), request.path["username"]), UserView)
        return answer_json(200, UserAnswer([UserItem(found.username, found.role)]))

    async def _set_password(self, request: Request) -> Answer:
        caller = await self._caller(request)
        wanted: PasswordRequest = self._password_body.decode(await request.body())
        changed = await self._core.call(
            SetPassword(_reach(caller), request.path["username"], wanted.password), UserView
        )
        return _name(200, changed)

    async def _delete(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        return _name(200, await self._core.call(DeleteUser(_reach(caller), request.path["username"]), UserView))

    async def _caller(self, request: Request) -> KeyView:
        """Return who calls, an administrator or the user that the path names."""
        caller = await self._keys.require(request)
        if Scope.ADMIN not in caller.scopes and caller.user != request.path["username"]:
            raise ScopeMissing("only an administrator may see and change other users")
        return caller


def _reach(caller: KeyView) -> str:
    """Return whose users the caller may see: those of one account, or everybody's."""
    return "" if caller.may_choose else caller.account


def _name(status: int, user: UserView) -> Answer:
    return answer_json(status, UserNames([UserName(user.username)]))


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/users/login",
        id="login",
        tag="users",
        summary="Log in, and change the password where `new_password` is given",
        request=LoginRequest,
        is_body_optional=True,
        example={"new_password": "Correct-Horse-1"},
        answer=LoginAnswer,
        security="basic",
        errors=("login.refused", "password.unchanged", "login.throttled", *BODY, *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/users/logout",
        id="logout",
        tag="users",
        summary="Revoke the token of this request",
        answer=MetaAnswer,
        errors=("token.invalid", *AWAY),
        is_of_account=False,
    ),
    Operation(
        method="GET",
        path="/v1/users",
        id="listUsers",
        tag="users",
        summary="Everybody (administrators)",
        answer=UserAnswer,
        errors=(*CALLER, *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/users",
        id="makeUser",
        tag="users",
        summary="Add a user (administrators)",
        request=UserRequest,
        example={"username": "ann.smith", "password": "Correct-Horse-1"},
        answer=UserNames,
        status=201,
        errors=(*CALLER, *BODY, "user.exists", *AWAY),
    ),
    Operation(
        method="GET",
        path="/v1/users/{username}",
        id="getUser",
        tag="users",
        summary="One user (administrators, and the user)",
        answer=UserAnswer,
        errors=(*CALLER, "user.unknown", *AWAY),
    ),
    Operation(
        method="PUT",
        path="/v1/users/{username}",
        id="setPassword",
        tag="users",
        summary="Set a password (administrators, and the user); all tokens of the user end",
        request=PasswordRequest,
        example={"password": "Correct-Horse-1"},
        answer=UserNames,
        errors=(*CALLER, *BODY, "user.unknown", *AWAY),
    ),
    Operation(
        method="DELETE",
        path="/v1/users/{username}",
        id="deleteUser",
        tag="users",
        summary="Delete a user (administrators); all tokens of the user end",
        answer=UserNames,
        errors=(*CALLER, "user.unknown", "user.builtin", *AWAY),
    ),
)
