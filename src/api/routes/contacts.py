"""/v1/contacts: who can be written to, and the identity key under which a customer is known."""

from api.answer import V1, Answer, answer_json
from api.auth import Keys
from api.decode import JsonBody
from api.gateway import Core
from api.operation import AWAY, BODY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import MetaAnswer
from api.shapes import contacts as shapes
from corefast.errors import PeerUnknown
from corefast.wire.contacts import CheckContacts
from corefast.wire.contacts import Contacts as Found
from corefast.wire.gateway import Scope
from corefast.wire.peer import AcceptIdentity, GetPeer, PeerView


class Contacts:
    """Look-ups, and the acknowledgement of identity keys."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._body = JsonBody(shapes.ContactsRequest)
        self._identity_body = JsonBody(shapes.IdentityRequest)
        self.collection = Resource("v1.contacts", V1, POST=self._check)
        self.identity = Resource("v1.contacts.identity", V1, GET=self._get_identity, PUT=self._acknowledge)

    async def _check(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.SEND)
        wanted: shapes.ContactsRequest = self._body.decode(await request.body())
        check = CheckContacts(caller.account, wanted.contacts, wanted.blocking == "wait", wanted.force_check)
        found = (await self._core.call(check, Found)).contacts
        pairs = zip(wanted.contacts, found, strict=True)
        items = [shapes.ContactItem(text, contact.status, contact.wa_id) for text, contact in pairs]
        return answer_json(200, shapes.ContactsAnswer(items))

    async def _get_identity(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.READ)
        peer = await self._core.call(GetPeer(request.path["wa_id"], caller.account), PeerView)
        if not peer.identity_hash:
            raise PeerUnknown("no identity key of that number was seen yet")
        seen = shapes.Identity(peer.identity_hash, peer.created_ms, peer.acknowledged)
        return answer_json(200, shapes.IdentityAnswer(seen))

    async def _acknowledge(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.SEND)
        wanted: shapes.IdentityRequest = self._identity_body.decode(await request.body())
        await self._core.call(AcceptIdentity(request.path["wa_id"], wanted.hash, caller.account), PeerView)
        return answer_json(200, MetaAnswer())


_OF_PEER = ("number.invalid", "recipient.is_sender", "peer.unknown")

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/contacts",
        id="checkContacts",
        tag="contacts",
        summary="Who is registered under these numbers",
        request=shapes.ContactsRequest,
        example={"contacts": ["+49 170 0000001"], "blocking": "wait"},
        answer=shapes.ContactsAnswer,
        errors=(*CALLER, *BODY, "rate.limited", *AWAY),
    ),
    Operation(
        method="GET",
        path="/v1/contacts/{wa_id}/identity",
        id="getIdentity",
        tag="contacts",
        summary="The identity key of a customer",
        answer=shapes.IdentityAnswer,
        errors=(*CALLER, *_OF_PEER, *AWAY),
    ),
    Operation(
        method="PUT",
        path="/v1/contacts/{wa_id}/identity",
        id="acknowledgeIdentity",
        tag="contacts",
        summary="Acknowledge a customer's new identity key",
        request=shapes.IdentityRequest,
        example={"hash": "3f1c…"},
        answer=MetaAnswer,
        errors=(*CALLER, *BODY, *_OF_PEER, "identity.mismatch", *AWAY),
    ),
)
