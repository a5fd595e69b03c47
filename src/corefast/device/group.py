"""The groups that this device knows, with their sender keys, as they are in memory between two commits."""

from collections import OrderedDict

import msgspec

from corefast.device.store.groups import ChainRow, GroupStore
from corefast.device.store.outbox import Cipher
from corefast.endpoint.group import Distribution, Given, Group, GroupReceiver, GroupSender, tag_for
from corefast.protocol.keys import Random
from corefast.store.database import Unit
from corefast.wire.content import Body, GroupTag

MAX_CACHED_GROUPS = 64
MAX_CACHED_SKIPPED = 64
"""Keys for late messages of one sender; who has more is read again with his next message."""
MAX_CACHED_SENDERS = 64
"""Of one group, between two commits; the others are read again when they are needed."""


class News(msgspec.Struct, frozen=True, array_like=True):
    """What became another in a group; the numbers of who came and went."""

    subject: str
    added: list[str] = []
    removed: list[str] = []
    left: list[str] = []
    is_renamed: bool = False


class KnownGroup:
    """A group, our sender key in it, to whom that was given, and the keys of the members that are in use."""

    __slots__ = ("id", "group", "chain", "given", "senders", "gone", "is_news", "is_moved", "fresh", "touched", "large")

    def __init__(self, group_id: bytes) -> None:
        self.id = group_id
        self.group: Group | None = None
        self.chain: ChainRow | None = None
        self.given: dict[str, Given] = {}
        self.senders: dict[tuple[str, int], GroupReceiver] = {}
        self.gone: set[str] = set()
        """Whose keys are to be forgotten."""
        self.is_news = self.is_moved = False
        """Whether the group, and our chain, differ from what is stored."""
        self.fresh: set[str] = set()
        self.touched: set[tuple[str, int]] = set()
        self.large: set[tuple[str, int]] = set()
        """Whose keys take too much memory to stay."""

    def has(self, number: str) -> bool:
        return self.group is not None and self.group.has(number)

    def become(self, group: Group, own_number: str) -> News:
        """Take *group* as what this one is now, and return what that changes; we begin a new chain if somebody went."""
        before = self.group
        were = set(before.others("")) if before is not None else set(group.others("")) - {own_number}
        everybody = group.others("")
        added = [each for each in everybody if each not in were]
        removed = sorted(were.difference(everybody))
        self.group = group
        self.is_news = True
        for number in removed:
            self._forget(number)
        is_renamed = before is not None and before.roster.subject != group.roster.subject
        return News(group.roster.subject, added, removed, is_renamed=is_renamed)

    def lose(self, number: str) -> News:
        """Have *number*, who is a member, be gone."""
        assert self.group is not None
        self.group = self.group.without(number)
        self.is_news = True
        self._forget(number)
        return News(self.group.roster.subject, left=[number])

    def renew(self) -> None:
        """Begin a new chain with the next message."""
        if self.chain is not None and not self.chain.is_stale:
            self.chain = self.chain._replace(is_stale=True)
            self.is_moved = True

    def tag(
        self, own_number: str, recipient: str, body: Body, random: Random, devices_version: int | None = None
    ) -> GroupTag:
        """Return the tag of a message for *recipient* alone.

        With *devices_version* it goes to all devices of that list: they can read our chain from here on.
        """
        if self.group is None or not self.group.has(own_number):
            return GroupTag(self.id)
        key = self._chain(random).distribution() if self.group.has(recipient) else b""
        if key and devices_version is not None:
            self.given[recipient] = Given.of(key, devices_version)
            self.fresh.add(recipient)
        return tag_for(self.group, own_number, recipient, key, body)

    def encrypt(self, plaintext: bytes, random: Random) -> Cipher | None:
        """Return *plaintext* under our sender key, where anybody could read that."""
        chain = self._chain(random)
        place = Distribution.parse(chain.distribution())
        if not any(given.chain_id == place.chain_id for given in self.given.values()):
            return None
        self.is_moved = True
        return Cipher(place.chain_id, place.iteration, chain.encrypt(plaintext, random))

    def reaches(self, recipient: str, cipher: Cipher, devices_version: int) -> bool:
        """Tell whether each device of *recipient*'s list can read *cipher*."""
        given = self.given.get(recipient)
        return given is not None and given.reaches(Given(cipher.chain_id, cipher.iteration, devices_version))

    def join(self, number: str, device: int, key: bytes, receiver: GroupReceiver | None) -> None:
        """Take a member's chain, beside what *receiver* has of him."""
        receiver = receiver or GroupReceiver(self.id)
        receiver.join(Distribution.parse(key))
        self.put(number, device, receiver)

    def put(self, number: str, device: int, receiver: GroupReceiver) -> None:
        self.senders[number, device] = receiver
        self.touched.add((number, device))
        if receiver.skipped > MAX_CACHED_SKIPPED:
            self.large.add((number, device))

    def _chain(self, random: Random) -> GroupSender:
        if self.chain is None or self.chain.is_stale:
            self.chain = ChainRow(GroupSender.new(self.id, random), is_stale=False)
            self.is_moved = True
        return self.chain.chain

    def _forget(self, number: str) -> None:
        self.renew()
        self.gone.add(number)
        self.given.pop(number, None)
        self.fresh.discard(number)
        self.drop_senders(number)

    def drop_senders(self, number: str, device: int | None = None) -> None:
        """Drop from memory the keys of a number, or of one device of it."""
        for sender in [each for each in self.senders if each[0] == number and device in (None, each[1])]:
            del self.senders[sender]
            self.touched.discard(sender)


