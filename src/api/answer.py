"""One HTTP answer, as bytes, and the two shapes in which an error is told."""

from collections.abc import AsyncGenerator
from typing import Any, Protocol

import msgspec

from api.errors import V1_TITLES, MethodNotAllowed, code_of, details_of, retry_after_s, row_of
from api.schema import ErrorAnswer, ErrorItem, Problem

JSON = (b"content-type", b"application/json")
PROBLEM = (b"content-type", b"application/problem+json")
NO_CACHE = (b"cache-control", b"no-cache, private")

encode = msgspec.json.Encoder().encode

Header = tuple[bytes, bytes]


class Answer:
    """Status, headers and body; `content-length` and `x-request-id` are added when it is sent."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", *headers: Header) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    def head(self, request_id: str) -> list[Header]:
        """Return all headers; 204 has no body and therefore no length (RFC 9110, 8.6)."""
        named = (b"x-request-id", request_id.encode())
        if self.status == 204:
            return [*self.headers, named]
        return [*self.headers, (b"content-length", b"%d" % len(self.body)), named]


class StreamAnswer(Answer):
    """An answer of *size* bytes that are sent as *pieces* yields them; one that fails half-way ends the connection."""

    __slots__ = ("pieces", "size")

    def __init__(self, size: int, pieces: AsyncGenerator[bytes, None], *headers: Header) -> None:
        super().__init__(200, b"", *headers)
        self.size = size
        self.pieces = pieces

    def head(self, request_id: str) -> list[Header]:
        return [*self.headers, (b"content-length", b"%d" % self.size), (b"x-request-id", request_id.encode())]


def answer_json(status: int, content: Any, *headers: Header) -> Answer:
    return Answer(status, encode(content), JSON, NO_CACHE, *headers)


class Shape(Protocol):
    """How a part of the API tells errors."""

    def refuse(self, error: Exception) -> Answer: ...


class V1Shape:
    """`{"meta":{…},"errors":[{"code","title","details"}]}` of the on-premises API."""

    def refuse(self, error: Exception) -> Answer:
        row = row_of(error)
        told = ErrorAnswer([ErrorItem(row.v1_code, V1_TITLES[row.v1_code], details_of(error))])
        return Answer(row.status, encode(told), JSON, NO_CACHE, *_headers(error))


class ProblemShape:
    """RFC 9457 problem details; `type` is the error's place in the documentation, `code` its stable name."""

    def refuse(self, error: Exception) -> Answer:
        row, code = row_of(error), code_of(error)
        told = Problem(f"/docs#{code}", V1_TITLES[row.v1_code], row.status, details_of(error), code)
        return Answer(row.status, encode(told), PROBLEM, NO_CACHE, *_headers(error))


_CHALLENGES = {"login.refused": b'Basic realm="Secured"', "password.unchanged": b'Basic realm="Secured"'}


def _headers(error: Exception) -> list[Header]:
    headers = []
    if (wait_s := retry_after_s(error)) is not None:
        headers.append((b"retry-after", b"%d" % wait_s))
    if row_of(error).status == 401:
        headers.append((b"www-authenticate", _CHALLENGES.get(code_of(error), b'Bearer realm="corefast"')))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allowed.encode()))
    return headers


V1 = V1Shape()
PROBLEMS = ProblemShape()
