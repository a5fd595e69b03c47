"""The gateway's messages about an account's settings, its profile, its backup, and the fields that settings have."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

Number = Annotated[int | str, Meta(description="A whole number or one in a string; given back as it was given.")]

# ── the fields of /v1/settings/application ─────────────────────────────────────────────────────────────────────────


class StatusChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which states of messages are posted."""

    sent: bool | UnsetType = UNSET
    delivered: bool | UnsetType = UNSET
    read: bool | UnsetType = UNSET


class Webhooks(msgspec.Struct, frozen=True, omit_defaults=True):
    url: Annotated[str | None | UnsetType, Meta(description="https://…; empty turns webhooks off.")] = UNSET
    max_concurrent_requests: Annotated[int | str | UnsetType, Meta(description="6, 12, 18 or 24 posts at a time")] = (
        UNSET
    )
    message: StatusChoice | UnsetType = UNSET


class MediaChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    auto_download: Annotated[
        list[str] | UnsetType, Meta(description="audio, document, image, sticker, video, voice")
    ] = UNSET


class CollectorChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    media: bool | UnsetType = UNSET
    messages: bool | UnsetType = UNSET


class Application(msgspec.Struct, frozen=True, omit_defaults=True):
    """The known fields; any other is kept and given back as well."""

    webhooks: Webhooks | UnsetType = UNSET
    media: MediaChoice | UnsetType = UNSET
    callback_backoff_delay_ms: Number | UnsetType = UNSET
    max_callback_backoff_delay_ms: Number | UnsetType = UNSET
    callback_persist: bool | UnsetType = UNSET
    sent_status: bool | UnsetType = UNSET
    pass_through: bool | UnsetType = UNSET
    show_security_notifications: bool | UnsetType = UNSET
    notify_user_change_number: bool | UnsetType = UNSET
    skip_referral_media_download: bool | UnsetType = UNSET
    db_garbagecollector_enable: bool | UnsetType = UNSET
    garbagecollector_enable: CollectorChoice | UnsetType = UNSET
    heartbeat_interval: Number | UnsetType = UNSET
    unhealthy_interval: Number | UnsetType = UNSET
    axolotl_context_striping_disabled: bool | UnsetType = UNSET
    on_call_pager: str | None | UnsetType = UNSET
    verbose_logging: bool | UnsetType = UNSET
    log_level: str | UnsetType = UNSET
    wa_id: Annotated[str | UnsetType, Meta(description="The account's own number; read only.")] = UNSET


class GetApplication(msgspec.Struct, frozen=True, array_like=True, tag=90):
    """→ `ApplicationView`. Errors of the whole family: `token.invalid` where the account is another's."""

    account: str


class ApplicationView(msgspec.Struct, frozen=True, array_like=True, tag=91):
    """*settings*: a JSON object of every field, known (`Application`) or not."""

    settings: bytes


class PatchApplication(msgspec.Struct, frozen=True, array_like=True, tag=92):
    """*settings*: a JSON object; fields that are absent keep their value. → `ApplicationView`.

    Errors: `parameter.invalid`.
    """

    account: str
    settings: bytes


class ResetApplication(msgspec.Struct, frozen=True, array_like=True, tag=93):
    """Forget all that was set. → `ApplicationView` of the defaults."""

    account: str


# ── who may serve media behind a login ─────────────────────────────────────────────────────────────────────────────


class BasicCredentials(msgspec.Struct, frozen=True):
    username: str
    password: str


