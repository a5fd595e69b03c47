"""What an account tells of itself: name, about, business profile, compliance, and the photo, which lies in pieces."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from corefast.core.context import Context
from corefast.core.media.kind import bare, read_mime
from corefast.core.store.settings import SettingStore
from corefast.errors import ParameterInvalid, PhotoUnknown
from corefast.limits import MAX_PHOTO_BYTES, MAX_PROFILE_NAME_CHARACTERS, MAX_SETTINGS_BYTES, PHOTO_PART_BYTES
from corefast.store.database import Unit
from corefast.wire.gateway import Done
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

ABOUT, BUSINESS, COMPLIANCE, PHOTO = "profile.about", "profile.business", "profile.compliance", "photo"
MAX_ABOUT_CHARACTERS = 139
MAX_PARTS = MAX_PHOTO_BYTES // PHOTO_PART_BYTES
MAX_STORED_PIECES = 4 * MAX_PARTS
"""Pieces of uploads that were never finished lie here until a photo is set."""

VERTICALS = (
    "",
    "Automotive",
    "Beauty, Spa and Salon",
    "Clothing and Apparel",
    "Education",
    "Entertainment",
    "Event Planning and Service",
    "Finance and Banking",
    "Food and Grocery",
    "Public Service",
    "Hotel and Lodging",
    "Medical and Health",
    "Non-profit",
    "Professional Services",
    "Shopping and Retail",
    "Travel and Transportation",
    "Restaurant",
    "Other",
)
_MOST = {"address": 256, "description": 256, "email": 128}
_MAX_WEBSITES, _MAX_WEBSITE_CHARACTERS = 2, 256
_UPLOAD = re.compile(r"[0-9a-f]{32}")
_LEADS = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}

_decode_business = msgspec.json.Decoder(BusinessProfile).decode
_decode_photo = msgspec.json.Decoder(PhotoView).decode


class Profile:
    """Serves the profile's messages of `wire.settings`."""

    def __init__(self, context: Context, store: SettingStore) -> None:
        self._context = context
        self._account = context.account
        self._store = store
        self._changing = asyncio.Lock()

    def functions(self) -> dict[type, Callable[[Any], Any]]:
        """Return what serves each message of this family."""
        return {
            GetProfile: self.get,
            PatchProfile: self.patch,
            PutPhotoPart: self.put_part,
            SetPhoto: self.set_photo,
            GetPhoto: self.get_photo,
            GetPhotoPart: self.get_part,
        }

    async def load(self) -> None:
        """Tell the name that is stored with each message from now on."""
        self._context.name = (await self._business()).name or ""

    async def rename(self, name: str) -> None:
        """Take over the name of a registration."""
        await self.patch(PatchProfile(self._context.number, business=BusinessProfile(name)))

    async def get(self, request: GetProfile) -> ProfileView:
        about, compliance = [await self._load(name) for name in (ABOUT, COMPLIANCE)]
        return ProfileView((about or b"").decode(), await self._business(), compliance or b"{}")

    async def _business(self) -> BusinessProfile:
        stored = await self._load(BUSINESS)
        return _decode_business(stored) if stored else BusinessProfile()

    async def patch(self, request: PatchProfile) -> ProfileView:
        """Change what is given; nothing where any of it is not allowed."""
        async with self._changing:
            await self._patch(request)
            await self.load()
            return await self.get(GetProfile(request.account))

    async def _patch(self, request: PatchProfile) -> None:
        unit = Unit()
        if request.about is not None:
            _check_text("text", request.about, MAX_ABOUT_CHARACTERS)
            self._store.put(unit, self._account, ABOUT, request.about.encode())
        if request.business is not None:
            check_business(request.business)
            before = await self._business()
            given = {name: value for name in _names() if (value := getattr(request.business, name)) is not UNSET}
            merged = msgspec.structs.replace(before, **given)
            self._store.put(unit, self._account, BUSINESS, msgspec.json.encode(merged))
        if request.compliance is not None:
            self._store.put(unit, self._account, COMPLIANCE, _checked_compliance(request.compliance))
        await self._context.database.commit(unit)

    # ── photo ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def put_part(self, request: PutPhotoPart) -> Done:
        name = _piece(request.upload, request.part)
        if len(request.data) > PHOTO_PART_BYTES:
            raise ParameterInvalid("a piece of a photo is too large")
        if request.part == 0 and len(await self._store.pieces(self._account)) >= MAX_STORED_PIECES:
            await self._drop_pieces()
        unit = Unit()
        self._store.put(unit, self._account, name, request.data)
        await self._context.database.commit(unit)
        return Done()

    async def _drop_pieces(self) -> None:
        """Drop what belongs to no photo."""
        text, unit = await self._load(PHOTO), Unit()
        keep = f"photo/{_decode_photo(text).upload}/" if text else "photo//"
        for name in await self._store.pieces(self._account):
            if not name.startswith(keep):
                self._store.delete(unit, self._account, name)
        await self._context.database.commit(unit)

    async def set_photo(self, request: SetPhoto) -> PhotoView:
        """Put the pieces in the place of the photo before, whose pieces go with it."""
        if not request.parts:
            unit = Unit()
            self._store.delete(unit, self._account, PHOTO)
            await self._context.database.commit(unit)
            await self._drop_pieces()
            return PhotoView("", 0, "")
        mime = bare(read_mime(request.mime))
        lead = _LEADS.get(mime)
        if lead is None:
            raise ParameterInvalid("a photo is image/jpeg or image/png, as its Content-Type says")
        first = await self._load(_piece(request.upload, 0)) or b""
        if not first.startswith(lead):
            raise ParameterInvalid(f"the body is no {mime}")
        for part in range(1, request.parts):
            if await self._load(_piece(request.upload, part)) is None:
                raise ParameterInvalid("a piece of the photo is missing; send it once more")
        view, unit = PhotoView(request.upload, request.parts, mime), Unit()
        self._store.put(unit, self._account, PHOTO, msgspec.json.encode(view))
        await self._context.database.commit(unit)
        await self._drop_pieces()
        return view

    async def get_photo(self, request: GetPhoto) -> PhotoView:
        text = await self._load(PHOTO)
        if text is None:
            raise PhotoUnknown("No picture set.")
        return _decode_photo(text)

    async def get_part(self, request: GetPhotoPart) -> PhotoPart:
        data = await self._load(_piece(request.upload, request.part))
        if data is None:
            raise PhotoUnknown("this picture is not set any more")
        return PhotoPart(data)

    async def _load(self, name: str) -> bytes | None:
        return await self._store.load(self._account, name)


