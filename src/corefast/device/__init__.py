"""The device SDK: a phone as a library. See `client.Device`."""

from corefast.device.client import Device
from corefast.device.event import (
    Event,
    IdentityNews,
    Offline,
    Ready,
    StatusChanged,
    Stopped,
    TextReceived,
    Unreadable,
)
from corefast.device.name import decode_id, encode_id
from corefast.device.profile import Options

__all__ = [
    "Device",
    "Event",
    "IdentityNews",
    "Offline",
    "Options",
    "Ready",
    "StatusChanged",
    "Stopped",
    "TextReceived",
    "Unreadable",
    "decode_id",
    "encode_id",
]
