"""Which medium goes with a message of the business, and whether it may."""

from collections.abc import Awaitable, Callable

from corefast.errors import ParameterInvalid, ParameterMissing, ParameterUnneeded
from corefast.wire import body as bodies
from corefast.wire.body import MediaKind, Saying
from corefast.wire.content import Medium
from corefast.wire.media import MediaRef

Resolve = Callable[[MediaRef, MediaKind], Awaitable[Medium]]
"""Returns the medium that a reference names; raises what the sender has to change, or what is busy."""

_HEADERS = (MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.DOCUMENT)


def check_ref(body: Saying, ref: MediaRef | None) -> None:
    """Raise a `CallerError` that names the field, unless *ref* goes with *body*, or None does."""
    if ref is None:
        if isinstance(body, bodies.Attachment):
            raise ParameterMissing(f"`{body.kind}` needs `id` or `link`")
        return
    kind = kind_of(body, ref)
    if not (ref.id or ref.link):
        raise ParameterMissing(f"`{kind}` needs `id` or `link`")
    if ref.id and ref.link:
        raise ParameterInvalid(f"`{kind}` has `id` or `link`, not both")
    if ref.provider and not ref.link:
        raise ParameterUnneeded(f"`{kind}.provider` goes with `link`")


def kind_of(body: object, ref: MediaRef) -> MediaKind:
    """Return what the medium is to be; raise where the body takes none."""
    if isinstance(body, bodies.Attachment):
        if body.kind is MediaKind.VOICE:
            raise ParameterInvalid("`type`: a business sends audio, not voice")
        return body.kind
    if not isinstance(body, bodies.ReplyButtons | bodies.Template):
        raise ParameterUnneeded("this type of message has no medium")
    if body.header:
        raise ParameterUnneeded("a header is a text or a medium, not both")
    if ref.kind not in _HEADERS:
        raise ParameterInvalid("the type of a header is text, image, video or document")
    return MediaKind(ref.kind)
