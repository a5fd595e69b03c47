"""Groups as a core and a phone know them alike: who is in one, and what may be said in it (docs/protocol.md).

Knows no store, no session and no socket. Chains are `protocol.group`'s.
"""

import msgspec

from corefast.errors import ContentMalformed, GroupUnknown
from corefast.limits import MAX_GROUP_MEMBERS, MAX_SUBJECT_CHARACTERS
from corefast.protocol.group import Distribution, GroupReceiver, GroupSender, distribution_id_of
from corefast.wire.content import Content, GroupId, GroupTag, Roster

__all__ = [
    "LAST_REVISION",
    "Distribution",
    "Group",
    "GroupReceiver",
    "GroupSender",
    "check_author",
    "check_member",
    "check_said",
    "distribution_id_of",
    "take_roster",
]

LAST_REVISION = 2**31 - 1
_MAX_DIGITS = 32


class Group(msgspec.Struct, frozen=True, array_like=True):
    """A group by its newest roster; the founder is in it and does not stand in the roster."""

    id: GroupId
    founder: str
    roster: Roster

    def has(self, number: str) -> bool:
        """Tell whether *number* is in the group."""
        return number == self.founder or number in self.roster.members

    def others(self, number: str) -> list[str]:
        """Return everybody but *number*, the founder first."""
        return [each for each in (self.founder, *self.roster.members) if each != number]


def take_roster(known: Group | None, tag: GroupTag, author: str, own_number: str) -> Group | None:
    """Return the group as the roster that *author* brings makes it; None where it changes nothing.

    A roster counts from the founder alone, with a higher revision than the last one. Who brings one for a group that
    is not *known* and lists *own_number* in it is its founder.
    """
    roster = tag.roster
    if roster is None or not _is_sound(roster, author):
        return None
    if known is None:
        return Group(tag.id, author, roster) if own_number in roster.members else None
    if author != known.founder or roster.revision <= known.roster.revision:
        return None
    return msgspec.structs.replace(known, roster=roster)


def check_said(content: Content, sender: str, distribution_id: bytes) -> None:
    """Raise `ContentMalformed` unless *content* may have come under the sender key of *sender* in that group."""
    tag = content.group
    if tag is None or tag.id != distribution_id or tag.key or tag.roster is not None:
        raise ContentMalformed("a message under a sender key is of another group than its key")
    check_author(content, sender)


def check_author(content: Content, sender: str) -> None:
    """Raise `ContentMalformed` where *content* names another author than its sender, as a relay could have it."""
    if content.author not in ("", sender):
        raise ContentMalformed("a message names another author than its sender")


def check_member(group: Group | None, sender: str, own_number: str) -> Group:
    """Return the group that *sender* speaks in; raise `GroupUnknown` unless both are in it."""
    if group is None or not group.has(sender) or not group.has(own_number):
        raise GroupUnknown("a message is of a group that its author, or its reader, is not in")
    return group


def _is_sound(roster: Roster, founder: str) -> bool:
    members = roster.members
    if not 0 < roster.revision <= LAST_REVISION or len(roster.subject) > MAX_SUBJECT_CHARACTERS:
        return False
    if len(members) > MAX_GROUP_MEMBERS or len(set(members)) != len(members) or founder in members:
        return False
    return all(each.isascii() and each.isdecimal() and len(each) <= _MAX_DIGITS for each in members)
