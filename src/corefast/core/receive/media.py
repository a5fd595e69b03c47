"""What becomes of a medium that came with a message: noted beside it, and fetched once both are stored."""

from corefast.core.context import Context
from corefast.core.store.inbound import InboundKind
from corefast.core.store.media import Direction, MediaRow
from corefast.endpoint.media import is_sound
from corefast.errors import ContentMalformed
from corefast.store.database import Unit
from corefast.wire.body import Attachment
from corefast.wire.content import Content


def check_medium(content: Content) -> None:
    """Raise `ContentMalformed` where a message is a medium and none that can be one stands beside it."""
    if isinstance(content.body, Attachment) and not is_sound(content.media):
        raise ContentMalformed("a message is a medium, and its description is damaged")


def note_medium(
    context: Context, unit: Unit, origin: tuple[int, int], content: Content
) -> tuple[InboundKind, str | None]:
    """Return how the message is stored, and the id of the medium to be fetched; *origin*: rows of peer and message."""
    medium, body = content.media, content.body
    if medium is None or not is_sound(medium):
        return InboundKind.TEXT, None
    if isinstance(body, Attachment) and body.kind not in context.auto_download:
        return InboundKind.UNDOWNLOADED, None
    media_id, now_ms = context.ids.media_id(medium), context.clock()
    peer, row = origin
    context.media.put(unit, MediaRow(media_id, Direction.IN, medium, now_ms, now_ms, row, peer, is_wanted=True))
    return InboundKind.TEXT, media_id
