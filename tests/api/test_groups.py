"""/v1/groups and messages to groups, through a real front and core."""

import json
from base64 import urlsafe_b64decode

import pytest

from api.webhooks.bodies import encode_body
from corefast.limits import MAX_GROUP_MEMBERS
from corefast.wire.content import GroupNews, GroupTag, Roster
from corefast.wire.event import EventKind
from tests.core.member import Member
from tests.core.test_receive import deliver
from tests.core.world import BUSINESS, CUSTOMER, OTHER

from .real import trade

TEXT = {"recipient_type": "group", "type": "text", "text": {"body": "Hello all!"}}
UNKNOWN = "A" * 22


async def party(b):
    """Let there be two phones; return them by their numbers."""
    members = {number: Member(number) for number in (CUSTOMER, OTHER)}
    for member in members.values():
        b.world.relay.replace(member)
    return members


async def found(b, **more):
    body = {"subject": "Regulars", "participants": ["+" + CUSTOMER, OTHER], **more}
    made = await b.ask("POST", "/v1/groups", json=body)
    assert made.status == 201 and set(made.json["groups"][0]) == {"id", "creation_time"}
    return made.json["groups"][0]["id"]


async def heard(b, members, start, count):
    relay = b.world.relay
    await relay.until(lambda: len(relay.posts) >= start + count)
    return [(post.to, members[post.to].take(post.parts[0])) for post in relay.posts[start : start + count]]


@pytest.mark.covers(
    "GET /v1/groups",
    "POST /v1/groups",
    "GET /v1/groups/{id}",
    "PUT /v1/groups/{id}",
    "POST /v1/groups/{id}/participants",
    "DELETE /v1/groups/{id}/participants",
)
@pytest.mark.covers("POST /v1/groups", 1008, 1009, 1020)
@pytest.mark.covers("GET /v1/groups/{id}", 1003, 1012)
@pytest.mark.covers("PUT /v1/groups/{id}", 1008, 1009, 1012, 1019)
@pytest.mark.covers("POST /v1/groups/{id}/participants", 1008, 1009, 1012, 1019, 1020)
@pytest.mark.covers("DELETE /v1/groups/{id}/participants", 1003, 1009, 1012, 1019)
def test_group_is_founded_changed_and_looked_at(tmp_path):
    async def main(b):
        members = await party(b)
        group = await found(b)
        path = f"/v1/groups/{group}"
        assert (await b.ask("GET", "/v1/groups")).json["groups"] == [{"id": group}]
        assert (await b.ask("PUT", path, json={"subject": "Friends"})).status == 200
        assert (await b.ask("DELETE", f"{path}/participants", json={"wa_ids": [OTHER]})).status == 200
        assert (await b.ask("POST", f"{path}/participants", json={"wa_ids": [OTHER, CUSTOMER]})).status == 200
        [told] = (await b.ask("GET", path)).json["groups"]
        assert told["admins"] == [BUSINESS] == [told["creator"]] and told["subject"] == "Friends"
        assert told["participants"] == [BUSINESS, CUSTOMER, OTHER] and told["creation_time"] > 1_000_000_000
        news = await heard(b, members, 0, 8)
        assert [content.group.roster.revision for _, content in news] == [1, 1, 2, 2, 3, 3, 4, 4]
        many = [f"49171{number:07}" for number in range(MAX_GROUP_MEMBERS + 1)]
        for method, where, body, status, code in (
            ("POST", "/v1/groups", {}, 400, 1008),
            ("POST", "/v1/groups", {"subject": ""}, 400, 1008),
            ("POST", "/v1/groups", {"subject": "x", "participants": ["nobody"]}, 400, 1009),
            ("POST", "/v1/groups", {"subject": "x\ny"}, 400, 1009),
            ("POST", "/v1/groups", {"subject": "x", "participants": many}, 400, 1020),
            ("POST", "/v1/groups", {"subject": "x", "participants": [BUSINESS]}, 400, 1020),
            ("GET", f"/v1/groups/{UNKNOWN}", None, 404, 1012),
            ("PUT", f"/v1/groups/{UNKNOWN}", {"subject": "x"}, 404, 1012),
            ("PUT", path, {}, 400, 1008),
            ("PUT", path, {"subject": "x" * 129}, 400, 1009),
            ("POST", f"/v1/groups/{UNKNOWN}/participants", {"wa_ids": []}, 404, 1012),
            ("POST", f"{path}/participants", {}, 400, 1008),
            ("POST", f"{path}/participants", {"wa_ids": ["x"]}, 400, 1009),
            ("POST", f"{path}/participants", {"wa_ids": many}, 400, 1020),
            ("DELETE", f"/v1/groups/{UNKNOWN}/participants", {"wa_ids": []}, 404, 1012),
            ("DELETE", f"{path}/participants", {"wa_ids": ["x"]}, 400, 1009),
            ("DELETE", f"{path}/participants", {"wa_ids": ["491713929999"]}, 400, 1003),
        ):
            refused = await b.ask(method, where, **({} if body is None else {"json": body}))
            assert (refused.status, refused.v1_code) == (status, code), (method, where, body)
        absent = await b.ask("POST", f"{path}/leave")
        assert (absent.status, absent.v1_code) == (501, 1026)
        await strangers_group(b, members[CUSTOMER])

    trade(main, tmp_path)


