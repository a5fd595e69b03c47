"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header) as the core wants it."""

import hashlib
import re
from typing import Any

import msgspec

from api.answer import Header
from api.request import Request
from api.schema import Context, Text
from api.shapes.messages import SendRequest
from corefast.errors import ParameterInvalid
from corefast.limits import MAX_IDEMPOTENCY_KEY_CHARACTERS
from corefast.wire.gateway import Idempotency

REPLAYED: Header = (b"idempotency-replayed", b"true")

_VISIBLE = re.compile(rb"[\x21-\x7e]+")
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class FirstSend(msgspec.Struct, frozen=True):
    """A send as the first release knew it; a stored fingerprint has all of these, said or not."""

    to: str
    type: str
    text: Text | None
    recipient_type: str
    preview_url: bool
    context: Context | None


_FIRST = FirstSend.__struct_fields__
_LATER = {field.name: field.default for field in msgspec.structs.fields(SendRequest) if field.name not in _FIRST}


def identity_of(send: SendRequest) -> Any:
    """Return what makes two sends the same one, in any release: a later field counts where it is not its default."""
    first = FirstSend(*[getattr(send, name) for name in _FIRST])
    later = {name: said for name, default in _LATER.items() if (said := getattr(send, name)) != default}
    return (first, later) if later else first


def read_idempotency(request: Request, key_id: str, route: str, content: Any) -> Idempotency | None:
    """Return what the client's header asks for, None without one.

    *content* is the decoded request: two bodies that decode alike are the same request.
    """
    if not request.has_header(b"idempotency-key"):
        return None
    raw = request.header(b"idempotency-key")
    key = raw[1:-1] if len(raw) > 1 and raw[:1] == raw[-1:] == b'"' else raw
    if len(key) > MAX_IDEMPOTENCY_KEY_CHARACTERS or not _VISIBLE.fullmatch(key):
        raise ParameterInvalid(
            f"Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY_CHARACTERS} visible ASCII characters, such as a UUID"
        )
    return Idempotency(f"{key_id}/{route}", key.decode("ascii"), hashlib.sha256(_encode(content)).digest())
