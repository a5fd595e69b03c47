"""/api/v{N}/chat: one number, one text, in the form of the messaging platforms that offered exactly this."""

from urllib.parse import urlsplit

import msgspec

from api.answer import JSON, NO_CACHE, PROBLEMS, Answer
from api.auth import Keys, for_account
from api.decode import JsonBody, decode_form, explain, refuse_nul
from api.errors import PathUnknown
from api.gateway import Core
from api.idempotency import REPLAYED, read_idempotency
from api.operation import AWAY, BODY, CALLER, IDEMPOTENCY_KEY, Operation
from api.request import Request
from api.resource import Resource
from api.schema import NUMBER_EXAMPLE, ChatAnswer, ChatRequest
from corefast.errors import ParameterMissing, TokenInvalid
from corefast.wire.body import Attachment, MediaKind, Text
from corefast.wire.gateway import Accepted, Scope, Send
from corefast.wire.media import MediaRef

_HEAD = b'{"id":"'
_TAIL = b'","status":"accepted"}'
_FORM = b"application/x-www-form-urlencoded"
_MAX_VERSION_DIGITS = 4
_KINDS = {
    **dict.fromkeys(("jpg", "jpeg", "png"), MediaKind.IMAGE),
    **dict.fromkeys(("mp4", "3gp"), MediaKind.VIDEO),
    **dict.fromkeys(("aac", "m4a", "amr", "mp3", "ogg", "opus"), MediaKind.AUDIO),
}


class Chat:
    """The same for every version N: clients of all of them send these two fields."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._json = JsonBody(ChatRequest)
        self.resource = Resource("chat", PROBLEMS, POST=self._send)

    async def _send(self, request: Request) -> Answer:
        version = request.path["version"]
        if not (version.isascii() and version.isdecimal()) or len(version) > _MAX_VERSION_DIGITS:
            raise PathUnknown("the path is /api/v7/chat; any version number will do")
        token = self._token_before_body(request)
        key = await self._keys.require_token(token, Scope.SEND) if token else None
        wanted = self._decode(request, await request.body())
        if key is None:
            key = await self._keys.require_token(_token_in(wanted), Scope.SEND)
        key = for_account(key, request)
        _check(wanted)
        body, media = _body_of(wanted)
        content = (
            wanted.id,
            wanted.message,
            wanted.linkpreview,
            *((wanted.attachment, wanted.filename) if media else ()),
        )
        idempotency = read_idempotency(request, key.id, "chat", content)
        accepted = await self._core.call(
            Send(key.account, wanted.id, body, "", idempotency, media=media),
            Accepted,
        )
        headers = (JSON, NO_CACHE, REPLAYED) if accepted.replayed else (JSON, NO_CACHE)
        return Answer(201, _HEAD + accepted.id.encode() + _TAIL, *headers)

    def _token_before_body(self, request: Request) -> bytes:
        """Return the key of the header or the query; empty when only the body can have it."""
        if request.header(b"authorization"):
            return self._keys.token_of(request)
        return request.query().get("apikey", "").encode()

    def _decode(self, request: Request, body: bytes) -> ChatRequest:
        """JSON whatever the Content-Type says (`curl -d` says form), else a form where it says so."""
        is_form = request.header(b"content-type").lower().startswith(_FORM)
        if not is_form or body.lstrip()[:1] in (b"{", b"["):
            decoded: ChatRequest = self._json.decode(body)
            return decoded
        try:
            return msgspec.convert(decode_form(body), ChatRequest)
        except msgspec.ValidationError as error:
            raise explain(str(error)) from None


def _token_in(wanted: ChatRequest) -> bytes:
    if not wanted.apikey:
        raise TokenInvalid("the API key is missing: send Authorization: Bearer cf_…, or apikey in the body")
    return wanted.apikey.encode()


def _check(wanted: ChatRequest) -> None:
    if wanted.message is None and not wanted.attachment:
        raise ParameterMissing("`message` is missing")
    for field in ("id", "message", "attachment", "filename"):
        refuse_nul(field, getattr(wanted, field) or "")


def _body_of(wanted: ChatRequest) -> tuple[Attachment | Text, MediaRef | None]:
    """Return a text; or a file with the text as its caption, whose kind its name tells."""
    text = wanted.message or ""
    if not wanted.attachment:
        return Text(text, wanted.linkpreview in (1, "1", "true")), None
    name = wanted.filename or urlsplit(wanted.attachment).path.rpartition("/")[2]
    kind = _KINDS.get(name.rpartition(".")[2].lower(), MediaKind.DOCUMENT)
    if kind is MediaKind.AUDIO and text:
        kind = MediaKind.DOCUMENT  # a voice has no caption
    filename = name if kind is MediaKind.DOCUMENT else ""
    return Attachment(kind, text, filename), MediaRef(link=wanted.attachment)


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v7/chat",
        id="chat",
        tag="messages",
        summary="Send a text, the short way (any version number)",
        request=ChatRequest,
        also_form=True,
        example={"id": NUMBER_EXAMPLE, "message": "Hello world!"},
        parameters=(IDEMPOTENCY_KEY,),
        answer=ChatAnswer,
        status=201,
        note="Accepted and durable.",
        errors=(*CALLER, *BODY, "idempotency.running", "idempotency.mismatch", "rate.limited", *AWAY),
        is_problem=True,
    ),
)
