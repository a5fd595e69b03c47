"""The shapes of /v1/media, and of media in messages."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.schema import META, AnswerMeta

MEDIA_EXAMPLE = "5d1f0c3e-7a44-4a63-9c1f-0b6f4d2a9e11"


class MediaItem(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(description="For messages, and for GET /v1/media/{id}.", examples=[MEDIA_EXAMPLE])]


class MediaAnswer(msgspec.Struct, frozen=True):
    media: list[MediaItem]
    meta: AnswerMeta = META


class ProviderName(msgspec.Struct, frozen=True):
    name: str


class Medium(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of `id` and `link`."""

    id: Annotated[str, Meta(description="What POST /v1/media answered, or a webhook told.")] = ""
    link: Annotated[str, Meta(description="http or https; fetched by corefast, redirects are not followed.")] = ""
    provider: Annotated[ProviderName | None, Meta(description="Credentials for the link, by name.")] = None
    caption: Annotated[str, Meta(description="At most 1024 characters; not for audio and stickers.")] = ""
    filename: Annotated[str, Meta(description="For documents.")] = ""


class MediumTold(msgspec.Struct, frozen=True, omit_defaults=True):
    """A medium of a message: *status* is `undownloaded`, in place of the id, where it was not fetched."""

    mime_type: str
    sha256: Annotated[str, Meta(description="Of the file, 64 hexadecimal digits.")]
    id: Annotated[str, Meta(examples=[MEDIA_EXAMPLE])] = ""
    caption: str = ""
    filename: Annotated[str, Meta(description="As the customer named it, without a path.")] = ""
    status: str = ""
