"""Numbers that are registered while the core runs: asked for, waiting for a code, and then at work.

A registration is durable from its first step on (keys, and what was asked for), so a restart between the steps loses
nothing: the next one goes on with the same keys.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from corefast.address import canonical_number
from corefast.core.account.place import Claim
from corefast.core.business import Business
from corefast.core.context import Process
from corefast.core.settings.profile import check_name
from corefast.core.store.keys import PHASE_NEW
from corefast.core.store.settings import SettingStore
from corefast.errors import (
    AccountUnknown,
    CodeRequired,
    CodeWrong,
    CorefastError,
    NumberTaken,
    ParameterMissing,
    PinRequired,
    PinWrong,
    RateLimited,
    RegistrationRefused,
    RelayAway,
    RemoteRefused,
)
from corefast.store.database import Unit
from corefast.wire.registration import AccountDropped, DropAccount, RegisterAccount, Registration, VerifyAccount

SETTING = "registration"
_REMEDIES = {
    CodeWrong.code: "the code is wrong, used up or older than ten minutes; corefast relay issue-code NUMBER prints one",
    PinRequired.code: "the number is protected by two-step verification: repeat POST /v1/account with its pin",
    PinWrong.code: "the pin is wrong: repeat POST /v1/account with the right one",
    NumberTaken.code: "the number has another owner at the relay; with its two-step pin in `pin` it moves here, "
    "else start a core with --number, --code and --replace",
}


class Asked(msgspec.Struct, frozen=True):
    """What was asked for, kept until the relay has agreed."""

    name: str = ""
    pin: str = ""
    replace: bool = False


_decode = msgspec.json.Decoder(Asked).decode


class Numbers(Protocol):
    """The accounts of this core, for one that is to join them."""

    def serving(self, number: str) -> Business | None: ...

    async def make(self, number: str) -> Business: ...

    def serve(self, business: Business) -> None: ...


class Registrations:
    """Serves `RegisterAccount`, `VerifyAccount` and `DropAccount`, one at a time."""

    def __init__(self, process: Process, store: SettingStore, numbers: Numbers) -> None:
        self._process = process
        self._store = store
        self._numbers = numbers
        self._lock = asyncio.Lock()
        self._waiting: dict[str, Business] = {}
        """Numbers that the relay has not given us yet, the one that was asked for last at the end."""

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {RegisterAccount: self.begin, VerifyAccount: self.verify, DropAccount: self.drop}

    async def is_waiting(self, business: Business) -> bool:
        """Tell whether an account of the database is one whose registration was begun here, and keep it then."""
        asked = await self._load(business)
        if asked is None:
            return False
        if business.account.phase != PHASE_NEW:  # the relay had agreed when the core ended
            await self._settle(business, asked)
            return False
        self._waiting[business.context.number] = business
        return True

    async def close(self) -> None:
        for business in self._waiting.values():
            await business.close()

    async def begin(self, request: RegisterAccount) -> Registration:
        number = canonical_number(request.number)
        check_name(request.name)
        async with self._lock:
            known = self._numbers.serving(number)
            if known is not None and not known.sender.refusal:
                await _name(known, request.name)
                return Registration(number, request.name or number, is_done=True)
            if known is not None and known.place.is_superseded:
                raise RegistrationRefused(known.sender.refusal)
            business = known or self._waiting.pop(number, None) or await self._numbers.make(number)
            self._waiting[number] = business
            asked = Asked(request.name, request.pin)
            await self._keep(business, asked)
            try:
                return await self._claim(business, asked)
            except RegistrationRefused as error:
                if error.reason != NumberTaken.code or not asked.pin:
                    raise
            asked = msgspec.structs.replace(asked, replace=True)
            await self._keep(business, asked)
            return await self._claim(business, asked)

    async def verify(self, request: VerifyAccount) -> Registration:
        async with self._lock:
            number = canonical_number(request.account) if request.account else next(reversed(self._waiting), "")
            business = self._waiting.get(number)
            if business is None:
                raise RegistrationRefused("no registration of this number waits for a code: POST /v1/account first")
            return await self._claim(business, await self._load(business) or Asked(), request.code)

    async def drop(self, request: DropAccount) -> AccountDropped:
        """Forget a number that the relay has not given us, and its keys, which nobody has seen."""
        async with self._lock:
            number = self._waiting_number(request.account)
            business = self._waiting[number]
            unit = Unit()
            business.context.keys.drop(unit)
            self._store.clear(unit, business.context.account)
            await self._process.database.commit(unit)
            del self._waiting[number]
            await business.close()
        return AccountDropped()

    def _waiting_number(self, named: str) -> str:
        """Return the number that *named* means among those that were never at work."""
        waiting = [number for number in self._waiting if self._numbers.serving(number) is None]
        if not named and len(waiting) > 1:
            raise ParameterMissing("several numbers wait for their codes: name one, with X-Corefast-Account")
        number = canonical_number(named) if named else next(iter(waiting), "")
        if number not in waiting:
            if self._numbers.serving(number) is not None:
                raise RegistrationRefused("the number is at work; only a registration that waits for its code is ended")
            raise AccountUnknown("no registration of this number waits for a code")
        return number

    async def _claim(self, business: Business, asked: Asked, code: str = "") -> Registration:
        """Ask the relay for the number; where it agrees the account goes to work."""
        number = business.context.number
        name = asked.name or number
        try:
            await business.register(Claim(code, asked.pin, replace=asked.replace))
        except RemoteRefused as error:
            if error.code == CodeRequired.code and not code:
                return Registration(number, name, is_done=False)
            raise _refusal(error) from None
        except CorefastError as error:
            if error.code.startswith("store"):
                raise
            raise RelayAway("the relay cannot be reached; repeat the request later") from None
        await self._settle(business, asked)
        del self._waiting[number]
        self._numbers.serve(business)
        return Registration(number, name, is_done=True)

    async def _settle(self, business: Business, asked: Asked) -> None:
        """Forget what was asked for; the name stays, as the profile's."""
        if asked.name:
            await business.profile.rename(asked.name)
        unit = Unit()
        self._store.delete(unit, business.context.account, SETTING)
        await self._process.database.commit(unit)

    async def _load(self, business: Business) -> Asked | None:
        kept = await self._store.load(business.context.account, SETTING)
        return _decode(kept) if kept else None

    async def _keep(self, business: Business, asked: Asked) -> None:
        unit = Unit()
        self._store.put(unit, business.context.account, SETTING, msgspec.json.encode(asked))
        await self._process.database.commit(unit)


async def _name(business: Business, name: str) -> None:
    """Give a number that is at work the name of its certificate, where it has none."""
    if name and not business.context.name:
        await business.profile.rename(name)


def _refusal(error: RemoteRefused) -> RegistrationRefused:
    if error.code == RateLimited.code:
        wait_s = -(-error.retry_after_ms // 1_000)
        return RegistrationRefused(f"too many tries: wait {wait_s} s before the next one", error.code)
    return RegistrationRefused(_REMEDIES.get(error.code, f"the relay refuses this number: {error}"), error.code)
