"""/v1/account: registering numbers at the relay; and the pin that protects one."""

import re

from api.answer import V1, Answer, answer_json
from api.auth import ACCOUNT_HEADER, Keys
from api.decode import JsonBody, refuse_nuls
from api.gateway import Core
from api.operation import AWAY, BODY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import MetaAnswer
from api.shapes import account as shapes
from api.vname import name_in
from corefast.address import canonical_number
from corefast.errors import (
    NumberInvalid,
    ParameterInvalid,
    ParameterMissing,
    RegistrationRefused,
    ScopeMissing,
)
from corefast.wire.gateway import KeyView, Scope
from corefast.wire.registration import (
    AccountDropped,
    DropAccount,
    GetShards,
    RegisterAccount,
    Registration,
    SetTwoStep,
    Shards,
    TwoStepSet,
    VerifyAccount,
)

MAX_CODE_CHARACTERS = 64
_METHODS = ("sms", "voice")
_SHARDS = (1, 2, 4, 8, 16, 32)
_PIN = re.compile(r"[0-9]{6}")
_CC = re.compile(r"\+?[1-9][0-9]{0,2}")


class Accounts:
    """For the administrator, and for a number's own keys where they have the scope."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._account_body = JsonBody(shapes.AccountRequest)
        self._verify_body = JsonBody(shapes.VerifyRequest)
        self._shards_body = JsonBody(shapes.ShardsRequest)
        self._pin_body = JsonBody(shapes.TwoStepRequest)
        self.account = Resource("v1.account", V1, POST=self._register, DELETE=self._drop)
        self.verify = Resource("v1.account.verify", V1, POST=self._verify)
        self.shards = Resource("v1.account.shards", V1, GET=self._get_shards, POST=self._set_shards)
        self.two_step = Resource("v1.settings.two_step", V1, POST=self._set_pin, DELETE=self._drop_pin)

    async def _register(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: shapes.AccountRequest = self._account_body.decode(await request.body())
        refuse_nuls(wanted)
        if wanted.method not in _METHODS:
            raise ParameterInvalid("`method` has to be sms or voice")
        if wanted.pin and not _PIN.fullmatch(wanted.pin):
            raise ParameterInvalid("`pin` has to be 6 digits")
        name = name_in(wanted.cert)
        number = _number(caller, wanted.cc, wanted.phone_number)
        return _tell(await self._core.call(RegisterAccount(number, name, wanted.pin), Registration))

    async def _drop(self, request: Request) -> Answer:
        caller = await self._keys.require_administrator(request)
        named = caller.account if request.has_header(ACCOUNT_HEADER) else ""
        await self._core.call(DropAccount(named), AccountDropped)
        return answer_json(200, MetaAnswer())

    async def _verify(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: shapes.VerifyRequest = self._verify_body.decode(await request.body())
        if not wanted.code:
            raise ParameterMissing("`code` is missing or empty")
        if len(wanted.code) > MAX_CODE_CHARACTERS:
            raise ParameterInvalid(f"`code` has at most {MAX_CODE_CHARACTERS} characters")
        is_named = not caller.may_choose or request.has_header(ACCOUNT_HEADER)
        verify = VerifyAccount(wanted.code, caller.account if is_named else "")
        return _tell(await self._core.call(verify, Registration))

    async def _get_shards(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        found = await self._core.call(GetShards(caller.account), Shards)
        return answer_json(200, shapes.ShardsAnswer(shapes.Shards(found.shards)))

    async def _set_shards(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: shapes.ShardsRequest = self._shards_body.decode(await request.body())
        if wanted.shards not in _SHARDS:
            raise ParameterInvalid("`shards` has to be 1, 2, 4, 8, 16 or 32")
        number = _number(caller, wanted.cc, wanted.phone_number)
        found = await self._core.call(GetShards(number), Shards)
        if wanted.shards != found.shards:
            raise RegistrationRefused(f"this release runs an account in {found.shards} shard; leave it at that")
        return answer_json(201, MetaAnswer())

    async def _set_pin(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: shapes.TwoStepRequest = self._pin_body.decode(await request.body())
        if not _PIN.fullmatch(wanted.pin):
            raise ParameterInvalid("`pin` has to be 6 digits")
        await self._core.call(SetTwoStep(caller.account, wanted.pin), TwoStepSet)
        return answer_json(200, MetaAnswer())

    async def _drop_pin(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        await self._core.call(SetTwoStep(caller.account, ""), TwoStepSet)
        return answer_json(200, MetaAnswer())


def _tell(registration: Registration) -> Answer:
    if registration.is_done:
        return answer_json(201, MetaAnswer())
    return answer_json(202, shapes.AccountAnswer([shapes.AccountItem(registration.name)]))


def _number(caller: KeyView, cc: str, rest: str) -> str:
    """Return the number that a request names; one that is not the caller's own is for the administrator."""
    if not _CC.fullmatch(cc):
        raise ParameterInvalid("`cc` has to be a country code, digits alone")
    try:
        number = canonical_number(f"+{cc.removeprefix('+')}{rest}")
    except NumberInvalid:
        raise ParameterInvalid("`cc` and `phone_number` together have to be a number") from None
    if not caller.may_choose and number != caller.account:
        raise ScopeMissing("only the administrator registers further numbers; log in as one")
    return number


_REGISTERING = (*CALLER, *BODY, "registration.refused", "relay.away", *AWAY)

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/account",
        id="register",
        tag="account",
        summary="Register a number at the relay (administrators)",
        request=shapes.AccountRequest,
        example={"cc": "49", "phone_number": "30 23125000", "method": "sms", "cert": "RXhhbXBsZQ=="},
        answer=MetaAnswer,
        status=201,
        note="The number is registered.",
        more={202: shapes.AccountAnswer},
        errors=_REGISTERING,
    ),
    Operation(
        method="DELETE",
        path="/v1/account",
        id="dropRegistration",
        tag="account",
        summary="End a registration that waits for its code (the administrator)",
        answer=MetaAnswer,
        errors=(*CALLER, "account.unknown", "parameter.missing", "registration.refused", *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/account/verify",
        id="verify",
        tag="account",
        summary="Finish a registration with its code (administrators)",
        request=shapes.VerifyRequest,
        example={"code": "ABCD-EFGH-JKLM-NPQR"},
        answer=MetaAnswer,
        status=201,
        note="The number is registered.",
        errors=_REGISTERING,
    ),
    Operation(
        method="GET",
        path="/v1/account/shards",
        id="getShards",
        tag="account",
        summary="How many parts the account's peers are split into (administrators)",
        answer=shapes.ShardsAnswer,
        errors=(*CALLER, "account.unknown", *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/account/shards",
        id="setShards",
        tag="account",
        summary="Set the number of shards; this release takes 1 (administrators)",
        request=shapes.ShardsRequest,
        example={"cc": "49", "phone_number": "30 23125000", "shards": 1},
        answer=MetaAnswer,
        status=201,
        errors=(*CALLER, *BODY, "account.unknown", "registration.refused", *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/settings/account/two-step",
        id="setTwoStep",
        tag="account",
        summary="Protect the number: who claims it at the relay has to know this pin (administrators)",
        request=shapes.TwoStepRequest,
        example={"pin": "482913"},
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, "account.unknown", "relay.away", "rate.limited", *AWAY),
    ),
    Operation(
        method="DELETE",
        path="/v1/settings/account/two-step",
        id="dropTwoStep",
        tag="account",
        summary="End the protection by a pin (administrators)",
        answer=MetaAnswer,
        errors=(*CALLER, "account.unknown", "relay.away", "rate.limited", *AWAY),
    ),
)
