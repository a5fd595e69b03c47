"""What a device tells its user. Ids are 16 bytes; times are Unix milliseconds."""

import msgspec

from corefast.wire.body import Saying, words_of
from corefast.wire.content import Medium, Unsupported


class Ready(msgspec.Struct, frozen=True):
    """The device is registered and its mailbox is open; told after each time it connects."""

    number: str
    device: int = 1
    """Which device of the number it is; 1 is the first."""


class Offline(msgspec.Struct, frozen=True):
    """The relay is away; told once until the next `Ready`. The device keeps trying."""

    code: str
    text: str


class Limited(msgspec.Struct, frozen=True):
    """We send faster than the relay allows (`rate.limited`): messages wait, in order, and go on after this time.

    Told once until a message went on again.
    """

    retry_after_ms: int


class MessageReceived(msgspec.Struct, frozen=True):
    """A message; told again with the same `id` after a restart until it was marked as shown.

    `body` is `Unsupported` where a later release has sent what this one does not know.
    """

    seq: int
    sender: str
    id: bytes
    body: Saying | Unsupported
    at_ms: int
    name: str = ""
    reply_to: bytes | None = None
    """Id of the message that it quotes, answers, or reacts to."""
    media: Medium | None = None
    group: bytes | None = None
    """The group that it was said in; None where it was said to us alone."""
    subject: str = ""
    """What that group is called."""

    @property
    def text(self) -> str:
        """The words of a text; empty for anything else."""
        return words_of(self.body)

    @property
    def peer(self) -> str | bytes:
        """Whom we are talking with: a number, or a group."""
        return self.group or self.sender


class Unreadable(msgspec.Struct, frozen=True):
    """A message came that cannot be decrypted; `code` says why. It is kept like any other, and is asked for."""

    seq: int
    sender: str
    id: bytes
    at_ms: int
    code: str


class IdentityNews(msgspec.Struct, frozen=True):
    """A peer's identity key is another one than before: a new phone, or an impostor. Kept like a message."""

    seq: int
    sender: str
    id: bytes
    at_ms: int


class Safety(msgspec.Struct, frozen=True):
    """By what two people know each other: 60 digits, the same on both phones; *is_accepted* false for a new key."""

    number: str
    safety_number: str
    identity_hash: str
    is_accepted: bool


class MessageSent(msgspec.Struct, frozen=True):
    """Another device of ours, *device*, sent a message; kept and told like one that was received."""

    seq: int
    recipient: str
    id: bytes
    body: Saying | Unsupported
    at_ms: int
    device: int
    reply_to: bytes | None = None
    media: Medium | None = None
    group: bytes | None = None
    """The group that it was said in; *recipient* is empty then."""
    subject: str = ""

    @property
    def text(self) -> str:
        """The words of a text; empty for anything else."""
        return words_of(self.body)

    @property
    def peer(self) -> str | bytes:
        """Whom we are talking with: a number, or a group."""
        return self.group or self.recipient


class ReadElsewhere(msgspec.Struct, frozen=True):
    """Another device of ours told *sender* that these messages were read."""

    sender: str
    ids: list[bytes]


class DevicesNews(msgspec.Struct, frozen=True):
    """The list of our number's devices changed; *devices* are their ids, ours among them."""

    devices: list[int]


class LinkOffered(msgspec.Struct, frozen=True):
    """A code that makes a new phone a device of our number, once, until *expires_ms*; who reads it gets our keys."""

    code: str
    expires_ms: int

    def __repr__(self) -> str:
        return "<LinkOffered>"


class LinkFailed(msgspec.Struct, frozen=True):
    """Somebody came with our code and did not know it, or was changed on the way. Nothing was handed over."""

    code: str
    text: str


class StatusChanged(msgspec.Struct, frozen=True):
    """A message of ours went on: `sent`, `delivered`, `read`, `failed` (then with a code) or `expired`."""

    id: bytes
    recipient: str
    status: str
    at_ms: int
    code: str = ""
    group: bytes | None = None
    """Where it was said in a group; each member has a state of his own."""


class GroupChanged(msgspec.Struct, frozen=True):
    """*author* changed a group or left it; kept and told like a message.

    Who was added or removed, ourselves among them, and who left, are numbers.
    """

    seq: int
    author: str
    at_ms: int
    group: bytes
    subject: str
    added: list[str] = []
    removed: list[str] = []
    left: list[str] = []
    is_renamed: bool = False


class Stopped(msgspec.Struct, frozen=True):
    """The device gave up for good; it must be opened anew. `text` is a sentence for people."""

    code: str
    text: str


Stored = MessageReceived | MessageSent | Unreadable | IdentityNews | GroupChanged
"""Events that the store repeats until they are marked as shown."""

Event = Ready | Offline | Limited | Stored | StatusChanged | ReadElsewhere | DevicesNews | LinkFailed | Stopped
