"""The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header) as the core wants it."""

import hashlib
import re
from typing import Any

import msgspec

from api.answer import Header
from api.request import Request
from corefast.errors import ParameterInvalid
from corefast.limits import MAX_IDEMPOTENCY_KEY_CHARACTERS
from corefast.wire.gateway import Idempotency

REPLAYED: Header = (b"idempotency-replayed", b"true")

_VISIBLE = re.compile(rb"[\x21-\x7e]+")
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


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
