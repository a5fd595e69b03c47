"""/v1/settings/profile and /v1/settings/business: what the account tells of itself."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from api.answer import NO_CACHE, V1, Answer, answer_json
from api.auth import Keys
from api.decode import JsonBody
from api.gateway import Core
from api.operation import AWAY, BODY, CALLER, Operation
from api.request import Request
from api.resource import Resource
from api.schema import MetaAnswer
from api.shapes.settings import (
    About,
    AnyFields,
    Business,
    BusinessAnswer,
    BusinessSettings,
    PhotoLink,
    Profile,
    ProfileAnswer,
    ProfileSettings,
)
from corefast.errors import ParameterInvalid
from corefast.limits import MAX_PHOTO_BYTES, PHOTO_PART_BYTES
from corefast.wire.gateway import Done, Scope
from corefast.wire.settings import (
    BusinessProfile,
    GetPhoto,
    GetPhotoPart,
    GetProfile,
    PatchProfile,
    PhotoPart,
    PhotoView,
    ProfileView,
    PutPhotoPart,
    SetPhoto,
)

_PHOTO = "/v1/settings/profile/photo"


class ProfileRoutes:
    """Anybody with a key may read it; administrators change it."""

    def __init__(self, core: Core, keys: Keys) -> None:
        self._core = core
        self._keys = keys
        self._about_body = JsonBody(About)
        self._business_body = JsonBody(BusinessProfile)
        self._object_body = JsonBody(dict[str, Any])
        self.about = Resource("v1.settings.profile.about", V1, GET=self._get_about, PATCH=self._set_about)
        self.photo = Resource(
            "v1.settings.profile.photo", V1, GET=self._get_photo, POST=self._set_photo, DELETE=self._drop_photo
        )
        self.business = Resource("v1.settings.business.profile", V1, GET=self._get_business, POST=self._set_business)
        self.compliance = Resource(
            "v1.settings.business.compliance_info", V1, GET=self._get_compliance, POST=self._set_compliance
        )

    async def _get_about(self, request: Request) -> Answer:
        found = await self._read(request)
        return answer_json(200, ProfileAnswer(ProfileSettings(Profile(about=About(found.about)))))

    async def _set_about(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: About = self._about_body.decode(await request.body())
        return await self._change(PatchProfile(caller.account, about=wanted.text))

    async def _get_business(self, request: Request) -> Answer:
        found = await self._read(request)
        return answer_json(200, BusinessAnswer(BusinessSettings(Business(profile=_whole(found.business)))))

    async def _set_business(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        wanted: BusinessProfile = self._business_body.decode(await request.body())
        return await self._change(PatchProfile(caller.account, business=wanted))

    async def _get_compliance(self, request: Request) -> Answer:
        found = await self._read(request)
        return answer_json(200, BusinessAnswer(BusinessSettings(Business(compliance_info=Raw(found.compliance)))))

    async def _set_compliance(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        body = await request.body()
        self._object_body.decode(body)
        return await self._change(PatchProfile(caller.account, compliance=body))

    async def _read(self, request: Request) -> ProfileView:
        caller = await self._keys.require(request, Scope.READ)
        return await self._core.call(GetProfile(caller.account), ProfileView)

    async def _change(self, change: PatchProfile) -> Answer:
        await self._core.call(change, ProfileView)
        return answer_json(200, MetaAnswer())

    # ── photo ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _get_photo(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.READ)
        found = await self._core.call(GetPhoto(caller.account), PhotoView)
        form = request.query().get("format")
        if form not in (None, "link"):
            raise ParameterInvalid("`format` is link, or left out for the picture itself")
        if form == "link":
            link = PhotoLink(f"{request.origin}{_PHOTO}")
            return answer_json(200, ProfileAnswer(ProfileSettings(Profile(photo=link))))
        pieces = [
            (await self._core.call(GetPhotoPart(caller.account, found.upload, part), PhotoPart)).data
            for part in range(found.parts)
        ]
        nosniff = (b"x-content-type-options", b"nosniff")
        return Answer(200, b"".join(pieces), (b"content-type", found.mime.encode()), nosniff, NO_CACHE)

    async def _set_photo(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        kind, file = await request.file(_alone(await request.body(MAX_PHOTO_BYTES)))
        body = b"".join([piece async for piece in file])
        if not body:
            raise ParameterInvalid("send the picture as the body, with its Content-Type")
        mime = kind.partition(";")[0].strip().lower()
        upload = secrets.token_hex(16)
        pieces = [body[at : at + PHOTO_PART_BYTES] for at in range(0, len(body), PHOTO_PART_BYTES)]
        for part, piece in enumerate(pieces):
            await self._core.call(PutPhotoPart(caller.account, upload, part, piece), Done)
        await self._core.call(SetPhoto(caller.account, upload, len(pieces), mime), PhotoView)
        return answer_json(200, MetaAnswer())

    async def _drop_photo(self, request: Request) -> Answer:
        caller = await self._keys.require(request, Scope.ADMIN)
        await self._core.call(SetPhoto(caller.account, "", 0, ""), PhotoView)
        return answer_json(200, MetaAnswer())


async def _alone(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _whole(profile: BusinessProfile) -> BusinessProfile:
    """Return *profile* with all its fields: clients generated from descriptions of the original ask for each."""
    absent = {name: [] if name == "websites" else "" for name in profile.__struct_fields__}
    known = {name: value for name, value in msgspec.structs.asdict(profile).items() if value is not UNSET}
    return BusinessProfile(**absent | known)


def _operation(method: str, path: str, name: str, summary: str, **more: Any) -> Operation:
    errors = (*CALLER, *more.pop("errors", ()), *AWAY)
    more.setdefault("answer", MetaAnswer)
    return Operation(method=method, path=path, id=name, tag="settings", summary=summary, errors=errors, **more)


_ABOUT, _BUSINESS = "/v1/settings/profile/about", "/v1/settings/business/profile"
_COMPLIANCE = "/v1/settings/business/compliance_info"

OPERATIONS = (
    _operation("GET", _ABOUT, "getAbout", "A sentence about the business", answer=ProfileAnswer),
    _operation(
        "PATCH",
        _ABOUT,
        "setAbout",
        "Set the sentence (administrators)",
        request=About,
        example={"text": "Open from 9 to 17 h"},
        errors=BODY,
    ),
    _operation(
        "GET",
        _PHOTO,
        "getPhoto",
        "The picture, or with ?format=link where it is",
        answer="image/*",
        parameters=({"name": "format", "in": "query", "schema": {"type": "string", "enum": ["link"]}},),
        errors=("photo.unknown", "parameter.invalid"),
    ),
    _operation(
        "POST",
        _PHOTO,
        "setPhoto",
        f"Set the picture, at most {MAX_PHOTO_BYTES} bytes (administrators)",
        request="image/jpeg",
        errors=("parameter.invalid", "body.too_large"),
    ),
    _operation("DELETE", _PHOTO, "dropPhoto", "Have no picture (administrators)"),
    _operation("GET", _BUSINESS, "getBusinessProfile", "Address, description and so on", answer=BusinessAnswer),
    _operation(
        "POST",
        _BUSINESS,
        "setBusinessProfile",
        "Set parts of the profile (administrators)",
        request=BusinessProfile,
        example={"address": "Main Street 1", "vertical": "Restaurant", "websites": ["https://shop.example"]},
        errors=BODY,
    ),
    _operation("GET", _COMPLIANCE, "getComplianceInfo", "What was sent here", answer=BusinessAnswer),
    _operation(
        "POST",
        _COMPLIANCE,
        "setComplianceInfo",
        "Keep an object of any fields, 16 KiB at most (administrators)",
        request=AnyFields,
        errors=BODY,
    ),
)
