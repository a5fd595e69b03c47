"""Groups as a core and a phone know them alike: who is in one, and what may be said in it (docs/protocol.md).

Knows no store, no session and no socket. Chains are `protocol.group`'s.
"""

from hashlib import sha256

import msgspec

from corefast.errors import ContentMalformed, GroupUnknown, PeerError
from corefast.limits import MAX_GROUP_MEMBERS, MAX_SUBJECT_CHARACTERS
from corefast.protocol.group import Distribution, GroupReceiver, GroupSender, distribution_id_of
from corefast.wire.content import (
    Body,
    Content,
    GroupId,
    GroupLeave,
    GroupNews,
    GroupTag,
    Read,
    ResendRequest,
    Roster,
    Sent,
)

__all__ = [
    "LAST_REVISION",
    "Distribution",
    "Given",
    "Group",
    "GroupReceiver",
    "GroupSender",
    "check_author",
    "check_member",
    "check_said",
    "check_tag",
    "copy_roster",
    "derive_post_id",
    "distribution_id_of",
    "tag_for",
    "take_roster",
]

LAST_REVISION = 2**31 - 1
ID_BYTES = 16
_MAX_DIGITS = 32
_NEWS = GroupNews | GroupLeave
_NOT_IN_GROUPS = Read | Sent | ResendRequest


class Group(msgspec.Struct, frozen=True, array_like=True):
    """A group by its newest roster; the founder is in it and does not stand in the roster."""

    id: GroupId
    founder: str
    roster: Roster
    gone: list[str] = []
    """Who left since that roster was made."""

    def has(self, number: str) -> bool:
        """Tell whether *number* is in the group."""
        return number not in self.gone and (number == self.founder or number in self.roster.members)

    def others(self, number: str) -> list[str]:
        """Return everybody but *number*, the founder first."""
        everybody = (self.founder, *self.roster.members)
        return [each for each in everybody if each != number and each not in self.gone]

    def without(self, number: str) -> "Group":
        """Return the group after *number* left it."""
        return msgspec.structs.replace(self, gone=[*self.gone, number]) if self.has(number) else self


class Given(msgspec.Struct, frozen=True, array_like=True):
    """From where on a member's devices, those of list *devices_version*, can read our chain: it was sent to them."""

    chain_id: int
    iteration: int
    devices_version: int

    @classmethod
    def of(cls, key: bytes, devices_version: int) -> "Given":
        """Return what our distribution message *key* gives to a list of devices."""
        place = Distribution.parse(key)
        return cls(place.chain_id, place.iteration, devices_version)

    def reaches(self, message: "Given") -> bool:
        """Tell whether who was given this reads a message of our chain, for the list of devices that there is now."""
        same = (self.chain_id, self.devices_version) == (message.chain_id, message.devices_version)
        return same and self.iteration <= message.iteration


def take_roster(known: Group | None, tag: GroupTag, author: str, own_number: str) -> Group | None:
    """Return the group as the roster that *author* brings makes it; None where it changes nothing.

    A roster counts from the founder alone, with a higher revision than the last one. Who brings one for a group that
    is not *known* and lists *own_number* in it is its founder.
    """
    roster = tag.roster
    if roster is None or known is None and own_number not in roster.members:
        return None
    return copy_roster(known, tag, author)


def copy_roster(known: Group | None, tag: GroupTag, founder: str) -> Group | None:
    """Return the group of *founder* as another device of our own number has it; None where that changes nothing."""
    roster = tag.roster
    if roster is None or not _is_sound(roster, founder):
        return None
    if known is None:
        return Group(tag.id, founder, roster)
    if founder != known.founder or roster.revision <= known.roster.revision:
        return None
    return msgspec.structs.replace(known, roster=roster, gone=[])


def tag_for(group: Group, own_number: str, recipient: str, key: bytes, body: Body) -> GroupTag:
    """Return the tag of a message for *recipient* alone: the roster where it is ours, our *key* for members only.

    Who is none any more gets the roster with the news of that, and no later one with what he asks for once more.
    """
    is_member = group.has(recipient)
    is_told = group.founder == own_number and (is_member or isinstance(body, GroupNews))
    return GroupTag(group.id, key if is_member else b"", group.roster if is_told else None)


def derive_post_id(message_id: bytes, recipient: str) -> bytes:
    """Return the id of the post that takes a message of a group, which has one id for all, to one of its members."""
    return sha256(b"corefast group post" + message_id + recipient.encode()).digest()[:ID_BYTES]


def check_said(content: Content, sender: str, distribution_id: bytes) -> None:
    """Raise `ContentMalformed` unless *content* may have come under the sender key of *sender* in that group."""
    tag = content.group
    if tag is None or tag.id != distribution_id or tag.key or tag.roster is not None:
        raise ContentMalformed("a message under a sender key is of another group than its key")
    if isinstance(content.body, _NOT_IN_GROUPS | _NEWS) or content.resent is not None:
        raise ContentMalformed("a message of this kind does not come under a sender key")
    _check_id(content)
    check_author(content, sender)


def check_tag(content: Content, sender: str, item_id: bytes) -> None:
    """Raise `ContentMalformed` unless *content*, which came for us alone, is whole: the tag, or that it has none."""
    check_author(content, sender)
    tag = content.group
    if tag is None:
        if content.id != item_id:
            raise ContentMalformed("the relay's id is not the author's")
        if isinstance(content.body, _NEWS):
            raise ContentMalformed("news of no group")
        return
    if isinstance(content.body, _NOT_IN_GROUPS):
        raise ContentMalformed("a message of this kind is not said in a group")
    _check_id(content)
    if tag.key:
        _check_key(tag)


def check_author(content: Content, sender: str) -> None:
    """Raise `ContentMalformed` where *content* names another author than its sender, as a relay could have it."""
    if content.author not in ("", sender):
        raise ContentMalformed("a message names another author than its sender")


def check_member(group: Group | None, sender: str, own_number: str) -> Group:
    """Return the group that *sender* speaks in; raise `GroupUnknown` unless both are in it."""
    if group is None or not group.has(sender) or not group.has(own_number):
        raise GroupUnknown("a message is of a group that its author, or its reader, is not in")
    return group


def _check_id(content: Content) -> None:
    if len(content.id) != ID_BYTES:
        raise ContentMalformed(f"the id of a message has {ID_BYTES} bytes")


def _check_key(tag: GroupTag) -> None:
    try:
        named = Distribution.parse(tag.key).distribution_id
    except PeerError:
        raise ContentMalformed("the key of a group is none") from None
    if named != tag.id:
        raise ContentMalformed("the key of a group is another group's")


def _is_sound(roster: Roster, founder: str) -> bool:
    members = roster.members
    if not 0 < roster.revision <= LAST_REVISION or len(roster.subject) > MAX_SUBJECT_CHARACTERS:
        return False
    if len(members) > MAX_GROUP_MEMBERS or len(set(members)) != len(members) or founder in members:
        return False
    return all(each.isascii() and each.isdecimal() and len(each) <= _MAX_DIGITS for each in members)
