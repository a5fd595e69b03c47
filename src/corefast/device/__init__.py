"""The device SDK: a phone as a library. See `client.Device`."""

from corefast.device.client import Device
from corefast.device.event import (
    Event,
    IdentityNews,
    Limited,
    Offline,
    Ready,
    Safety,
    StatusChanged,
    Stopped,
    TextReceived,
    Unreadable,
)
from corefast.device.name import decode_id, encode_id
from corefast.device.profile import Options
from corefast.endpoint.trust import Policy

__all__ = [
    "Device",
    "Event",
    "IdentityNews",
    "Limited",
    "Offline",
    "Options",
    "Policy",
    "Ready",
    "Safety",
    "StatusChanged",
    "Stopped",
    "TextReceived",
    "Unreadable",
    "decode_id",
    "encode_id",
]
