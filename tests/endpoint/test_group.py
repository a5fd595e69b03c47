"""Who is in a group: the founder's rosters count, and nobody else's."""

import os

import msgspec
import pytest

from corefast.endpoint.group import (
    LAST_REVISION,
    Distribution,
    Given,
    Group,
    GroupReceiver,
    GroupSender,
    check_author,
    check_member,
    check_said,
    check_tag,
    derive_post_id,
    distribution_id_of,
    tag_for,
    take_roster,
)
from corefast.endpoint.resend import derive_resend_id, resend_of
from corefast.errors import ContentMalformed, GroupUnknown, MessageMalformed
from corefast.limits import MAX_GROUP_MEMBERS, MAX_SUBJECT_CHARACTERS
from corefast.wire.body import Text
from corefast.wire.content import Content, GroupLeave, GroupNews, GroupTag, Read, Roster, Sent, Unsupported

GROUP_ID = bytes(range(16))
FOUNDER, US, ANN = "493023125000", "49123123456", "491713920001"


def tag(revision=1, members=(US, ANN), subject="Shop"):
    return GroupTag(GROUP_ID, b"", Roster(revision, subject, list(members)))


def known():
    return take_roster(None, tag(), FOUNDER, US)


def test_who_brings_a_roster_that_lists_us_is_the_founder_of_an_unknown_group():
    assert known() == Group(GROUP_ID, FOUNDER, Roster(1, "Shop", [US, ANN]))
    assert known().others(US) == [FOUNDER, ANN] and known().has(FOUNDER) and not known().has("1")
    assert take_roster(None, tag(members=[ANN]), FOUNDER, US) is None
    assert take_roster(None, GroupTag(GROUP_ID), FOUNDER, US) is None


def test_later_roster_counts_from_the_founder_alone_and_with_a_higher_revision():
    assert take_roster(known(), tag(2), ANN, US) is None
    assert take_roster(known(), tag(1, [US]), FOUNDER, US) is None
    later = take_roster(known(), tag(2, [ANN], "New"), FOUNDER, US)
    assert later == Group(GROUP_ID, FOUNDER, Roster(2, "New", [ANN])) and not later.has(US)


@pytest.mark.parametrize(
    "bad",
    [
        tag(0),
        tag(-1),
        tag(LAST_REVISION + 1),
        tag(members=[US, US]),
        tag(members=[US, FOUNDER]),
        tag(members=[US, "Ann"]),
        tag(members=[US, "1" * 33]),
        tag(members=[US, *map(str, range(MAX_GROUP_MEMBERS))]),
        tag(subject="x" * (MAX_SUBJECT_CHARACTERS + 1)),
    ],
)
def test_roster_that_cannot_be_is_passed_over(bad):
    assert take_roster(None, bad, FOUNDER, US) is None


def test_message_is_the_groups_only_between_members():
    assert check_member(known(), ANN, US) == known()
    for group, sender, own in ((None, ANN, US), (known(), "1", US), (known(), ANN, "1")):
        with pytest.raises(GroupUnknown):
            check_member(group, sender, own)


def test_message_under_a_sender_key_names_its_group_and_its_author_and_brings_nothing_along():
    sender = GroupSender.new(GROUP_ID, os.urandom)
    receiver = GroupReceiver(GROUP_ID)
    receiver.join(Distribution.parse(sender.distribution()))
    message = sender.encrypt(b"words", os.urandom)
    assert distribution_id_of(message) == GROUP_ID and receiver.decrypt(message) == b"words"
    with pytest.raises(MessageMalformed):
        distribution_id_of(message[:40])
    good = Content(bytes(16), 1, Text("hi"), group=GroupTag(GROUP_ID), author=ANN)
    check_said(good, ANN, GROUP_ID)
    check_author(good, ANN)
    bad = [
        Content(bytes(16), 1, Text("hi"), author=ANN),
        Content(bytes(16), 1, Text("hi"), group=GroupTag(bytes(16)), author=ANN),
        Content(bytes(16), 1, Text("hi"), group=GroupTag(GROUP_ID, b"key"), author=ANN),
        Content(bytes(16), 1, Text("hi"), group=tag(), author=ANN),
        Content(bytes(16), 1, Text("hi"), group=GroupTag(GROUP_ID), author=FOUNDER),
    ]
    for content in bad:
        with pytest.raises(ContentMalformed):
            check_said(content, ANN, GROUP_ID)


def test_resend_keeps_the_id_of_a_group_message_and_replaces_any_other():
    sent_as = b"s" * 16
    said = Content(b"g" * 16, 1, Text("hi"), group=GroupTag(GROUP_ID))
    envelope_id, content = resend_of(said, sent_as, 2)
    assert envelope_id == derive_resend_id(sent_as, 2)
    assert (content.id, content.resent) == (said.id, sent_as)
    _, single = resend_of(Content(sent_as, 1, Text("hi")), sent_as, 2)
    assert (single.id, single.resent) == (envelope_id, sent_as)


