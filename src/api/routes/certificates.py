"""/v1/certificates: what this API shows its clients, and what webhooks trust."""

from api.answer import NO_CACHE, V1, Answer, answer_json
from api.auth import Keys
from api.gateway import Core
from api.operation import AWAY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import MetaAnswer
from corefast.errors import CertificateInvalid
from corefast.limits import MAX_CERTIFICATE_BYTES
from corefast.wire.certificates import (
    Authorities,
    GetAuthorities,
    GetServerAuthority,
    SetAuthorities,
    SetServerCertificate,
)
from corefast.wire.gateway import Scope

_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_FILE = (b"content-disposition", b'attachment; filename="ca.pem"')


class Certificates:
    """For administrators; what is changed is the core's and not one number's, so the keys of a number may only read."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self.external = Resource("v1.certificates.external", V1, POST=self._set, DELETE=self._unset)
        self.authority = Resource("v1.certificates.external.ca", V1, GET=self._get_authority)
        self.trusted = Resource(
            "v1.certificates.webhooks.ca", V1, GET=self._get_trusted, POST=self._trust, DELETE=self._distrust
        )

    async def _set(self, request: Request) -> Answer:
        await self._keys.require_administrator(request)
        await self._core.call(SetServerCertificate(await _pem(request)), Authorities)
        return answer_json(200, MetaAnswer())

    async def _unset(self, request: Request) -> Answer:
        await self._keys.require_administrator(request)
        await self._core.call(SetServerCertificate(""), Authorities)
        return answer_json(200, MetaAnswer())

    async def _get_authority(self, request: Request) -> Answer:
        await self._keys.require(request, Scope.ADMIN)
        return _file(await self._core.call(GetServerAuthority(), Authorities))

    async def _get_trusted(self, request: Request) -> Answer:
        await self._keys.require(request, Scope.ADMIN)
        return _file(await self._core.call(GetAuthorities(), Authorities))

    async def _trust(self, request: Request) -> Answer:
        await self._keys.require_administrator(request)
        await self._core.call(SetAuthorities(await _pem(request)), Authorities)
        return answer_json(200, MetaAnswer())

    async def _distrust(self, request: Request) -> Answer:
        await self._keys.require_administrator(request)
        await self._core.call(SetAuthorities(""), Authorities)
        return answer_json(200, MetaAnswer())


async def _pem(request: Request) -> str:
    body = await request.body(MAX_CERTIFICATE_BYTES)
    if not body.strip() or not body.isascii():
        raise CertificateInvalid("send certificates in PEM form as the body")
    return body.decode()


def _file(found: Authorities) -> Answer:
    return Answer(200, found.pem.encode(), _TEXT, _FILE, NO_CACHE)


_UPLOAD = ("certificate.invalid", "body.too_large")

OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/certificates/external",
        id="setServerCertificate",
        tag="settings",
        summary="Show this certificate to clients, on every front within a second (the administrator)",
        request="text/plain",
        answer=MetaAnswer,
        errors=(*CALLER, *_UPLOAD, *AWAY),
    ),
    Operation(
        method="DELETE",
        path="/v1/certificates/external",
        id="dropServerCertificate",
        tag="settings",
        summary="Back to the self-signed certificate (the administrator)",
        answer=MetaAnswer,
        errors=(*CALLER, "certificate.unknown", *AWAY),
    ),
    Operation(
        method="GET",
        path="/v1/certificates/external/ca",
        id="getServerAuthority",
        tag="settings",
        summary="What clients have to trust, as ca.pem (administrators)",
        answer="text/plain",
        errors=(*CALLER, *AWAY),
    ),
    Operation(
        method="POST",
        path="/v1/certificates/webhooks/ca",
        id="trustWebhookAuthority",
        tag="settings",
        summary="Authorities to trust for webhooks, besides the system's (the administrator)",
        request="text/plain",
        answer=MetaAnswer,
        errors=(*CALLER, *_UPLOAD, *AWAY),
    ),
    Operation(
        method="GET",
        path="/v1/certificates/webhooks/ca",
        id="getWebhookAuthority",
        tag="settings",
        summary="The authorities trusted for webhooks (administrators)",
        answer="text/plain",
        errors=(*CALLER, "certificate.unknown", *AWAY),
    ),
    Operation(
        method="DELETE",
        path="/v1/certificates/webhooks/ca",
        id="distrustWebhookAuthority",
        tag="settings",
        summary="Trust the system's authorities alone (the administrator)",
        answer=MetaAnswer,
        errors=(*CALLER, "certificate.unknown", *AWAY),
    ),
)
