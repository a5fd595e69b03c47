"""A phone that is in groups: reads what comes under sender keys, and speaks under its own."""

import os

from corefast.endpoint.group import Distribution, GroupReceiver, GroupSender
from corefast.wire.body import Text
from corefast.wire.content import Body, Content, GroupTag, Roster, decode_content, encode_content
from corefast.wire.messages import Item, Kind, Part
from tests.core.fake import NOW_MS, Phone


class Member(Phone):
    """One device; it believes everything that the business says of groups."""

    def __init__(self, number: str, device: int = 1, like: Phone | None = None) -> None:
        super().__init__(number, device, like)
        self.receivers: dict[bytes, GroupReceiver] = {}
        self.senders: dict[bytes, GroupSender] = {}
        self.rosters: dict[bytes, Roster] = {}

    def take(self, part: Part) -> Content:
        """Read a part of either kind; keys and rosters that it brings are kept."""
        if part.kind == Kind.SENDER_KEY:
            [content] = [decode_content(each) for each in [self._hear(part.body)]]
            return content
        content = self.read(part)
        tag = content.group
        if tag is not None and tag.key:
            self.receivers.setdefault(tag.id, GroupReceiver(tag.id)).join(Distribution.parse(tag.key))
        if tag is not None and tag.roster is not None:
            self.rosters[tag.id] = tag.roster
        return content

    def _hear(self, message: bytes) -> bytes:
        [receiver] = self.receivers.values()
        return receiver.decrypt(message)

    def key(self, name: bytes) -> bytes:
        """Return what the others need to read this member from now on."""
        return self.senders.setdefault(name, GroupSender.new(name, os.urandom)).distribution()

    def tell(self, body: Body | str, tag: GroupTag, said: bytes = b"", **more: object) -> Item:
        """Return an item of the session with the business, said in a group; it has an id of its own."""
        plaintext = encode_content(self._content(body, tag, said, **more))
        kind, ciphertext = self.business.encrypt(plaintext, os.urandom)
        return Item(0, os.urandom(16), kind, self.address, NOW_MS, ciphertext)

    def say(self, body: Body | str, tag: GroupTag, said: bytes = b"", **more: object) -> Item:
        """Return an item under this member's sender key."""
        plaintext = encode_content(self._content(body, tag, said, **more))
        ciphertext = self.senders[tag.id].encrypt(plaintext, os.urandom)
        return Item(0, os.urandom(16), Kind.SENDER_KEY, self.address, NOW_MS, ciphertext)

    def _content(self, body: Body | str, tag: GroupTag, said: bytes, **more: object) -> Content:
        words = Text(body) if isinstance(body, str) else body
        facts = {"author": self.number, **more}
        return Content(said or os.urandom(16), 1, words, group=tag, **facts)
