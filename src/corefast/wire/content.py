"""What a ciphertext holds: the plaintext vocabulary that only cores and devices read."""

from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from corefast.errors import ContentMalformed
from corefast.limits import MAX_GROUP_MEMBERS, MAX_PLAINTEXT_BYTES, MAX_RESEND_IDS, PLAINTEXT_BLOCK_BYTES
from corefast.wire.body import Saying


class Read(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The reader has seen these messages."""

    ids: list[bytes]


class ResendRequest(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """The writer could not decrypt these messages and asks for them once more; never shown, never resent itself."""

    ids: Annotated[list[bytes], Meta(max_length=MAX_RESEND_IDS)]


class Unsupported(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """What a body of a later release becomes here: `kind` is its tag. Nobody sends this one."""

    kind: int


class Sent(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Between devices of one number: what another of them sent to *to*; *content* is that plaintext, padding and all.

    For what is said in a group *to* is empty, and for news of one it is the group's founder.
    From anybody else, and one inside another, it is malformed.
    """

    to: str
    content: bytes


class GroupNews(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """The group of the tag, its roster or the author's key is new or another; never shown as a message."""


class GroupLeave(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """The author leaves the group of the tag."""


Body = Saying | Read | Sent | ResendRequest | GroupNews | GroupLeave | Unsupported


class Medium(msgspec.Struct, frozen=True, array_like=True):
    """Where an encrypted file lies and how it is opened (`protocol.media`).

    `blob` is SHA-256 of the encrypted file, its name at the relay; `key` its media key (32 bytes); `size` and `sha256`
    are those of the file in clear, in bytes.
    """

    blob: bytes
    key: bytes
    size: int
    mime: str
    sha256: bytes


GroupId = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""Names a group; its senders' keys carry it as their distribution id."""


class Roster(msgspec.Struct, frozen=True, array_like=True):
    """A group as its founder tells it: the numbers of its *members*, not his own; the highest *revision* counts."""

    revision: int
    subject: str
    members: Annotated[list[str], Meta(max_length=MAX_GROUP_MEMBERS)]


class GroupTag(msgspec.Struct, frozen=True, array_like=True):
    """The group that a message is said in.

    In a ciphertext for one device alone it may bring *key*, the author's sender-key distribution message, and *roster*;
    in one under a sender key it is the *id* alone.
    """

    id: GroupId
    key: bytes = b""
    roster: Roster | None = None


class Content(msgspec.Struct, frozen=True, array_like=True):
    """One message as its author wrote it.

    `id` (16 bytes) repeats the envelope's, which the relay could have swapped, except in a group, where it is the same
    for all members; `at_ms` is the author's clock;
    `name` is the author's profile name; `reply_to` the id of a quoted message; `media` belongs to an `Attachment`, or
    to the header of a template or of buttons; `resent` is the id under which a message that is sent once more was
    known at first (docs/protocol.md); `author` is the author's number, which the relay could have swapped as well, and
    empty from a release that did not name it.
    """

    id: bytes
    at_ms: int
    body: Body
    name: str = ""
    reply_to: bytes | None = None
    media: Medium | None = None
    resent: bytes | None = None
    group: GroupTag | None = None
    author: str = ""


class _Later(msgspec.Struct, frozen=True, array_like=True):
    """A content whose body may be of a later release."""

    id: bytes
    at_ms: int
    body: list[Any]
    name: str = ""
    reply_to: bytes | None = None
    media: Medium | None = None
    resent: bytes | None = None
    group: GroupTag | None = None
    author: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Content)
_later_decoder = msgspec.msgpack.Decoder(_Later)

_TAGS = {body.__struct_config__.tag for body in get_args(Body)}


def encode_content(content: Content) -> bytes:
    """Return the padded plaintext: msgpack, 0x80, zeros to a multiple of `PLAINTEXT_BLOCK_BYTES` (ISO 7816-4)."""
    packed = _encoder.encode(content)
    size = len(packed) + 1
    return packed + b"\x80" + bytes(-size % PLAINTEXT_BLOCK_BYTES)


def decode_content(plaintext: bytes) -> Content:
    """Return what `encode_content` was given; raise `ContentMalformed`.

    A well-formed body whose tag we do not know comes back as `Unsupported`: that is no damage, and asking for it once
    more would not help.
    """
    if len(plaintext) > MAX_PLAINTEXT_BYTES:
        raise ContentMalformed("the plaintext is too large")
    packed = plaintext.rstrip(b"\0")
    if not packed.endswith(b"\x80"):
        raise ContentMalformed("the padding is wrong")
    try:
        return _decoder.decode(packed[:-1])
    except (msgspec.DecodeError, ValueError, RecursionError):  # ValueError: a text that is no UTF-8
        return _decode_later(packed[:-1])


def _decode_later(packed: bytes) -> Content:
    try:
        later = _later_decoder.decode(packed)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise ContentMalformed("the plaintext is no message") from None
    kind = later.body[0] if later.body else None
    if type(kind) is not int or kind in _TAGS:
        raise ContentMalformed("the plaintext is no message")
    return Content(later.id, later.at_ms, Unsupported(kind), *msgspec.structs.astuple(later)[3:])


def read_content(plaintext: bytes, sender: str) -> Content:
    """Return what *sender* has written, as the relay says; raise `ContentMalformed` where the author is another one."""
    content = decode_content(plaintext)
    if content.author and content.author != sender:
        raise ContentMalformed("the relay's sender is not the author")
    return content
