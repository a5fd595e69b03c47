"""Webhook bodies, byte for byte."""

import pytest

from api.webhooks.bodies import encode_body
from corefast.wire.body import Text
from corefast.wire.event import Event, EventKind, Failure, SeenIdentity

PEER = "49123123456"


def event(kind: EventKind, **more: object) -> Event:
    return Event("evt_1", 0, 7, kind, 1_900_000_005_999, peer=PEER, **more)


BODIES = {
    "a message": (
        event(EventKind.MESSAGE, message_id="ABGGx", body=Text("h\u00e9 \u2028"), name="Ada"),
        '{"contacts":[{"profile":{"name":"Ada"},"wa_id":"49123123456"}],"messages":[{"from":"49123123456",'
        '"id":"ABGGx","text":{"body":"h\u00e9 \u2028"},"timestamp":"1900000005","type":"text"}]}',
    ),
    "a reply without a name": (
        event(EventKind.MESSAGE, message_id="ABGGx", body=Text("hi"), reply_to="gBGGy"),
        '{"contacts":[{"profile":{"name":""},"wa_id":"49123123456"}],"messages":[{"context":{"id":"gBGGy"},'
        '"from":"49123123456","id":"ABGGx","text":{"body":"hi"},"timestamp":"1900000005","type":"text"}]}',
    ),
    "a message under an identity key that nobody acknowledged": (
        event(
            EventKind.MESSAGE,
            message_id="ABGGx",
            body=Text("hi"),
            identity=SeenIdentity("abc", 1_900_000_000_001, False),
        ),
        '{"contacts":[{"profile":{"name":""},"wa_id":"49123123456"}],"messages":[{"from":"49123123456","id":"ABGGx","identity":'
        '{"acknowledged":false,"created_timestamp":1900000000001,"hash":"abc"},"text":{"body":"hi"},'
        '"timestamp":"1900000005","type":"text"}]}',
    ),
    "delivered": (
        event(EventKind.DELIVERED, message_id="gBGGx"),
        '{"statuses":[{"id":"gBGGx","message":{"recipient_id":"49123123456"},"recipient_id":"49123123456",'
        '"status":"delivered","timestamp":"1900000005","type":"message"}]}',
    ),
    "failed": (
        event(EventKind.FAILED, message_id="gBGGx", failure=Failure(1006, "Resource not found", "nobody there")),
        '{"statuses":[{"errors":[{"code":1006,"details":"nobody there","title":"Resource not found"}],"id":"gBGGx",'
        '"message":{"recipient_id":"49123123456"},"recipient_id":"49123123456","status":"failed",'
        '"timestamp":"1900000005","type":"message"}]}',
    ),
    "expired": (
        event(EventKind.EXPIRED, message_id="gBGGx"),
        '{"statuses":[{"errors":[{"code":410,"details":"The recipient\'s devices did not fetch the message in time.",'
        '"title":"Message expired"}],"id":"gBGGx","message":{"recipient_id":"49123123456"},'
        '"recipient_id":"49123123456","status":"failed","timestamp":"1900000005","type":"message"}]}',
    ),
    "unreadable": (
        event(EventKind.UNREADABLE),
        '{"contacts":[{"profile":{"name":""},"wa_id":"49123123456"}],"messages":[{"errors":[{"code":501,'
        '"details":"A message from this sender could not be decrypted; ask for it once more.",'
        '"title":"Unknown message type"}],'
        '"from":"49123123456","id":"evt_1","timestamp":"1900000005","type":"unknown"}]}',
    ),
    "a changed identity": (
        event(EventKind.IDENTITY_CHANGED),
        '{"messages":[{"from":"49123123456","id":"evt_1","system":{"body":"The security code of 49123123456 changed.",'
        '"type":"user_identity_changed"},"timestamp":"1900000005","type":"system"}]}',
    ),
    "a session without its post-quantum key": (
        event(EventKind.BUNDLE_DOWNGRADED),
        '{"messages":[{"from":"49123123456","id":"evt_1","system":{"body":"A session with 49123123456 without its '
        "post-quantum key was refused: old software, or somebody on the way. corefast peer pin 49123123456 allows it."
        '","type":"bundle_downgraded"},"timestamp":"1900000005","type":"system"}]}',
    ),
    "superseded": (
        Event("evt_1", 0, 7, EventKind.SUPERSEDED, 1_900_000_005_999),
        '{"errors":[{"code":500,"details":"Another copy of this account attached to the relay; this one no longer '
        'sends. Choose one.","title":"Generic error"}]}',
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_body_is_compact_and_in_alphabetical_order(name):
    told, expected = BODIES[name]
    assert encode_body(told).decode() == expected


def test_every_kind_of_event_has_a_body():
    for kind in EventKind:
        assert encode_body(event(kind, message_id="gBGGx", body=Text("x"))).startswith(b"{")


def test_a_status_is_told_by_its_own_name():
    for kind in (EventKind.SENT, EventKind.DELIVERED, EventKind.READ):
        assert f'"status":"{kind}"'.encode() in encode_body(event(kind, message_id="gBGGx"))