class GroupDirectory:
    """Loads groups and writes what changed in them; whoever uses it has the turn of `Directory`."""

    def __init__(self, store: GroupStore) -> None:
        self.store = store
        self._groups: OrderedDict[bytes, KnownGroup] = OrderedDict()
        self._ungiven: set[str] = set()
        self._renewed: set[str] = set()
        self._strangers: set[tuple[str, int | None]] = set()
        """What was forgotten in this turn: numbers, of whose given keys ours begin anew for some, and senders."""

    async def load(self, group_id: bytes) -> KnownGroup:
        """Return the group, an empty one where there is none; use it before the turn ends."""
        known = self._groups.get(group_id)
        if known is None:
            self._groups[group_id] = known = await self._read(group_id)
        self._groups.move_to_end(group_id)
        return known

    async def sender(self, known: KnownGroup, number: str, device: int) -> GroupReceiver | None:
        """Return the sender key of a member's device; None where it gave us none."""
        receiver = known.senders.get((number, device))
        is_stranger = not self._strangers.isdisjoint({(number, None), (number, device)})
        if receiver is None and not is_stranger and number not in known.gone:
            receiver = await self.store.load_sender(known.id, number, device)
            if receiver is not None:
                known.senders[number, device] = receiver
        return receiver

    def save(self, unit: Unit, known: KnownGroup) -> None:
        """Add to *unit* what changed in the group."""
        if known.is_news and known.group is not None:
            self.store.save(unit, known.group)
        if known.is_moved and known.chain is not None:
            self.store.save_chain(unit, known.id, known.chain)
        for number in known.gone:
            self.store.delete_member(unit, known.id, number)
        for number in known.fresh:
            self.store.save_given(unit, known.id, number, known.given[number])
        for number, device in known.touched:
            self.store.save_sender(unit, known.id, number, device, known.senders[number, device])
        known.is_news = known.is_moved = False
        known.gone.clear()
        known.fresh.clear()
        known.touched.clear()

    def forget_given(self, unit: Unit, number: str) -> None:
        """Give *number* our keys anew: one of its devices could not read something."""
        self.store.forget_given(unit, number)
        self._ungiven.add(number)
        for known in self._groups.values():
            self._apply(known)

    def forget_number(self, unit: Unit, number: str) -> None:
        """Take *number* for somebody else from now on: its identity key is another one."""
        self.store.forget_senders(unit, number)
        self._renew(unit, number)
        for known in self._groups.values():
            known.drop_senders(number)
        self._strangers.add((number, None))

    def forget_device(self, unit: Unit, number: str, device: int) -> None:
        """Take a device of *number* for none any more."""
        self.store.forget_senders(unit, number, device)
        self._renew(unit, number)
        for known in self._groups.values():
            known.drop_senders(number, device)
        self._strangers.add((number, device))

    def _renew(self, unit: Unit, number: str) -> None:
        """Have our chains begin anew that *number* could read."""
        self.store.renew_given(unit, number)
        self._ungiven.add(number)
        self._renewed.add(number)
        for known in self._groups.values():
            self._apply(known)

    def _apply(self, known: KnownGroup) -> None:
        """Do what this turn has forgotten, which the store may not know before its commit."""
        for number in self._ungiven.intersection(known.given):
            if number in self._renewed:
                known.renew()
            del known.given[number]
            known.fresh.discard(number)

    def forget(self) -> None:
        """Drop all that is in memory: a commit failed, and the store is right."""
        self._groups.clear()
        self._end_turn()

    def trim(self) -> None:
        """Keep the cache in its bound; call it at the end of the turn, after a commit."""
        self._end_turn()
        while len(self._groups) > MAX_CACHED_GROUPS:
            self._groups.popitem(last=False)
        for known in self._groups.values():
            for sender in known.large:
                known.senders.pop(sender, None)
            known.large.clear()
            if len(known.senders) > MAX_CACHED_SENDERS:
                known.senders.clear()

    def _end_turn(self) -> None:
        self._ungiven.clear()
        self._renewed.clear()
        self._strangers.clear()

    async def _read(self, group_id: bytes) -> KnownGroup:
        known = KnownGroup(group_id)
        known.group = await self.store.load(group_id)
        if known.group is not None:
            known.chain = await self.store.load_chain(group_id)
            known.given = await self.store.load_given(group_id)
            self._apply(known)
        return known
