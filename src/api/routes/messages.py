"""/v1/messages: send a message as the on-premises API does, and look one up."""

import msgspec

from api.answer import JSON, NO_CACHE, V1, Answer, answer_json
from api.auth import Keys
from api.decode import JsonBody, refuse_nuls
from api.errors import RecipientTypeInvalid
from api.gateway import Core
from api.idempotency import REPLAYED, identity_of, read_idempotency
from api.operation import AWAY, BODY, CALLER, IDEMPOTENCY_KEY, Operation
from api.request import Request
from api.resource import Resource
from api.saying import media_of, quoted_by, saying_of, tell, ttl_ms_of
from api.schema import (
    META,
    NUMBER_EXAMPLE,
    Context,
    ErrorItem,
    MessageAnswer,
    MetaAnswer,
    SendAnswer,
    StatusChange,
    StoredMessage,
)
from api.shapes.messages import MarkRequest, SendRequest
from corefast.errors import ParameterInvalid
from corefast.wire.gateway import Accepted, Done, GetMessage, MarkRead, MessageView, Scope, Send

_HEAD = b'{"messages":[{"id":"'
_TAIL = b'"}],"meta":' + msgspec.json.encode(META) + b"}"


class Messages:
    """The collection and its members."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._body = JsonBody(SendRequest)
        self._mark_body = JsonBody(MarkRequest)
        self.collection = Resource("v1.messages", V1, POST=self._send)
        self.member = Resource("v1.messages.id", V1, GET=self._look_up, PUT=self._mark)

    async def _send(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.SEND)
        body = await request.body()
        wanted: SendRequest = self._body.decode(body)
        if wanted.recipient_type not in ("individual", "group"):
            raise RecipientTypeInvalid('`recipient_type` has to be "individual" or "group"')
        if b"\\u0000" in body:
            refuse_nuls(wanted)
        accepted = await self._core.call(
            Send(
                key.account,
                wanted.to,
                saying_of(wanted),
                quoted_by(wanted),
                read_idempotency(request, key.id, "v1.messages", identity_of(wanted)),
                ttl_ms_of(wanted),
                wanted.biz_opaque_callback_data,
                media_of(wanted),
                wanted.recipient_type == "group",
            ),
            Accepted,
        )
        body = _HEAD + accepted.id.encode() + _TAIL
        if accepted.replayed:
            return Answer(201, body, JSON, NO_CACHE, REPLAYED)
        return Answer(201, body, JSON, NO_CACHE)

    async def _mark(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.SEND)
        wanted: MarkRequest = self._mark_body.decode(await request.body())
        if wanted.status != "read":
            raise ParameterInvalid('`status` has to be "read"')
        await self._core.call(MarkRead(key.account, request.path["id"]), Done)
        return answer_json(200, MetaAnswer())

    async def _look_up(self, request: Request) -> Answer:
        key = await self._keys.require(request, Scope.READ)
        view = await self._core.call(GetMessage(key.account, request.path["id"]), MessageView)
        return answer_json(200, MessageAnswer([_describe(view)]))


def _describe(view: MessageView) -> StoredMessage:
    failure = view.failure
    changes = [StatusChange(change.state, str(change.at_ms // 1_000), change.at_ms) for change in view.history]
    kind, said = ("unreadable", {}) if view.body is None else tell(view.body, view.reply_to, view.media)
    described = StoredMessage(view.id, view.direction, kind, view.state, changes)
    whose = {"from_": view.peer} if view.direction.startswith("in") else {"to": view.peer or view.group}
    rest: dict[str, object] = dict(said)
    if view.group:
        rest["group_id"] = view.group
    if view.reply_to:
        rest["context"] = Context(view.reply_to)
    if failure is not None:
        rest["errors"] = [ErrorItem(failure.code, failure.title, failure.details)]
    return msgspec.structs.replace(described, **whose, **rest)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/messages",
        id="sendMessage",
        tag="messages",
        summary="Send a message",
        request=SendRequest,
        example={"to": NUMBER_EXAMPLE, "type": "text", "text": {"body": "Hello world!"}},
        parameters=(IDEMPOTENCY_KEY,),
        answer=SendAnswer,
        status=201,
        note="Accepted and durable.",
        errors=(
            *CALLER,
            *BODY,
            "idempotency.running",
            "idempotency.mismatch",
            "media.unknown",
            "media.link",
            "group.missing",
            "group.not_joined",
            "template.missing",
            "template.buttons",
            "type.unserved",
            "rate.limited",
            *AWAY,
        ),
    ),
    Operation(
        method="GET",
        path="/v1/messages/{id}",
        id="getMessage",
        tag="messages",
        summary="One message and its history",
        answer=MessageAnswer,
        errors=(*CALLER, "message.unknown", "message.damaged", *AWAY),
    ),
    Operation(
        method="PUT",
        path="/v1/messages/{id}",
        id="markMessage",
        tag="messages",
        summary="Mark a customer's message as read, and the earlier ones",
        request=MarkRequest,
        example={"status": "read"},
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, "message.unknown", "rate.limited", *AWAY),
    ),
)
