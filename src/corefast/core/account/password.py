"""Passwords: what one has to be, and its argon2 hash, made and checked beside the loop."""

import asyncio
import re

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from corefast.errors import ParameterInvalid, ParameterMissing

LEAST_CHARACTERS, MOST_CHARACTERS = 8, 64

_NEEDED = (
    (re.compile(r"[0-9]"), "a digit"),
    (re.compile(r"[A-Z]"), "an upper-case letter"),
    (re.compile(r"[a-z]"), "a lower-case letter"),
    (re.compile(r"""[!"#$%&'()*+,\-./:;<=>?@\[\]^_`{|}~]"""), "a special character such as !"),
)

MEMORY_KIB, ROUNDS, LANES = 19_456, 2, 1
"""OWASP's first choice for argon2id: 19 MiB for some 20 ms."""

MAX_HASHING = 2
"""Hashes computed at a time: bounds the memory that guessing can take."""


def check_password(password: str, field: str) -> None:
    """Raise `ParameterMissing` or `ParameterInvalid` unless *password* follows the rules of the on-premises API."""
    if not password:
        raise ParameterMissing(f"`{field}` is missing or empty")
    lacking = [words for pattern, words in _NEEDED if not pattern.search(password)]
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        lacking.insert(0, f"{LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")
    if lacking:
        raise ParameterInvalid(f"`{field}` needs {', '.join(lacking)}")


class Hashes:
    """Makes and checks hashes in threads, a few at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(ROUNDS, MEMORY_KIB, LANES)
        self._room = asyncio.Semaphore(MAX_HASHING)
        self._of_nobody = ""

    async def make(self, password: str) -> str:
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, known: str | None, password: str) -> bool:
        """Tell whether *password* made the hash *known*; without one it takes as long and the answer is no."""
        if known is None and not self._of_nobody:
            self._of_nobody = await self.make("nobody has this password")
        async with self._room:
            return await asyncio.to_thread(self._verify, known or self._of_nobody, password) and known is not None

    def _verify(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except (Argon2Error, InvalidHashError):
            return False
