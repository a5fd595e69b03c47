"""The name in the `cert` of a registration: the original's certificate of a verified name, or plain text."""

from base64 import b64decode
from collections.abc import Iterator

from corefast.errors import ParameterInvalid, ParameterMissing
from corefast.limits import MAX_PROFILE_NAME_CHARACTERS

MAX_CERTIFICATE_CHARACTERS = 65_536

_DETAILS = 1
_VERIFIED_NAME = 4
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def name_in(cert: str) -> str:
    """Return the business's name in a base64 certificate, "" where there is none that a line can show.

    The original's is a protobuf: field 1 holds the details, whose field 4 is the name; nobody verifies its signatures
    here. Anything else counts as the name itself.
    """
    if not cert:
        raise ParameterMissing("`cert` is missing or empty")
    if len(cert) > MAX_CERTIFICATE_CHARACTERS:
        raise ParameterInvalid(f"`cert` has at most {MAX_CERTIFICATE_CHARACTERS} characters")
    try:
        content = b64decode(cert, validate=True)
    except ValueError:
        raise ParameterInvalid("`cert` has to be base64") from None
    return _text(_verified_name(content) or content)


def _text(content: bytes) -> str:
    text = content.decode(errors="replace").replace("\ufffd", "\0").strip()
    return text if text.isprintable() and len(text) <= MAX_PROFILE_NAME_CHARACTERS else ""


def _verified_name(content: bytes) -> bytes:
    try:
        details = dict(_byte_fields(content)).get(_DETAILS, b"")
        return dict(_byte_fields(details)).get(_VERIFIED_NAME, b"")
    except (IndexError, ValueError):
        return b""


def _byte_fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each field of bytes; `IndexError` or `ValueError` where it is no protobuf."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(content, at)
            continue
        if kind == _BYTES:
            size, at = _varint(content, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("not a protobuf")
        if at + size > len(content):
            raise ValueError("not a whole protobuf")
        if kind == _BYTES:
            yield tag >> 3, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a varint has at most 10 bytes")
