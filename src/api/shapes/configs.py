"""The shapes of /v1/configs: a vendor's words for settings and templates."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from api.shapes.templates import TemplateItem


class WebhookSettings(msgspec.Struct, frozen=True):
    url: Annotated[
        str, Meta(description="https://…; empty turns webhooks off.", examples=["https://shop.example/hook"])
    ]
    headers: Annotated[dict[str, Any], Meta(description="None can be added; webhooks are signed.")] = {}


class ConfiguredWebhook(msgspec.Struct, frozen=True):
    url: Annotated[str, Meta(description="Empty where there is none.")]


class ConfiguredNumber(msgspec.Struct, frozen=True):
    phone_number: Annotated[str, Meta(examples=["4930123456"])]


class ConfiguredTemplates(msgspec.Struct, frozen=True):
    waba_templates: Annotated[list[TemplateItem], Meta(description="Oldest first.")]
    count: Annotated[int, Meta(description="How many these are.")]
    total: int
    limit: int
    offset: int
