"""What a delivery means for groups: whose roster counts, who left, and which sender keys came and are used."""

from corefast.address import Address
from corefast.device.group import KnownGroup, News
from corefast.device.profile import Profile
from corefast.endpoint.group import check_said, copy_roster, distribution_id_of, take_roster
from corefast.errors import SessionMissing
from corefast.limits import MAX_GROUPS, MAX_GROUPS_OF_FOUNDER
from corefast.store.database import Unit
from corefast.wire.content import Content, GroupTag, read_content
from corefast.wire.messages import Item


class Membership:
    """Grows beside a unit; `save` adds to it what changed."""

    def __init__(self, profile: Profile, unit: Unit) -> None:
        self._profile = profile
        self._unit = unit
        self._used: dict[bytes, KnownGroup] = {}
        self.unsettled: set[bytes] = set()
        """Groups of ours that somebody left: the others are to be told by a roster."""

    async def load(self, group_id: bytes) -> KnownGroup:
        known = await self._profile.groups.load(group_id)
        self._used[group_id] = known
        return known

    def save(self) -> None:
        for known in self._used.values():
            self._profile.groups.save(self._unit, known)

    async def read(self, item: Item) -> tuple[Content, bytes]:
        """Return what came under a sender key and its plaintext; raise a `PeerError`, with nothing changed.

        A content that is not what it has to be is an error as well; its message key is used up.
        """
        known = await self.load(distribution_id_of(item.body))
        number, device = item.sender.id, item.sender.device
        receiver = await self._profile.groups.sender(known, number, device)
        if receiver is None:
            raise SessionMissing("there is no sender key of this device")
        plaintext = receiver.decrypt(item.body)
        known.put(number, device, receiver)
        content = read_content(plaintext, number)
        check_said(content, number, known.id)
        return content, plaintext

    async def take_tag(self, known: KnownGroup, tag: GroupTag, sender: Address, *, is_barred: bool) -> News | None:
        """Take the roster and the sender key that *sender* brings, where they count; return what that changes.

        Who *is_barred*, by an identity key that nobody has accepted, would decide by a roster who reads us. His key is
        not taken either, so that once he is accepted, what is missing is asked for and comes with both.
        """
        own_number = self._profile.account.number
        news = None
        group = take_roster(known.group, tag, sender.id, own_number)
        if group is not None and (known.group is not None or await self._has_room(sender.id)):
            if is_barred:
                return None
            news = known.become(group, own_number)
        await self._take_key(known, tag, sender)
        return news

    def take_copy(self, known: KnownGroup, tag: GroupTag, founder: str) -> News | None:
        """Take a roster that another device of ours has."""
        group = copy_roster(known.group, tag, founder)
        return known.become(group, self._profile.account.number) if group is not None else None

    def take_leave(self, known: KnownGroup, number: str) -> News | None:
        """Take a member's word that he leaves."""
        own_number = self._profile.account.number
        if known.group is None or not known.has(number):
            return None
        if known.group.founder == own_number != number:
            self.unsettled.add(known.id)
        return known.lose(number)

    async def _take_key(self, known: KnownGroup, tag: GroupTag, sender: Address) -> None:
        """Take the sender key of a member."""
        if tag.key and known.has(sender.id) and known.has(self._profile.account.number):
            receiver = await self._profile.groups.sender(known, sender.id, sender.device)
            known.join(sender.id, sender.device, tag.key, receiver)

    async def _has_room(self, founder: str) -> bool:
        everybodys, theirs = await self._profile.groups.store.count(founder)
        return everybodys < MAX_GROUPS and theirs < MAX_GROUPS_OF_FOUNDER
