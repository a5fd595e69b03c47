"""The device SDK: a phone as a library. See `client.Device`."""

from corefast.device.client import Device
from corefast.device.event import (
    DevicesNews,
    Event,
    GroupChanged,
    IdentityNews,
    Limited,
    LinkFailed,
    LinkOffered,
    MessageReceived,
    MessageSent,
    Offline,
    ReadElsewhere,
    Ready,
    Safety,
    StatusChanged,
    Stopped,
    Unreadable,
)
from corefast.device.groups import GroupView
from corefast.device.name import decode_id, encode_id
from corefast.device.profile import Options
from corefast.endpoint.trust import Policy

__all__ = [
    "Device",
    "DevicesNews",
    "Event",
    "GroupChanged",
    "GroupView",
    "IdentityNews",
    "Limited",
    "LinkFailed",
    "LinkOffered",
    "MessageReceived",
    "MessageSent",
    "Offline",
    "Options",
    "Policy",
    "ReadElsewhere",
    "Ready",
    "Safety",
    "StatusChanged",
    "Stopped",
    "Unreadable",
    "decode_id",
    "encode_id",
]
