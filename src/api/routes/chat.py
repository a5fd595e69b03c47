"""/api/v{N}/chat: one number, one text, in the form of the messaging platforms that offered exactly this."""

import msgspec

from api.answer import JSON, NO_CACHE, PROBLEMS, Answer
from api.auth import Keys
from api.decode import JsonBody, decode_form, explain, refuse_nul
from api.errors import PathUnknown
from api.gateway import Core
from api.idempotency import REPLAYED, read_idempotency
from api.operation import AWAY, BODY, CALLER, IDEMPOTENCY_KEY, Operation
from api.request import Request
from api.resource import Resource
from api.schema import NUMBER_EXAMPLE, ChatAnswer, ChatRequest
from corefast.errors import ParameterInvalid, TokenInvalid
from corefast.wire.body import Text
from corefast.wire.gateway import Accepted, Scope, Send

_HEAD = b'{"id":"'
_TAIL = b'","status":"accepted"}'
_FORM = b"application/x-www-form-urlencoded"
_MAX_VERSION_DIGITS = 4


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
        _check(wanted)
        accepted = await self._core.call(
            Send(
                key.account,
                wanted.id,
                Text(wanted.message, wanted.linkpreview in (1, "1", "true")),
                "",
                read_idempotency(request, key.id, "chat", (wanted.id, wanted.message, wanted.linkpreview)),
            ),
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
    if wanted.attachment:
        raise ParameterInvalid("`attachment` is not served yet; leave it out to send the text alone")
    refuse_nul("id", wanted.id)
    refuse_nul("message", wanted.message)


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
