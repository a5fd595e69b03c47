"""A medium as fronts and clients know it: without its key."""

from corefast.wire.content import Medium
from corefast.wire.media import MediaInfo


def info_of(media_id: str, medium: Medium, *, is_ready: bool = True) -> MediaInfo:
    return MediaInfo(media_id, medium.mime, medium.sha256.hex(), medium.size, is_ready)