class ProviderLogin(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of the two."""

    bearer: str | UnsetType = UNSET
    basic: BasicCredentials | UnsetType = UNSET


class Provider(msgspec.Struct, frozen=True):
    """How links that name this provider are fetched."""

    name: str
    type: Annotated[str, Meta(description="www")]
    config: ProviderLogin


class PutProviders(msgspec.Struct, frozen=True, array_like=True, tag=130):
    """Add providers, or change those of the same name. → `Providers`. Errors: `parameter.invalid`."""

    account: str
    providers: list[Provider]


class DropProvider(msgspec.Struct, frozen=True, array_like=True, tag=131):
    """→ `Providers` that are left. Errors: `provider.unknown`."""

    account: str
    name: str


class GetProviders(msgspec.Struct, frozen=True, array_like=True, tag=132):
    """→ `Providers`."""

    account: str


class Providers(msgspec.Struct, frozen=True, array_like=True, tag=133):
    providers: list[Provider]


# ── profile ────────────────────────────────────────────────────────────────────────────────────────────────────────


class BusinessProfile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What customers may know of the business; fields that are absent keep their value."""

    name: Annotated[str | UnsetType, Meta(description="at most 128 characters; phones show it")] = UNSET
    address: Annotated[str | UnsetType, Meta(description="at most 256 characters")] = UNSET
    description: Annotated[str | UnsetType, Meta(description="at most 256 characters")] = UNSET
    email: Annotated[str | UnsetType, Meta(description="at most 128 characters")] = UNSET
    vertical: Annotated[str | UnsetType, Meta(description="the line of business, one of a list")] = UNSET
    websites: Annotated[list[str] | UnsetType, Meta(description="at most 2 of 256 characters")] = UNSET


class GetProfile(msgspec.Struct, frozen=True, array_like=True, tag=94):
    """→ `ProfileView`."""

    account: str


class ProfileView(msgspec.Struct, frozen=True, array_like=True, tag=95):
    """*compliance*: a JSON object as it was given."""

    about: str
    business: BusinessProfile
    compliance: bytes


class PatchProfile(msgspec.Struct, frozen=True, array_like=True, tag=96):
    """What is None stays; of *business* every absent field. → `ProfileView`. Errors: `parameter.invalid`."""

    account: str
    about: str | None = None
    business: BusinessProfile | None = None
    compliance: bytes | None = None


class PutPhotoPart(msgspec.Struct, frozen=True, array_like=True, tag=134):
    """Store a piece of a photo that is being uploaded as *upload*. → `Done`. Errors: `parameter.invalid`."""

    account: str
    upload: str
    part: int
    data: bytes


class SetPhoto(msgspec.Struct, frozen=True, array_like=True, tag=135):
    """Make the pieces of *upload* the photo; without pieces there is none. → `PhotoView`.

    Errors: `parameter.invalid`.
    """

    account: str
    upload: str
    parts: int
    mime: str


class GetPhoto(msgspec.Struct, frozen=True, array_like=True, tag=136):
    """→ `PhotoView`. Errors: `photo.unknown`."""

    account: str


class PhotoView(msgspec.Struct, frozen=True, array_like=True, tag=137):
    upload: str
    parts: int
    mime: str


class GetPhotoPart(msgspec.Struct, frozen=True, array_like=True, tag=138):
    """→ `PhotoPart`. Errors: `photo.unknown`, also where another photo took its place."""

    account: str
    upload: str
    part: int


class PhotoPart(msgspec.Struct, frozen=True, array_like=True, tag=139):
    data: bytes


# ── backup ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class MakeBackup(msgspec.Struct, frozen=True, array_like=True, tag=97):
    """→ `BackupMade`: registration, settings and profile, encrypted under the password. Errors: `parameter.invalid`."""

    account: str
    password: str


class BackupMade(msgspec.Struct, frozen=True, array_like=True, tag=98):
    data: str


class RestoreBackup(msgspec.Struct, frozen=True, array_like=True, tag=99):
    """Become the account of a backup; only where no account is registered yet. → `Restored`.

    Errors: `backup.invalid` (a wrong password, too), `account.registered`, `parameter.invalid`.
    """

    account: str
    password: str
    data: str


class Restored(msgspec.Struct, frozen=True, array_like=True, tag=148):
    """*number*: whose account it is."""

    number: str


Message = (
    GetApplication
    | ApplicationView
    | PatchApplication
    | ResetApplication
    | PutProviders
    | DropProvider
    | GetProviders
    | Providers
    | GetProfile
    | ProfileView
    | PatchProfile
    | PutPhotoPart
    | SetPhoto
    | GetPhoto
    | PhotoView
    | GetPhotoPart
    | PhotoPart
    | MakeBackup
    | BackupMade
    | RestoreBackup
    | Restored
)