async def strangers_group(b, ann):
    """A group that a phone founded is its own to change, and gone for us once it lets us go."""
    name = bytes(range(16))
    await deliver(b.world, ann.tell(GroupNews(), GroupTag(name, b"", Roster(1, "Ann's", [BUSINESS]))))
    group = (await b.ask("GET", "/v1/groups")).json["groups"][1]["id"]
    assert urlsafe_b64decode(group + "==") == name
    path = f"/v1/groups/{group}"
    for method, where, body in (
        ("PUT", path, {"subject": "Ours"}),
        ("POST", f"{path}/participants", {"wa_ids": [OTHER]}),
        ("DELETE", f"{path}/participants", {"wa_ids": [BUSINESS]}),
    ):
        refused = await b.ask(method, where, json=body)
        assert (refused.status, refused.v1_code) == (400, 1019)
    await deliver(b.world, ann.tell(GroupNews(), GroupTag(name, b"", Roster(2, "Ann's", []))))
    gone = await b.ask("GET", path)
    assert (gone.status, gone.v1_code) == (400, 1003)
    assert len((await b.ask("GET", "/v1/groups")).json["groups"]) == 1


@pytest.mark.covers("POST /v1/messages", "GET /v1/messages/{id}")
@pytest.mark.covers("POST /v1/messages", 1012)
def test_message_to_a_group_is_one_to_the_business_with_a_status_for_each_member(tmp_path):
    async def main(b):
        members = await party(b)
        group = await found(b)
        await heard(b, members, 0, 2)
        sent = await b.ask("POST", "/v1/messages", json={"to": group, "biz_opaque_callback_data": "mine", **TEXT})
        assert sent.status == 201
        message_id = sent.json["messages"][0]["id"]
        assert [content.body.body for _, content in await heard(b, members, 2, 2)] == ["Hello all!"] * 2
        ann = members[CUSTOMER]
        name = urlsafe_b64decode(group + "==")
        await deliver(b.world, ann.tell("Hello shop!", GroupTag(name, ann.key(name)), name="Ann"))
        events = await b.world.events(5, EventKind.SENT, EventKind.DELIVERED, EventKind.MESSAGE)
        statuses = [json.loads(encode_body(event))["statuses"][0] for event in events[:4]]
        assert {each["recipient_id"] for each in statuses} == {CUSTOMER, OTHER}
        assert {(each["id"], each["group_id"], each["biz_opaque_callback_data"]) for each in statuses} == {
            (message_id, group, "mine")
        }
        [said] = json.loads(encode_body(events[4]))["messages"]
        assert (said["from"], said["group_id"], said["text"]) == (CUSTOMER, group, {"body": "Hello shop!"})
        [view] = (await b.ask("GET", f"/v1/messages/{message_id}")).json["messages"]
        assert (view["to"], view["group_id"], view["status"]) == (group, group, "delivered")
        [view] = (await b.ask("GET", f"/v1/messages/{said['id']}")).json["messages"]
        assert (view["from"], view["group_id"]) == (CUSTOMER, group)
        quoted = {"to": group, "context": {"message_id": said["id"]}, **TEXT}
        assert (await b.ask("POST", "/v1/messages", json=quoted)).status == 201
        [(_, answer), _] = await heard(b, members, 4, 2)
        assert answer.reply_to is not None and answer.body.body == "Hello all!"
        for wrong in (UNKNOWN, CUSTOMER, "", "x" * 5_000):
            refused = await b.ask("POST", "/v1/messages", json={"to": wrong, **TEXT})
            assert (refused.status, refused.v1_code) == (404, 1012)

    trade(main, tmp_path)
