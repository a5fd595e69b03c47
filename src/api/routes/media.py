"""/v1/media: put a file, get one, delete one; the bytes stream through."""

import mimetypes

from api.answer import NO_CACHE, V1, Answer, StreamAnswer, answer_json
from api.auth import Keys
from api.errors import BodyTooLarge
from api.gateway import Core
from api.media import fetch_media, put_media, read_media
from api.operation import AWAY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import MetaAnswer
from api.shapes.media import MediaAnswer, MediaItem
from corefast.errors import MediaUnknown, ParameterMissing, RemoteRefused
from corefast.limits import MAX_MEDIA_BYTES
from corefast.wire.gateway import Done, Scope
from corefast.wire.media import DeleteMedia, MediaInfo

_SAFETY = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    NO_CACHE,
)
"""A browser shows nothing of a customer's file as ours."""


class MediaFiles:
    """The collection and its members. *core* is the way for files, *keys* asks on another."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self.collection = Resource("v1.media", V1, POST=self._put)
        self.member = Resource("v1.media.id", V1, GET=self._get, DELETE=self._delete)

    async def _put(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.SEND)
        if not request.header(b"content-type"):
            raise ParameterMissing("Content-Type is missing: the MIME type of the file, such as image/jpeg")
        if request.announced > MAX_MEDIA_BYTES:
            raise BodyTooLarge(f"a file has at most {MAX_MEDIA_BYTES} bytes")
        mime, pieces = await request.file(request.pieces())
        info = await put_media(self._core, key.account, mime, pieces)
        return answer_json(200, MediaAnswer([MediaItem(info.id)]))

    async def _get(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.READ)
        try:
            opened = await fetch_media(self._core, key.account, request.path["id"])
        except RemoteRefused as error:
            if error.code == MediaUnknown.code:
                return Answer(404, b"", NO_CACHE)  # the original's has no body
            raise
        assert opened.info is not None
        info = opened.info
        kind = (b"content-type", info.mime.encode("ascii"))
        pieces = read_media(self._core, key.account, opened.number)
        return StreamAnswer(info.size, pieces, kind, _disposition(info), *_SAFETY)

    async def _delete(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.SEND)
        await self._core.call(DeleteMedia(key.account, request.path["id"]), Done)
        return answer_json(200, MetaAnswer())


def _disposition(info: MediaInfo) -> tuple[bytes, bytes]:
    """Name the file after its id: what a customer called it is for no header."""
    ending = mimetypes.guess_extension(info.mime.partition(";")[0]) or ""
    return b"content-disposition", f'attachment; filename="{info.id}{ending}"'.encode("ascii")


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/media",
        id="putMedia",
        tag="media",
        summary="Put a file: its bytes as they are, Content-Type says of what type; or a form with one file",
        request="application/octet-stream",
        answer=MediaAnswer,
        errors=(
            *CALLER,
            "parameter.missing",
            "media.unfit",
            "media.too_large",
            "body.too_large",
            "blob.quota",
            "rate.limited",
            *AWAY,
        ),
    ),
    Operation(
        method="GET",
        path="/v1/media/{id}",
        id="getMedia",
        tag="media",
        summary="The bytes of a file; 404 has no body",
        answer="application/octet-stream",
        wordless=(404,),
        errors=(*CALLER, "media.unknown", "media.damaged", *AWAY),
    ),
    Operation(
        method="DELETE",
        path="/v1/media/{id}",
        id="deleteMedia",
        tag="media",
        summary="Forget a file; messages that have it keep it",
        answer=MetaAnswer,
        errors=(*CALLER, "media.unknown", *AWAY),
    ),
)
