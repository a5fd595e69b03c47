"""What the clients of one test have seen: a test that claims to cover something has to have seen it.

`covers("POST /v1/media")`: that operation answered as described; `covers("POST /v1/media", 1009)`: it refused with that
code. Several operations may stand in one mark; a code came from one of them then.
"""

from typing import Any, NamedTuple

import msgspec
from starlette.routing import compile_path

from api.openapi import OPERATIONS

Claim = str | int


class Seen(NamedTuple):
    """An answer: of which operation (empty: of none), with which status and code (0: none)."""

    operation: str
    status: int
    code: int


DESCRIBED = {f"{each.method} {each.path}": {each.status, *each.more} for each in OPERATIONS}
"""By operation: the statuses of answers that are no refusals."""

_PATHS = [(each.method, compile_path(each.path)[0], f"{each.method} {each.path}") for each in OPERATIONS]
_answers: set[Seen] = set()


def forget() -> None:
    _answers.clear()


def note(method: str, path: str, status: int, body: bytes) -> None:
    """Remember an answer."""
    path = path.partition("?")[0]
    found = (name for verb, pattern, name in _PATHS if verb == method and pattern.match(path))
    _answers.add(Seen(next(found, ""), status, _code_in(body) if status >= 400 else 0))


def unmet(claim: tuple[Claim, ...]) -> list[Claim]:
    """Return what *claim*, the arguments of one mark, names and was not seen."""
    operations = {each for each in claim if isinstance(each, str)}
    codes = {each for each in claim if isinstance(each, int)}
    if codes:
        return sorted(codes - {each.code for each in _answers if each.operation in operations})
    return sorted(
        operations - {each.operation for each in _answers if each.status in DESCRIBED.get(each.operation, ())}
    )


def _code_in(body: bytes) -> int:
    try:
        answer: Any = msgspec.json.decode(body)
        return int(answer["errors"][0]["code"])
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return 0
