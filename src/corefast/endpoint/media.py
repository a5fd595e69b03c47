"""Files of messages: sealed piece by piece on the way to the relay, and opened on the way back.

It does not know where a file comes from and where it goes. The keys of a file follow from its MIME type, which its
message carries: a picture has the same ones whether it is sent as an image, a sticker or a document.
"""

import re
from collections.abc import Callable
from hashlib import sha256

from corefast.errors import CiphertextInvalid
from corefast.limits import MAX_BLOB_BYTES, MAX_MEDIA_BYTES
from corefast.protocol.media import MAC_SIZE, MEDIA_KEY_SIZE, MediaKind, MediaOpener, MediaSealer
from corefast.wire.content import Medium

_HASH_SIZE = 32
_MIME = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}(; ?[a-z0-9-]{1,20}=[\w.-]{1,40}){0,2}"
)
_KINDS = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}


def is_mime(text: str) -> bool:
    """Whether *text* is a MIME type in lower case, short and with nothing in it that could break a header."""
    return text.isascii() and _MIME.fullmatch(text) is not None


def is_sound(medium: Medium | None) -> bool:
    """Whether a medium that a peer names can be one at all."""
    return (
        medium is not None
        and len(medium.blob) == _HASH_SIZE
        and len(medium.sha256) == _HASH_SIZE
        and len(medium.key) == MEDIA_KEY_SIZE
        and 0 < medium.size <= MAX_MEDIA_BYTES
        and is_mime(medium.mime)
    )


def blob_size_of(medium: Medium) -> int:
    """Return how many bytes the encrypted file has: padded to 16, one at least, and its MAC."""
    return (medium.size // 16 + 1) * 16 + MAC_SIZE


class Sealing:
    """Encrypts one file, once for all who get it."""

    def __init__(self, mime: str, random: Callable[[int], bytes]) -> None:
        self._mime = mime
        self._key = random(MEDIA_KEY_SIZE)
        self._sealer = MediaSealer(self._key, _kind_of(mime))
        self.size = 0

    def update(self, data: bytes) -> bytes:
        """Return the next piece of the encrypted file."""
        self.size += len(data)
        return self._sealer.update(data)

    def finish(self) -> bytes:
        """Return the last piece."""
        return self._sealer.finish()

    @property
    def medium(self) -> Medium:
        """What opens the file again; complete after `finish`."""
        return Medium(self._sealer.file_hash, self._key, self.size, self._mime, self._sealer.plain_hash)


class Opening:
    """Decrypts one file. Nothing that it returned is genuine before `finish` has returned."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium
        self._opener = MediaOpener(medium.key, _kind_of(medium.mime), medium.sha256)
        self._file_hash = sha256()
        self._file_size = self._size = 0

    def update(self, data: bytes) -> bytes:
        """Return the next piece of the file; raise `CiphertextInvalid` as soon as it is too long."""
        self._file_hash.update(data)
        self._file_size += len(data)
        if self._file_size > MAX_BLOB_BYTES:
            raise CiphertextInvalid("the file is larger than any may be")
        return self._count(self._opener.update(data))

    def finish(self) -> bytes:
        """Return the last piece; raise `CiphertextInvalid` unless the file is the one that its message names."""
        if self._file_hash.digest() != self._medium.blob:
            raise CiphertextInvalid("the encrypted file is another one")
        last = self._count(self._opener.finish())
        if self._size != self._medium.size:
            raise CiphertextInvalid("the file has another size than was announced")
        return last

    def _count(self, data: bytes) -> bytes:
        self._size += len(data)
        return data


def _kind_of(mime: str) -> MediaKind:
    return _KINDS.get(mime.partition("/")[0], MediaKind.DOCUMENT)
