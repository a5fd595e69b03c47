"""Bodies into structs, and the decoder's complaints into sentences that say what to change."""

import contextlib
import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from api.errors import BodyMalformed
from corefast.errors import ParameterInvalid, ParameterMissing
from corefast.limits import MAX_JSON_DEPTH

MAX_FORM_FIELDS = 64

_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?([^`]*)`)?")
_EXPECTED = re.compile(r"Expected `([^`]+)`, got `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_PLACE = re.compile(r" - at `\$\.?([^`]*)`")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,20})?")
_FORGIVABLE = re.compile(r"got `null`|Expected `[^`]*array[^`]*`, got `object`")
_NUMBERED = re.compile("[0-9]{1,5}")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?')

_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class JsonBody:
    """Decodes JSON bodies of one struct type; safe against any bytes."""

    def __init__(self, shape: Any) -> None:
        self._shape = shape
        self._decode = msgspec.json.Decoder(shape).decode

    def decode(self, body: bytes) -> Any:
        """Return the struct; raise `BodyMalformed`, `ParameterMissing` or `ParameterInvalid`.

        A field that is null counts as left out where null is none of its values: clients send all fields they have. An
        object of numbered fields is the list that PHP makes such a one of when it has gaps, or is told to.
        """
        if body.count(b"[") + body.count(b"{") > MAX_JSON_DEPTH and depth_of(body) > MAX_JSON_DEPTH:
            raise ParameterInvalid(f"JSON nests at most {MAX_JSON_DEPTH} levels deep here")
        try:
            return self._read(body)
        except msgspec.ValidationError as error:
            raise explain(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BodyMalformed(f"Unable to decode json from the request: {_syntax(error, body)}") from None

    def _read(self, body: bytes) -> Any:
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            if not _FORGIVABLE.search(str(error)):
                raise
            plain = msgspec.json.decode(body)  # looks at fields that nobody knows too, and may find them malformed
            with contextlib.suppress(msgspec.ValidationError):
                return msgspec.convert(_forgive(plain), self._shape)
            raise

    def settle(self, body: bytes) -> bytes:
        """Return *body* for who passes it on: as it is, or as `decode` had to read it. Raises what `decode` raises."""
        self.decode(body)
        try:
            self._decode(body)
        except msgspec.ValidationError:
            return msgspec.json.encode(_forgive(msgspec.json.decode(body)))
        return body


def _forgive(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _forgive(each) for name, each in value.items() if each is not None}
        return list(kept.values()) if kept and all(_NUMBERED.fullmatch(name) for name in kept) else kept
    return [_forgive(each) for each in value] if isinstance(value, list) else value


def depth_of(body: bytes) -> int:
    """Return how deep the brackets of *body* nest, those inside strings left out."""
    depth = deepest = 0
    for byte in _STRING.sub(b"", body):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def decode_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form-encoded body."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS, errors="strict"))
    except ValueError:
        raise BodyMalformed("Unable to decode the form: use UTF-8, percent-encoded") from None


def explain(text: str) -> ParameterMissing | ParameterInvalid:
    """Return msgspec's complaint as an error that names the field and says what it has to be."""
    if found := _MISSING.match(text):
        name, place = found.groups()
        return ParameterMissing(f"`{place + '.' if place else ''}{name}` is missing")
    if found := _EXPECTED.match(text):
        expected, got, place = found.groups()
        wanted = " or ".join(_WORDS.get(word, word) for word in expected.split(" | "))
        hint = ": put it in quotes" if expected == "str" and got in ("int", "float") else ""
        return ParameterInvalid(f"{_field(place)} has to be {wanted}, not {_WORDS.get(got, got)}{hint}")
    place_found = _PLACE.search(text)
    return ParameterInvalid(f"{_field(place_found and place_found[1])}: {_PLACE.sub('', text)}")


def _field(place: str | None) -> str:
    return f"`{place}`" if place else "the body"


def _syntax(error: Exception, body: bytes) -> str:
    if not body.strip():
        return "Syntax error, the body is empty"
    if isinstance(error, UnicodeDecodeError):
        return "Syntax error, a string is not UTF-8"
    if isinstance(error, RecursionError):
        return "Syntax error, nested too deep"
    return f"Syntax error, {str(error).removeprefix('JSON is malformed: ')}"


def number_of(value: float | str, field: str) -> float:
    """Return a number that clients write with or without quotes; raise `ParameterInvalid`."""
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ParameterInvalid(f"`{field}` has to be a number")
    return float(value)


def refuse_nuls(value: Any, field: str = "") -> None:
    """Raise `ParameterInvalid` where any text in the struct *value* holds the NUL character."""
    if isinstance(value, str):
        refuse_nul(field, value)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            refuse_nuls(each, f"{field}[{at}]")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            refuse_nuls(getattr(value, name), f"{field}.{name}" if field else name)


def refuse_nul(field: str, value: str) -> None:
    """Raise `ParameterInvalid` where *value* holds the NUL character: databases and phones cut there."""
    if "\0" in value:
        raise ParameterInvalid(f"`{field}` holds the NUL character (\\u0000); take it out")