def _piece(upload: str, part: int) -> str:
    if not (_UPLOAD.fullmatch(upload) and 0 <= part < MAX_PARTS):
        raise ParameterInvalid(f"a photo has at most {MAX_PHOTO_BYTES} bytes")
    return f"photo/{upload}/{part}"


def _names() -> tuple[str, ...]:
    return BusinessProfile.__struct_fields__


def check_name(name: str) -> None:
    """Raise `ParameterInvalid` unless *name* is one that can be shown in a line."""
    _check_text("name", name, MAX_PROFILE_NAME_CHARACTERS)
    if not name.isprintable() or name != name.strip():
        raise ParameterInvalid("`name` has no invisible characters, and no blank at either end")


def check_business(given: BusinessProfile) -> None:
    """Raise `ParameterInvalid` for what a profile may not hold."""
    if given.name is not UNSET:
        check_name(given.name)
    for name, most in _MOST.items():
        if (value := getattr(given, name)) is not UNSET:
            _check_text(name, value, most)
    if given.vertical is not UNSET and given.vertical not in VERTICALS:
        raise ParameterInvalid(f"`vertical` is empty or one of: {'; '.join(VERTICALS[1:])}")
    if given.websites is not UNSET:
        if len(given.websites) > _MAX_WEBSITES:
            raise ParameterInvalid(f"`websites` has at most {_MAX_WEBSITES}")
        for at, website in enumerate(given.websites):
            _check_text(f"websites[{at}]", website, _MAX_WEBSITE_CHARACTERS)
            if not website.startswith(("http://", "https://")):
                raise ParameterInvalid(f"`websites[{at}]` has to begin with https:// or http://")


def _check_text(name: str, value: str, most: int) -> None:
    if len(value) > most:
        raise ParameterInvalid(f"`{name}` has at most {most} characters")
    if "\0" in value:
        raise ParameterInvalid(f"`{name}` holds the NUL character (\\u0000); take it out")


def _checked_compliance(text: bytes) -> bytes:
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ParameterInvalid("the compliance information has to be an object") from None
    encoded = msgspec.json.encode(fields)
    if len(encoded) > MAX_SETTINGS_BYTES // 4:
        raise ParameterInvalid(f"the compliance information has at most {MAX_SETTINGS_BYTES // 4} bytes")
    return encoded
