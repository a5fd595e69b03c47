"""How an error crosses a link: its code, a sentence, and when to try again."""

from typing import Annotated, Any

import msgspec

from corefast.errors import CorefastError, FrameMalformed, RemoteRefused

MAX_TEXT = 500


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """The payload of a failure or close record. An empty code in a close: no error, the other side is done."""

    code: Annotated[str, msgspec.Meta(max_length=64)] = ""
    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] = ""
    retry_after_ms: Annotated[int, msgspec.Meta(ge=0)] = 0


_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(Refusal).decode


def encode_refusal(error: BaseException | None) -> bytes:
    """Return *error* for the wire; of one that is none of ours only the code `internal` leaves the process."""
    if error is None:
        return _encode(Refusal())
    if not isinstance(error, CorefastError):
        return _encode(Refusal(CorefastError.code))
    retry_after_ms = getattr(error, "retry_after_ms", 0)
    return _encode(Refusal(error.code, str(error)[:MAX_TEXT], max(retry_after_ms, 0)))


def decode_refusal(data: bytes) -> RemoteRefused | None:
    """Return the error in *data*, None where the code is empty; raise `FrameMalformed` for anything else."""
    try:
        refusal: Refusal = _decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):  # ValueError: a text that is no UTF-8
        raise FrameMalformed("a refusal cannot be read") from None
    return RemoteRefused(refusal.code, refusal.text, refusal.retry_after_ms) if refusal.code else None
