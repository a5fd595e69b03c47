"""One operation of the API as openapi.json tells it; each routes module lists its own beside the code."""

from typing import Any, get_args

import msgspec

from api.errors import TABLE
from api.schema import NUMBER_EXAMPLE
from corefast.limits import MAX_BODY_BYTES

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"

CALLER = ("token.invalid", "scope.missing")
"""Errors of every operation that asks who calls; `AWAY` those of every one that asks the core."""

AWAY = ("overloaded", "link")
BODY = ("body.malformed", "parameter.missing", "parameter.invalid", "body.too_large")

ACCOUNT = {
    "name": "X-Corefast-Account",
    "in": "header",
    "schema": {"type": "string", "maxLength": 32, "examples": [NUMBER_EXAMPLE]},
    "description": "The business number that this is about; for those who administer several.",
}
"""What every operation takes whose caller may have several accounts."""

OF_ACCOUNT = ("account.unknown", "parameter.missing")

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "Any unique text, such as a UUID. For 24 hours the same key gives the same answer, sent once.",
}

_STATUS_WORDS = {
    400: "The request has to be changed; details say how.",
    401: "Nobody, or not one who may: the credentials are missing or not valid.",
    403: "The caller lacks the scope, or this is not allowed.",
    404: "There is no such thing.",
    409: "It exists already, or is being done right now.",
    412: "Something has to be set up first; details say what.",
    413: f"The body is too large (JSON: {MAX_BODY_BYTES} bytes).",
    415: "This media type is not taken here.",
    422: "This Idempotency-Key was used for another request.",
    429: "Too many requests; Retry-After says when.",
    500: "The fault is ours.",
    501: "Not served; details say what is in its place.",
    503: "Overloaded, or the core is away; Retry-After says when.",
}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """*request* and *answer* are structs, or a media type for bytes; *errors* are codes of `api.errors.TABLE`.

    *security* is `bearer`, `basic` or empty; *example* is a request's; *is_problem*: errors are RFC 9457 problems.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    answer: type | str | None = None
    status: int = 200
    note: str = "As asked."
    request: type | str | None = None
    also_form: bool = False
    also_text: bool = False
    """The answer comes as text as well."""
    is_body_optional: bool = False
    example: Any = None
    parameters: tuple[dict[str, Any], ...] = ()
    errors: tuple[str, ...] = ()
    more: dict[int, type] = {}
    """Further answers by status."""
    wordless: tuple[int, ...] = ()
    """Statuses of errors that have no body."""
    security: str = "bearer"
    is_of_account: bool = True
    """With `bearer`: an administrator of several numbers says which."""
    is_problem: bool = False

    @property
    def structs(self) -> list[type]:
        """The structs that the description refers to."""
        shapes = (self.request, self.answer, *self.more.values(), *get_args(self.request))
        return [each for each in shapes if isinstance(each, type) and not get_args(each)]

    def describe(self) -> dict[str, Any]:
        """Return the operation object of OpenAPI 3.1."""
        told: dict[str, Any] = {"operationId": self.id, "tags": [self.tag], "summary": self.summary}
        if self.security != "bearer":
            told["security"] = [{self.security: []}] if self.security else []
        account = ({"$ref": "#/components/parameters/Account"},) if self._takes_account else ()
        if parameters := [*self._path_parameters(), *self.parameters, *account]:
            told["parameters"] = parameters
        if self.request is not None:
            content = _content(self.request, self.example)
            if self.also_form:
                content["application/x-www-form-urlencoded"] = {"schema": content[JSON_TYPE]["schema"]}
            told["requestBody"] = {"required": not self.is_body_optional, "content": content}
        told["responses"] = self._responses()
        return told

    @property
    def _takes_account(self) -> bool:
        return self.security == "bearer" and self.is_of_account

    def _path_parameters(self) -> list[dict[str, Any]]:
        names = [part[1:-1] for part in self.path.split("/") if part.startswith("{")]
        return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]

    def _responses(self) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": self.note}
        if self.answer is not None:
            answer["content"] = _content(self.answer)
            if self.also_text:
                answer["content"] |= _content("text/plain")
        told = {str(self.status): answer}
        for status, shape in self.more.items():
            told[str(status)] = {"description": _STATUS_WORDS.get(status, "As asked."), "content": _content(shape)}
        schema = {"schema": {"$ref": f"#/components/schemas/{'Problem' if self.is_problem else 'ErrorAnswer'}"}}
        content = {PROBLEM_TYPE if self.is_problem else JSON_TYPE: schema}
        errors = (*self.errors, *OF_ACCOUNT) if self._takes_account else self.errors
        for status in sorted({TABLE[code].status for code in errors}):
            refusal: dict[str, Any] = {"description": _STATUS_WORDS[status]}
            told.setdefault(str(status), refusal if status in self.wordless else refusal | {"content": content})
        return told


def _content(shape: type | str, example: Any = None) -> dict[str, Any]:
    if isinstance(shape, str):
        kind = {"type": "string"} if shape.startswith("text/") else {}
        return {shape: {"schema": kind}}
    listed = get_args(shape)
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{(listed[0] if listed else shape).__name__}"}
    told: dict[str, Any] = {"schema": {"type": "array", "items": schema} if listed else schema}
    return {JSON_TYPE: told if example is None else told | {"example": example}}
