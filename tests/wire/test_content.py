"""What a ciphertext holds, from a peer who may have written anything."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from pytest import mark, raises

from corefast.errors import ContentMalformed
from corefast.limits import MAX_PLAINTEXT_BYTES, MAX_RESEND_IDS, PLAINTEXT_BLOCK_BYTES
from corefast.wire.body import Text
from corefast.wire.content import (
    Content,
    Read,
    ResendRequest,
    Unsupported,
    decode_content,
    encode_content,
    read_content,
)

CONTENT = Content(bytes(16), 1, Text("hello"), "name", bytes(16))


@mark.parametrize("content", [CONTENT, Content(bytes(16), 1, Read([bytes(16)])), Content(b"", -1, Text(""))])
def test_content_is_read_back_from_whole_blocks(content):
    plaintext = encode_content(content)
    assert decode_content(plaintext) == content
    assert len(plaintext) % PLAINTEXT_BLOCK_BYTES == 0


@mark.parametrize(
    "plaintext",
    [
        b"",
        b"\x80",
        bytes(160),
        encode_content(CONTENT).replace(b"\x80", b"\x81"),
        encode_content(CONTENT)[1:],
        encode_content(CONTENT).replace(b"hello", b"hell\xff"),
        encode_content(CONTENT).replace(b"name", b"\xed\xa0\x80e"),
        b"\x91" * 60_000 + b"\x80",
        encode_content(CONTENT) + bytes(MAX_PLAINTEXT_BYTES),
    ],
)
def test_anything_else_is_malformed_content(plaintext):
    with raises(ContentMalformed):
        decode_content(plaintext)


ID = bytes(16)


def padded(value: object) -> bytes:
    packed = msgspec.msgpack.encode(value) + b"\x80"
    return packed + bytes(-len(packed) % 160)


def test_a_resend_names_the_first_id_and_a_request_its_ids():
    for content in (Content(ID, 1, Text("x"), "name", None, None, b"1" * 16), Content(ID, 1, ResendRequest([ID] * 3))):
        assert decode_content(encode_content(content)) == content


def test_an_older_reader_sees_a_resend_as_a_text():
    class Older(msgspec.Struct, array_like=True):
        id: bytes
        at_ms: int
        body: Text
        name: str = ""
        reply_to: bytes | None = None

    packed = encode_content(Content(ID, 1, Text("x"), resent=ID)).rstrip(b"\0")[:-1]
    assert msgspec.msgpack.decode(packed, type=Older).body == Text("x")


def test_a_body_of_a_later_release_is_unsupported_and_no_damage():
    content = decode_content(padded([ID, 7, [99, {"new": [1, 2]}], "name", None, None, None, None, "49123", "more"]))
    assert content == Content(ID, 7, Unsupported(99), "name", author="49123")


def test_a_body_of_a_later_release_keeps_the_id_that_it_is_resent_under():
    assert decode_content(padded([ID, 7, [99, 1], "", None, None, b"1" * 16])).resent == b"1" * 16


@mark.parametrize("body", [Text("x"), Unsupported(99)])
def test_a_content_is_that_of_its_author_or_of_a_release_that_named_none(body):
    for author in ("", "49123"):
        written = Content(ID, 1, body, author=author)
        plaintext = padded([ID, 1, [99], "", None, None, None, None, author]) if body != Text("x") else None
        assert read_content(plaintext or encode_content(written), "49123") == written
    with raises(ContentMalformed):
        read_content(encode_content(Content(ID, 1, Text("x"), author="49123")), "491234")


@mark.parametrize(
    "value",
    [
        [ID, 1, [1, 5]],
        [ID, 1, []],
        [ID, 1, ["99"]],
        [ID, 1, [True, 1]],
        [ID, 1, [8, [1, 2]]],
        [ID, 1, [8, [ID] * (MAX_RESEND_IDS + 1)]],
        [ID, 1],
        ["id", 1, [99]],
        99,
    ],
)
def test_a_known_body_of_a_wrong_form_is_malformed(value):
    with raises(ContentMalformed):
        decode_content(padded(value))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_content_or_malformed(data):
    try:
        decode_content(data)
    except ContentMalformed:
        pass
