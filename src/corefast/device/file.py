"""What a file on our disk is to a message, and what a message's file is called on our disk."""

import mimetypes
import re
from pathlib import Path

from corefast.device.event import MessageReceived, MessageSent
from corefast.endpoint.media import is_mime
from corefast.errors import ParameterInvalid
from corefast.wire.body import Attachment, MediaKind
from corefast.wire.content import Medium

MAX_NAME_CHARACTERS = 100
_UNKNOWN_MIME = "application/octet-stream"
_UNSAFE = re.compile(r"[^\w. ()+-]+")
_KINDS = {
    "image/jpeg": MediaKind.IMAGE,
    "image/png": MediaKind.IMAGE,
    "image/webp": MediaKind.STICKER,
    "video/mp4": MediaKind.VIDEO,
    "video/3gpp": MediaKind.VIDEO,
}


def mime_of(path: Path, given: str = "") -> str:
    """Return the MIME type that is *given*, or else follows from the file's name; raise `ParameterInvalid`."""
    mime = given or mimetypes.guess_type(path.name)[0] or _UNKNOWN_MIME
    if not is_mime(mime):
        raise ParameterInvalid("a MIME type is in lower case, such as image/png")
    return mime


def kind_of(mime: str) -> MediaKind:
    """Return as what a file of this type is shown."""
    return _KINDS.get(mime, MediaKind.AUDIO if mime.startswith("audio/") else MediaKind.DOCUMENT)


def name_of(message: MessageReceived | MessageSent, medium: Medium) -> str:
    """Return a file name for the medium of *message*, which nothing that its author wrote leads out of a folder."""
    said = message.body.filename if isinstance(message.body, Attachment) else ""
    name = _UNSAFE.sub("_", said.replace("\\", "/").rpartition("/")[2])[-MAX_NAME_CHARACTERS:].strip(" .")
    if name:
        return name
    kind = kind_of(medium.mime)
    return f"{kind}-{message.id.hex()[:8]}{mimetypes.guess_extension(medium.mime.partition(';')[0]) or ''}"


def reserve(path: Path, name: str) -> Path:
    """Make an empty file at *path*, or as *name* in that folder, and return where; one that is there already stays."""
    path = path.expanduser()
    target = path / name if path.is_dir() else path
    number = 0
    while True:
        free = target.with_name(f"{target.stem} ({number}){target.suffix}") if number else target
        try:
            free.touch(0o600, exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return free
