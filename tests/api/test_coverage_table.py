"""Which test covers which operation and which error code: no cell is empty.

A mark is a promise of its test, and tests/conftest.py holds the test to it: see seen.py.
"""

import re
from collections import defaultdict
from importlib import import_module
from inspect import isfunction
from pathlib import Path

from api.errors import TABLE, V1_TITLES

from . import seen
from .seen import DESCRIBED, Claim

ROOT = Path(__file__).parents[2]
CODES = {row.v1_code for row in TABLE.values()}
"""Codes of the on-premises API that some error of ours is told with."""


def marks() -> list[tuple[str, tuple[Claim, ...]]]:
    """Return each test of the whole tree that claims something, with what it claims."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "mark.covers" not in path.read_text() or path == Path(__file__):
            continue
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name, function in vars(module).items():
            if name.startswith("test_") and isfunction(function):
                own = getattr(function, "pytestmark", [])
                found += [(f"{path.name}::{name}", mark.args) for mark in own if mark.name == "covers"]
    return found


def test_every_operation_and_every_error_code_is_covered_by_a_test() -> None:
    served, refused = defaultdict(set), defaultdict(set)
    for test, claim in marks():
        operations = {each for each in claim if isinstance(each, str)}
        codes = {each for each in claim if isinstance(each, int)}
        assert operations and operations <= set(DESCRIBED), (test, operations - set(DESCRIBED))
        assert codes <= CODES, (test, codes - CODES)
        for cell in codes:
            refused[cell].add(test)
        for operation in operations if not codes else ():
            served[operation].add(test)
    assert sorted(set(DESCRIBED) - set(served)) == []
    assert sorted(CODES - set(refused)) == []


def test_every_code_has_a_title_and_every_title_a_code() -> None:
    assert sorted(set(V1_TITLES) ^ CODES) == []


STATUSES = {
    **dict.fromkeys((1001, 1002, 1003, 1008, 1009, 1010, 1019, 1020, 1021, 1025), 400),
    **dict.fromkeys((2000, 2004, 2005, 2006, 2007, 2008, 2009, 2010, 2011, 2012, 2014, 2015, 2016), 400),
    **{1004: 409, 1005: 403, 1006: 404, 1011: 500, 1012: 404, 1014: 500, 1015: 429, 1016: 503, 1023: 500, 1024: 401},
    **{1026: 501, 1028: 403, 2001: 404, 2013: 501},
}
"""With which HTTP status the original told each code; where that is not known, the likeliest."""

OTHERS = {
    1005: {401},  # nobody known is calling
    1009: {405, 409, 413, 415, 422},  # the HTTP that says more than the code
    1011: {503},  # the same request may succeed later, and clients repeat a 503
    1014: {409},  # a user that exists: the original's code
    1023: {503},
}
"""Further statuses of ours."""


def test_every_code_comes_with_the_status_that_it_had() -> None:
    for code, row in TABLE.items():
        allowed = {STATUSES[row.v1_code]} | OTHERS.get(row.v1_code, set())
        assert row.status in allowed, (code, row)


def test_every_code_is_in_the_documentation() -> None:
    section = (ROOT / "docs" / "api.md").read_text().partition("## Errors")[2]
    told = {int(code) for code in re.findall(r"[0-9]{4}", section)} | set(range(2000, 2015))
    assert sorted(CODES - told) == []


def test_a_claim_is_met_by_what_was_seen_alone() -> None:
    seen.forget()
    seen.note("POST", "/v1/media", 200, b"{}")
    seen.note("DELETE", "/v1/media/1", 404, b'{"errors":[{"code":1006}]}')
    seen.note("GET", "/v1/media/1?a=b", 404, b"")
    assert seen.unmet(("POST /v1/media",)) == []
    assert seen.unmet(("GET /v1/media/{id}", "DELETE /v1/media/{id}")) == [
        "DELETE /v1/media/{id}",
        "GET /v1/media/{id}",
    ]
    assert seen.unmet(("DELETE /v1/media/{id}", "POST /v1/media", 1006)) == []
    assert seen.unmet(("POST /v1/media", 1006)) == [1006]
    assert seen.unmet(("DELETE /v1/media/{id}", 1005, 1006)) == [1005]
