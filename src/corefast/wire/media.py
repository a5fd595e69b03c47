"""The gateway's messages about files: put one piece by piece, read it, forget it. They go on a link of their own."""

import msgspec


class MediaRef(msgspec.Struct, frozen=True, array_like=True):
    """Which medium goes with a message: the *id* of one that was put or received, or a *link* to fetch it from.

    *provider* names the credentials for the link; *kind* is that of a header, where the body does not say it.
    """

    id: str = ""
    link: str = ""
    provider: str = ""
    kind: str = ""


class MediaInfo(msgspec.Struct, frozen=True, array_like=True):
    """A medium as fronts know it; *sha256* of the file, in hexadecimal digits. Not *is_ready*: it was not fetched."""

    id: str
    mime: str
    sha256: str
    size: int
    is_ready: bool = True


class OpenMedia(msgspec.Struct, frozen=True, array_like=True, tag=80):
    """Begin to put a file. → `MediaOpened`. Errors: `media.unfit`, `blob.quota`, `overloaded`, `link.lost`."""

    account: str
    mime: str


class MediaOpened(msgspec.Struct, frozen=True, array_like=True, tag=81):
    """*number* is for the messages that follow; it ends after a minute without one. *info* of a file to be read."""

    number: int
    info: MediaInfo | None = None


class PutMedia(msgspec.Struct, frozen=True, array_like=True, tag=82):
    """The next piece, of up to `BLOB_CHUNK_BYTES`, at *offset*; several may be under way. → `Done` once it is taken.

    Errors end the upload: `media.unfit`, `media.too_large`, `media.unknown` and those of `OpenMedia`.
    """

    account: str
    number: int
    offset: int
    data: bytes


class KeepMedia(msgspec.Struct, frozen=True, array_like=True, tag=83):
    """The file is whole. → `MediaKept` once it is durable."""

    account: str
    number: int


class MediaKept(msgspec.Struct, frozen=True, array_like=True, tag=84):
    info: MediaInfo


class DropMedia(msgspec.Struct, frozen=True, array_like=True, tag=85):
    """End an upload or a reading. → `Done`."""

    account: str
    number: int


class FetchMedia(msgspec.Struct, frozen=True, array_like=True, tag=86):
    """→ `MediaOpened` once the whole file is here and proved genuine. Errors: `media.unknown`, `media.damaged`."""

    account: str
    id: str


class ReadMedia(msgspec.Struct, frozen=True, array_like=True, tag=87):
    """→ `MediaPart`, the next one; several may be under way."""

    account: str
    number: int


class MediaPart(msgspec.Struct, frozen=True, array_like=True, tag=88):
    data: bytes
    is_last: bool


class DeleteMedia(msgspec.Struct, frozen=True, array_like=True, tag=89):
    """→ `Done`: the id is forgotten. What was sent stays readable for its recipients. Errors: `media.unknown`."""

    account: str
    id: str


Message = (
    OpenMedia
    | MediaOpened
    | PutMedia
    | KeepMedia
    | MediaKept
    | DropMedia
    | FetchMedia
    | ReadMedia
    | MediaPart
    | DeleteMedia
)
