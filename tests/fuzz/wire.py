"""Records of the relay's and the gateway's protocol, refusals, and what a ciphertext holds."""

from collections.abc import Callable
from typing import Any

from corefast.address import Address
from corefast.errors import ContentMalformed, CorefastError, FrameMalformed, MessageUndecodable, RateLimited
from corefast.wire import body, messages
from corefast.wire.codec import Codec, gateway_codec, relay_codec
from corefast.wire.content import Content, Medium, Read, decode_content, encode_content
from corefast.wire.refusal import decode_refusal, encode_refusal

RELAY, GATEWAY, CONTENT, PADDED, REFUSAL = range(5)


def seeds() -> list[bytes]:
    ids, at = bytes(16), Address("49123123456", 1)
    signed = messages.SignedPreKey(1, b"\x05" + bytes(32), bytes(64))
    part = messages.Part(1, 2, b"sealed")
    said: list[Any] = [
        messages.Register("49123123456", bytes(33), 7, messages.PreKeyUpload(signed, signed), code="123456"),
        messages.Attach([0, 1], ids, ids, 3),
        messages.Bundle("1", bytes(33), 1, [messages.DeviceBundle(1, 7, signed, signed, None)]),
        messages.PostBatch(0, [messages.Post(ids, "49123123456", 1, [part])]),
        messages.PostResults([messages.PostResult(ids, 1, 1)]),
        messages.Deliver([messages.Item(1, ids, 2, at, 1, b"sealed")]),
        messages.Ack([1, 2]),
        messages.Evicted("number.taken"),
    ]
    kinds = [bytes([0x91, tag]) for tag in range(128)] + [bytes([0x92, tag, 0xA0]) for tag in range(128)]
    contents = [Content(ids, 1, body.Text("hello", True), "name", ids), Content(ids, 1, Read([ids]))]
    said_by_user: list[Any] = [
        body.Attachment(body.MediaKind.IMAGE, "caption", "name"),
        body.Location(52.5, 13.4, "name", "address"),
        body.ContactCards([body.ContactCard(body.PersonName("Ada"), phones=[body.Phone("1")])]),
        body.Template("name", "en", "text", buttons=[body.TemplateButton(body.ButtonKind.URL, "title", "value")]),
    ]
    medium = Medium(bytes(32), bytes(32), 1, "image/png", bytes(32))
    contents += [Content(ids, 1, each, "name", None, medium) for each in said_by_user]
    return [
        *(bytes([RELAY]) + relay_codec.encode(message) for message in said),
        *(bytes([protocol]) + kind for protocol in (RELAY, GATEWAY) for kind in kinds),
        *(bytes([CONTENT]) + encode_content(content) for content in contents),
        *(bytes([PADDED]) + encode_content(content).rstrip(b"\0")[:-1] for content in contents),
        bytes([REFUSAL]) + encode_refusal(RateLimited("wait", 3)),
    ]


def run(data: bytes) -> None:
    if data:
        _READERS[data[0] % len(_READERS)](data[1:])


def _codec(codec: Codec) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        """What was read is written in one form, which reads the same."""
        try:
            message = codec.decode(data)
        except MessageUndecodable:
            return
        written = codec.encode(message)
        assert codec.encode(codec.decode(written)) == written

    return read


def _content(data: bytes) -> None:
    try:
        content = decode_content(data)
    except ContentMalformed:
        return
    written = encode_content(content)
    assert encode_content(decode_content(written)) == written


def _refusal(data: bytes) -> None:
    try:
        refusal = decode_refusal(data)
    except FrameMalformed:
        return
    again = decode_refusal(encode_refusal(refusal))
    assert isinstance(again, CorefastError | None)
    if refusal is not None:
        assert again is not None and (again.code, str(again)) == (refusal.code, str(refusal))


_READERS: list[Callable[[bytes], None]] = [
    _codec(relay_codec),
    _codec(gateway_codec),
    _content,
    lambda data: _content(data + b"\x80"),
    _refusal,
]
