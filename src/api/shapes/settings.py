"""The shapes of /v1/settings."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.schema import META, AnswerMeta
from corefast.wire.settings import Application, BusinessProfile, Provider


class ApplicationSettings(msgspec.Struct, frozen=True):
    application: Application


class ApplicationAnswer(msgspec.Struct, frozen=True):
    settings: ApplicationSettings
    meta: AnswerMeta = META


class ProviderList(msgspec.Struct, frozen=True):
    providers: list[Provider]


class ProviderMedia(msgspec.Struct, frozen=True):
    media: ProviderList


class ProviderSettings(msgspec.Struct, frozen=True):
    application: ProviderMedia


class ProvidersAnswer(msgspec.Struct, frozen=True):
    settings: ProviderSettings
    meta: AnswerMeta = META


class About(msgspec.Struct, frozen=True):
    text: Annotated[str, Meta(description="at most 139 characters", examples=["Open from 9 to 17 h"])]


class PhotoLink(msgspec.Struct, frozen=True):
    link: Annotated[str, Meta(description="Where the picture is, for the same credentials.")]


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    about: About | UnsetType = UNSET
    photo: PhotoLink | UnsetType = UNSET


class ProfileSettings(msgspec.Struct, frozen=True):
    profile: Profile


class ProfileAnswer(msgspec.Struct, frozen=True):
    settings: ProfileSettings
    meta: AnswerMeta = META


class Business(msgspec.Struct, frozen=True, omit_defaults=True):
    profile: BusinessProfile | UnsetType = UNSET
    compliance_info: Annotated[Any, Meta(description="As it was sent.")] = UNSET


class AnyFields(msgspec.Struct, frozen=True):
    """An object of any fields; it is given back as it came."""


class BusinessSettings(msgspec.Struct, frozen=True):
    business: Business


class BusinessAnswer(msgspec.Struct, frozen=True):
    settings: BusinessSettings
    meta: AnswerMeta = META


class BackupRequest(msgspec.Struct, frozen=True):
    password: Annotated[str, Meta(description="8 to 256 characters; without it the backup is worth nothing")]


class BackupData(msgspec.Struct, frozen=True):
    data: Annotated[str, Meta(description="Encrypted; keep it as it is.")]


class BackupAnswer(msgspec.Struct, frozen=True):
    settings: BackupData
    meta: AnswerMeta = META


class RestoreRequest(msgspec.Struct, frozen=True):
    password: str
    data: str
