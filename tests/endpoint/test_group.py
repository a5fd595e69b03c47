"""Who is in a group: the founder's rosters count, and nobody else's."""

import os

import pytest

from corefast.endpoint.group import (
    LAST_REVISION,
    Distribution,
    Group,
    GroupReceiver,
    GroupSender,
    check_author,
    check_member,
    check_said,
    distribution_id_of,
    take_roster,
)
from corefast.endpoint.resend import derive_resend_id, resend_of
from corefast.errors import ContentMalformed, GroupUnknown, MessageMalformed
from corefast.limits import MAX_GROUP_MEMBERS, MAX_SUBJECT_CHARACTERS
from corefast.wire.body import Text
from corefast.wire.content import Content, GroupTag, Roster

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
