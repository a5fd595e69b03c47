"""What a ciphertext holds, from a peer who may have written anything."""

from pytest import mark, raises

from corefast.errors import ContentMalformed
from corefast.limits import MAX_PLAINTEXT_BYTES, PLAINTEXT_BLOCK_BYTES
from corefast.wire.body import Text
from corefast.wire.content import Content, Read, decode_content, encode_content

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
