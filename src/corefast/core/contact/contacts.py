"""Whether somebody is registered under a number: asked of the relay, which spends no prekey on it, and remembered."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from corefast.address import canonical_number
from corefast.core.context import Context
from corefast.errors import CorefastError, NumberInvalid, ParameterInvalid, ParameterMissing, RateLimited
from corefast.limits import CONTACT_LIFE_MS, CONTACT_MISS_MS, MAX_CONTACT_CHECKS, MAX_CONTACTS, MAX_KNOWN_CONTACTS
from corefast.logs import get_logger
from corefast.wire.contacts import CheckContacts, Contact, ContactStatus
from corefast.wire.contacts import Contacts as Answer
from corefast.wire.messages import FindNumbers, FoundNumbers

log = get_logger()

_INVALID, _FAILED = Contact(ContactStatus.INVALID), Contact(ContactStatus.FAILED)
_PROCESSING = Contact(ContactStatus.PROCESSING)


class Contacts:
    """Serves `CheckContacts`. *ask* calls the relay."""

    def __init__(self, context: Context, ask: Callable[[FindNumbers], Awaitable[Any]]) -> None:
        self._context = context
        self._ask = ask
        self._known: OrderedDict[str, tuple[bool, int]] = OrderedDict()
        """Whether a number is registered, and when we asked."""
        self._asking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._throttled_until_ms = 0

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {CheckContacts: self.check}

    async def check(self, request: CheckContacts) -> Answer:
        """Return what is known of each number, asking for the rest: at once, or in time for the next request."""
        if not request.inputs:
            raise ParameterMissing("`contacts` is empty")
        if len(request.inputs) > MAX_CONTACTS:
            raise ParameterInvalid(f"`contacts` has at most {MAX_CONTACTS} numbers")
        numbers = [_number(each) for each in request.inputs]
        wanted = dict.fromkeys(number for number in numbers if number)
        missing = [number for number in wanted if request.force or self._look_up(number) is None]
        failed: set[str] = set()
        if request.wait:
            failed = await self._find(missing)
        else:
            self._find_later([number for number in missing if number not in self._asking])
        pending = set() if request.wait else set(missing)
        return Answer([self._answer(number, pending, failed) for number in numbers])

    def _answer(self, number: str, pending: set[str], failed: set[str]) -> Contact:
        if not number:
            return _INVALID
        if number in failed:
            return _FAILED
        known = None if number in pending else self._look_up(number)
        if known is None:
            return _PROCESSING if number in pending else _FAILED
        return Contact(ContactStatus.VALID, number) if known else _INVALID

    def _look_up(self, number: str) -> bool | None:
        """Return what is known of a number, as long as that counts."""
        found = self._known.get(number)
        if found is None:
            return None
        is_there, asked_ms = found
        life_ms = CONTACT_LIFE_MS if is_there else CONTACT_MISS_MS
        return is_there if self._context.clock() - asked_ms < life_ms else None

    async def _find(self, numbers: list[str]) -> set[str]:
        """Ask for numbers; return those that could not be asked for. Raises `RateLimited`."""
        if not numbers:
            return set()
        now_ms = self._context.clock()
        if now_ms < self._throttled_until_ms:
            raise RateLimited("too many numbers are asked for", self._throttled_until_ms - now_ms)
        if len(self._asking) + len(numbers) > MAX_CONTACT_CHECKS:
            raise RateLimited("too many numbers are asked for", 1_000)
        self._asking.update(numbers)
        try:
            found: FoundNumbers = await self._ask(FindNumbers(numbers))
        except CorefastError as error:
            if error.code != RateLimited.code:
                return set(numbers)
            wait_ms = max(getattr(error, "retry_after_ms", 0), 1_000)
            self._throttled_until_ms = self._context.clock() + wait_ms
            raise RateLimited("the relay has been asked for too many numbers", wait_ms) from None
        finally:
            self._asking.difference_update(numbers)
        self._learn(numbers, set(found.numbers))
        return set()

    def _find_later(self, numbers: list[str]) -> None:
        if not numbers:
            return
        now_ms = self._context.clock()
        if now_ms < self._throttled_until_ms:
            raise RateLimited("too many numbers are asked for", self._throttled_until_ms - now_ms)
        if len(self._asking) + len(numbers) > MAX_CONTACT_CHECKS:
            raise RateLimited("too many numbers are asked for", 1_000)
        task = asyncio.get_running_loop().create_task(self._find_quietly(numbers))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find_quietly(self, numbers: list[str]) -> None:
        try:
            if await self._find(numbers):
                log.info("numbers could not be asked for", count=len(numbers))
        except RateLimited as error:
            log.info("numbers could not be asked for", code=error.code)

    def _learn(self, numbers: list[str], found: set[str]) -> None:
        now_ms = self._context.clock()
        for number in numbers:
            self._known[number] = (number in found, now_ms)
            self._known.move_to_end(number)
        while len(self._known) > MAX_KNOWN_CONTACTS:
            self._known.popitem(last=False)


def _number(text: str) -> str:
    try:
        return canonical_number(text)
    except NumberInvalid:
        return ""
