"""Who may claim a number: one-time codes, and the pin of whoever has it already."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from enum import StrEnum

from corefast.errors import CodeRequired, CodeWrong, ParameterInvalid, PinRequired, PinWrong, RateLimited
from corefast.limits import CODE_LIFE_MS, CODE_TRIES
from corefast.relay.store.account import AccountStore
from corefast.relay.store.code import CodeStore

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 signs that nobody confuses on the phone."""

CODE_SIGNS = 16
"""80 bits: a plain digest of it cannot be searched."""

MAX_PIN_CHARACTERS = 64

PIN_DELAY_MS = 1_000
MAX_PIN_DELAY_MS = 3_600_000
"""After the n-th wrong pin nobody may try for 2^n seconds, an hour at most."""

_SALT_BYTES = 16


class Mode(StrEnum):
    OPEN = "open"
    CODE = "code"


class Admission:
    """Checks codes and pins. The caller lets no two claims of one number run at the same time."""

    def __init__(
        self,
        mode: Mode,
        codes: CodeStore,
        accounts: AccountStore,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self.mode = mode
        self._codes = codes
        self._accounts = accounts
        self._clock = clock
        self._random = random

    async def issue_code(self, number: str) -> str:
        """Return a new code for *number*; it replaces an older one."""
        code = "".join(_ALPHABET[byte & 31] for byte in self._random(CODE_SIGNS))
        await self._codes.put(number, _digest_code(number, code), self._clock() + CODE_LIFE_MS)
        return "-".join(code[start : start + 4] for start in range(0, CODE_SIGNS, 4))

    async def check_code(self, number: str, code: str) -> bytes:
        """Return the digest to use up (empty where registration is open); raise `CodeRequired` or `CodeWrong`.

        Every look at a code counts as a try, so that the answer says nothing about whether there is one.
        """
        if self.mode is Mode.OPEN:
            return b""
        if not code:
            raise CodeRequired("this relay asks for a code: corefast relay issue-code NUMBER prints one")
        digest = _digest_code(number, code)
        issued = await self._codes.load(number)
        await self._codes.count_try(number)
        expected = issued.digest if issued else bytes(len(digest))
        is_right = hmac.compare_digest(digest, expected)
        if not is_right or issued is None or issued.tries >= CODE_TRIES or self._clock() >= issued.expires_ms:
            raise CodeWrong("the code is wrong, used up or older than ten minutes")
        return digest

    async def check_pin(self, number: str, pin: str) -> None:
        """Raise `PinRequired`, `PinWrong`, or `RateLimited` while a wrong pin is being waited out."""
        state = await self._accounts.load_pin(number)
        if not state.digest:
            return
        if not pin:
            raise PinRequired("the number is protected by a pin")
        now_ms = self._clock()
        if now_ms < state.retry_ms:
            raise RateLimited("a pin was wrong; wait before the next try", state.retry_ms - now_ms)
        if hmac.compare_digest(await _digest_pin(pin, state.digest[:_SALT_BYTES]), state.digest):
            await self._accounts.put_pin_failure(number, 0, 0)
            return
        failures = state.failures + 1
        delay_ms = min(PIN_DELAY_MS << min(failures, 20), MAX_PIN_DELAY_MS)
        await self._accounts.put_pin_failure(number, failures, now_ms + delay_ms)
        raise PinWrong(f"the pin is wrong; the next try is possible in {delay_ms // 1_000} s")

    async def set_pin(self, number: str, pin: str) -> None:
        """Set the pin, or clear it where it is empty."""
        if len(pin) > MAX_PIN_CHARACTERS:
            raise ParameterInvalid(f"a pin has at most {MAX_PIN_CHARACTERS} characters")
        await self._accounts.put_pin(number, await _digest_pin(pin, self._random(_SALT_BYTES)) if pin else b"")


def _digest_code(number: str, code: str) -> bytes:
    plain = code.replace("-", "").replace(" ", "").upper()
    return hashlib.sha256(f"corefast code\0{number}\0{plain}".encode()).digest()


async def _digest_pin(pin: str, salt: bytes) -> bytes:
    """Return salt and scrypt digest; 16 MiB and some 50 ms, beside the loop."""
    digest = await asyncio.to_thread(hashlib.scrypt, pin.encode(), salt=salt, n=16_384, r=8, p=1, dklen=32)
    return salt + digest
