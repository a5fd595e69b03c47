"""Which files go with which kind of message: types, sizes, and first bytes that bear a type out."""

from corefast.endpoint.media import is_mime
from corefast.errors import MediaTooLarge, MediaUnfit
from corefast.limits import MAX_MEDIA_BYTES
from corefast.wire.body import MediaKind
from corefast.wire.content import Medium

HEAD_BYTES = 512
"""What `check_head` and `sticker_flaw` look at."""

_MEGABYTE = 1_048_576
_AUDIO = frozenset({"audio/aac", "audio/mp4", "audio/amr", "audio/mpeg", "audio/ogg"})
_TYPES = {
    MediaKind.IMAGE: frozenset({"image/jpeg", "image/png"}),
    MediaKind.VIDEO: frozenset({"video/mp4", "video/3gpp"}),
    MediaKind.AUDIO: _AUDIO,
    MediaKind.VOICE: frozenset({"audio/ogg"}),
    MediaKind.STICKER: frozenset({"image/webp"}),
}
_SIZES = {
    MediaKind.IMAGE: 5 * _MEGABYTE,
    MediaKind.VIDEO: 16 * _MEGABYTE,
    MediaKind.AUDIO: 16 * _MEGABYTE,
    MediaKind.VOICE: 16 * _MEGABYTE,
    MediaKind.STICKER: 500 * 1_024,
    MediaKind.DOCUMENT: MAX_MEDIA_BYTES,
}
_STICKER_BYTES = 100 * 1_024
_STICKER_PIXELS = 512
_ACTIVE = frozenset({"image/svg+xml"})
"""Pictures that run scripts."""

UNKNOWN_TYPE = "application/octet-stream"

_SPELLINGS = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "audio/mp3": "audio/mpeg",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/x-aac": "audio/aac",
    "video/3gp": "video/3gpp",
    "application/x-pdf": "application/pdf",
}
"""Names that no registry has and that programs and type detectors use all the same."""


def read_mime(text: str) -> str:
    """Return a MIME type in its registered spelling; raise `MediaUnfit` where it is none, or nobody may send it."""
    kind, *parameters = (part.strip() for part in text.lower().split(";"))
    mime = "; ".join((_SPELLINGS.get(kind, kind), *parameters))
    if not is_mime(mime):
        raise MediaUnfit("Content-Type has to be the MIME type of the file, such as image/jpeg")
    if bare(mime) in _ACTIVE:
        raise MediaUnfit(f"{bare(mime)} is not taken: it may hold scripts; send it as image/png")
    return mime


def bare(mime: str) -> str:
    """Return a MIME type without its parameters."""
    return mime.partition(";")[0]


def limit_of(kind: MediaKind) -> int:
    """Return how many bytes a file of *kind* has at most."""
    return _SIZES[kind]


def check_kind(kind: MediaKind, medium: Medium, flaw: str = "") -> None:
    """Raise `MediaUnfit` or `MediaTooLarge` unless *medium* may be sent as *kind*; *flaw* is of `sticker_flaw`."""
    check_type(kind, medium.mime)
    if medium.size > _SIZES[kind]:
        raise MediaTooLarge(f"`{kind}`: the file has {medium.size} bytes; the limit is {_SIZES[kind]}")
    if kind is MediaKind.STICKER and flaw:
        raise MediaUnfit(f"`{kind}`: {flaw}")


def check_type(kind: MediaKind, mime: str) -> None:
    types = _TYPES.get(kind)
    if types is not None and bare(mime) not in types:
        raise MediaUnfit(f"`{kind}` is one of {', '.join(sorted(types))}, not {bare(mime)}")


def check_head(mime: str, head: bytes) -> None:
    """Raise `MediaUnfit` where the first bytes of a file are not of the type that it says."""
    known = {"image/jpeg", "image/png", "image/webp", "application/pdf", *_TYPES[MediaKind.VIDEO], *_AUDIO}
    if bare(mime) in known and bare(mime) not in sniff(head):
        raise MediaUnfit(f"the file is not {bare(mime)}: its first bytes are of another type")
    if bare(mime) == "audio/ogg" and b"OpusHead" not in head:
        raise MediaUnfit("audio/ogg has to be Opus")


def sniff(head: bytes) -> set[str]:
    """Return the types that a file may have which begins so; none where that cannot be told."""
    if head.startswith(b"\xff\xd8\xff"):
        return {"image/jpeg"}
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return {"image/png"}
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return {"image/webp"}
    if head[4:8] == b"ftyp":
        return {"video/3gpp", "video/mp4"} if head[8:10] == b"3g" else {"video/mp4", "audio/mp4"}
    return next((types for start, types in _STARTS if head.startswith(start)), set())


_STARTS = (
    (b"%PDF-", {"application/pdf"}),
    (b"OggS", {"audio/ogg"}),
    (b"#!AMR", {"audio/amr"}),
    (b"ADIF", {"audio/aac"}),
    (b"ID3", {"audio/mpeg", "audio/aac"}),
    *((bytes((0xFF, second)), {"audio/aac"}) for second in (0xF0, 0xF1, 0xF8, 0xF9)),
    *((bytes((0xFF, second)), {"audio/mpeg"}) for second in (0xE2, 0xE3, 0xF2, 0xF3, 0xFA, 0xFB)),
)


def sticker_flaw(head: bytes, size: int) -> str:
    """Return why a WebP file is no sticker; nothing where it is one."""
    width, height, is_animated = _webp(head)
    if (width, height) != (_STICKER_PIXELS, _STICKER_PIXELS):
        return f"a sticker has {_STICKER_PIXELS} by {_STICKER_PIXELS} pixels"
    if not is_animated and size > _STICKER_BYTES:
        return f"a sticker that does not move has at most {_STICKER_BYTES} bytes"
    return ""


def _webp(head: bytes) -> tuple[int, int, bool]:
    """Return width, height and whether it moves (RFC 9649); zeros where the head is damaged."""
    if head[12:16] == b"VP8X" and len(head) >= 30:
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height, bool(head[20] & 2)
    if head[12:16] == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, False
    if head[12:16] == b"VP8 " and len(head) >= 30:
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        return width, height, False
    return 0, 0, False
