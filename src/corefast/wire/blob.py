"""The relay's messages about encrypted files: all calls; a link key with a number needs no attach for them."""

import msgspec


class OpenBlob(msgspec.Struct, frozen=True, array_like=True, tag=29):
    """Begin to put a file. → `BlobOpened`. Errors: `blob.quota`, `rate.limited`, `overloaded`, `store.full`."""


class BlobOpened(msgspec.Struct, frozen=True, array_like=True, tag=30):
    """*upload* is a number on this connection; it ends with it, or after a minute without a piece."""

    upload: int


class PutBlob(msgspec.Struct, frozen=True, array_like=True, tag=31):
    """The next piece, of up to `BLOB_CHUNK_BYTES`, at *offset*; several may be under way. → `Done` once written.

    Errors end the upload: `blob.unknown`, `blob.too_large`, `blob.quota`, `parameter.invalid`, `store…`.
    """

    upload: int
    offset: int
    data: bytes


class KeepBlob(msgspec.Struct, frozen=True, array_like=True, tag=32):
    """The file is whole; *name* is its SHA-256. → `Done` once it is durable and readable. Errors: `blob.mismatch`."""

    upload: int
    name: bytes


class DropBlob(msgspec.Struct, frozen=True, array_like=True, tag=33):
    """Forget an upload. → `Done`."""

    upload: int


class GetBlob(msgspec.Struct, frozen=True, array_like=True, tag=34):
    """→ `BlobPart` from *offset*. Errors: `blob.unknown`, `rate.limited`, `overloaded`."""

    name: bytes
    offset: int


class BlobPart(msgspec.Struct, frozen=True, array_like=True, tag=35):
    """`BLOB_CHUNK_BYTES`, or what is left; *size* is that of the whole file."""

    size: int
    data: bytes


class TouchBlob(msgspec.Struct, frozen=True, array_like=True, tag=36):
    """Keep a file of ours for 30 days from now. → `Done`. Errors: `blob.unknown`."""

    name: bytes


Message = OpenBlob | BlobOpened | PutBlob | KeepBlob | DropBlob | GetBlob | BlobPart | TouchBlob