# ── who left, and what goes to one member alone ────────────────────────────────────────────────────────────────────

ID, BOB, CAY, EVE = GROUP_ID, "4930200", "4930300", "4930400"
ROSTER = Roster(3, "Dinner", [BOB, CAY])
DINNER = Group(ID, ANN, ROSTER)
SAID = Content(bytes(16), 1, Text("hello"), group=GroupTag(ID), author=ANN)
CHAIN = GroupSender.new(ID, os.urandom)

replace = msgspec.structs.replace


def test_who_left_is_not_in_the_group_until_a_newer_roster_has_him():
    left = DINNER.without(BOB)
    assert not left.has(BOB) and left.others(ANN) == [CAY]
    assert left.without(BOB) == left and DINNER.without(EVE) == DINNER
    assert not DINNER.without(ANN).has(ANN)
    again = take_roster(left, GroupTag(ID, b"", replace(ROSTER, revision=4)), ANN, BOB)
    assert again is not None and again.has(BOB)


def test_tag_for_one_member_brings_the_key_to_members_and_the_roster_from_the_founder():
    key = CHAIN.distribution()
    assert tag_for(DINNER, ANN, BOB, key, GroupNews()) == GroupTag(ID, key, ROSTER)
    assert tag_for(DINNER, CAY, BOB, key, GroupNews()) == GroupTag(ID, key, None)
    assert tag_for(DINNER, ANN, EVE, key, GroupNews()) == GroupTag(ID, b"", ROSTER)
    assert tag_for(DINNER.without(BOB), CAY, BOB, key, GroupNews()) == GroupTag(ID)
    assert tag_for(DINNER, ANN, BOB, key, Text("hello")) == GroupTag(ID, key, ROSTER)
    assert tag_for(DINNER, ANN, EVE, key, Text("hello")) == GroupTag(ID), "who was removed asks for what he missed"


def test_what_comes_under_a_sender_key_is_something_said_in_its_group_by_its_owner():
    check_said(SAID, ANN, ID)
    check_said(replace(SAID, author="", body=Unsupported(99)), ANN, ID)
    for wrong in (
        {"group": None},
        {"group": GroupTag(bytes(16))},
        {"group": GroupTag(ID, b"key")},
        {"group": GroupTag(ID, b"", ROSTER)},
        {"author": EVE},
        {"body": GroupLeave()},
        {"body": GroupNews()},
        {"body": Read([])},
        {"id": bytes(15)},
        {"resent": bytes(16)},
    ):
        with pytest.raises(ContentMalformed):
            check_said(replace(SAID, **wrong), ANN, ID)


def test_what_comes_for_us_alone_has_a_whole_tag_or_the_id_of_its_item():
    item_id, key = os.urandom(16), CHAIN.distribution()
    plain = Content(item_id, 1, Text("hello"))
    check_tag(plain, ANN, item_id)
    for body in (Text("hello"), GroupNews(), GroupLeave(), Unsupported(99)):
        check_tag(replace(SAID, body=body, group=GroupTag(ID, key, ROSTER), resent=item_id), ANN, item_id)
    for wrong in (
        replace(plain, id=bytes(16)),
        replace(plain, author=EVE),
        replace(plain, body=GroupNews()),
        replace(plain, body=GroupLeave()),
        replace(SAID, author=EVE),
        replace(SAID, id=b""),
        replace(SAID, body=Read([])),
        replace(SAID, body=Sent(BOB, b"")),
        replace(SAID, group=GroupTag(ID, key[:-1])),
        replace(SAID, group=GroupTag(ID, b"\x33")),
        replace(SAID, group=GroupTag(ID, GroupSender.new(bytes(16), os.urandom).distribution())),
    ):
        with pytest.raises(ContentMalformed):
            check_tag(wrong, ANN, item_id)


def test_member_reads_our_chain_from_where_it_was_given_with_the_devices_that_it_was_given_to():
    chain = GroupSender.new(ID, os.urandom)
    first = Given.of(chain.distribution(), 2)
    chain.encrypt(b"x", os.urandom)
    second = Given.of(chain.distribution(), 2)
    assert first.reaches(first) and first.reaches(second) and not second.reaches(first)
    assert not first.reaches(replace(first, devices_version=3))
    assert not first.reaches(Given.of(GroupSender.new(ID, os.urandom).distribution(), 2))


def test_post_of_a_message_has_another_id_for_each_member_and_the_same_one_each_time():
    ids = {derive_post_id(message, number) for message in (ID, bytes(16)) for number in (ANN, BOB)}
    assert len(ids) == 4 and {len(each) for each in ids} == {16}
    assert derive_post_id(ID, ANN) in ids
