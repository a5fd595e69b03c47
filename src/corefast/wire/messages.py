"""The relay protocol: what cores and devices say to the relay and it to them; ciphertext is opaque bytes.

A connection's place in the protocol: nothing but `Register` or `Attach` is served before one of them succeeded.
Calls have exactly one answer; the rest are one-way.
"""

from enum import IntEnum

import msgspec

from corefast.address import Address
from corefast.wire import blob


class Kind(IntEnum):
    """What an item of a mailbox is. Below 16 libsignal's type codes; from 16 on it comes from the relay itself."""

    WHISPER = 2
    PREKEY = 3
    SENDER_KEY = 7
    DELIVERED = 16
    EXPIRED = 17
    FAILED = 18


class PostState(IntEnum):
    """What became of a post. Only the first two mean that the relay took it."""

    STORED = 1
    """Durable in every mailbox it names."""
    DELIVERED = 2
    """Every device it names has acked it; no receipt follows."""
    DEVICES_CHANGED = 3
    """Nothing was stored: fetch the bundle and encrypt for the new list."""
    UNKNOWN = 4
    """Nothing was stored: nobody is registered under that number."""
    REFUSED = 5
    """Nothing was stored: mailbox full, envelope too large, or too many posts in flight; try later."""


# ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class PublicPreKey(msgspec.Struct, frozen=True, array_like=True):
    """A one-time prekey: 0x05 and 32 bytes."""

    id: int
    public: bytes


class SignedPreKey(msgspec.Struct, frozen=True, array_like=True):
    """A prekey with its XEdDSA signature (64 bytes) by the identity key; `public` carries its type byte.

    For the curve 33 bytes, for Kyber-1024 1,569 bytes (0x08 first).
    """

    id: int
    public: bytes
    signature: bytes


class PreKeyUpload(msgspec.Struct, frozen=True, array_like=True):
    """New public prekeys; a field left out keeps what the relay has. One-time keys are added to the stock."""

    signed: SignedPreKey | None = None
    last_resort: SignedPreKey | None = None
    one_time: list[PublicPreKey] = []
    one_time_kem: list[SignedPreKey] = []


class DeviceBundle(msgspec.Struct, frozen=True, array_like=True):
    """What is needed to start a session with one device; *kem* is None from a device that speaks only X3DH."""

    device: int
    registration_id: int
    signed: SignedPreKey
    kem: SignedPreKey | None
    one_time: PublicPreKey | None


# ── client to relay, calls ─────────────────────────────────────────────────────────────────────────────────────────


class Register(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Claim *number* for the link key of this connection, as its device 1. → `Registered`.

    *prekeys* has at least the signed one; a device without a last-resort KEM key speaks only X3DH. Repeating it from
    the same link key with the same identity is harmless. Errors: `number.taken` (unless *replace* and admission
    allows), `code.required`, `code.wrong`, `pin.required`, `pin.wrong`, `bundle.invalid`, `rate.limited`.
    """

    number: str
    identity: bytes
    registration_id: int
    prekeys: PreKeyUpload
    code: str = ""
    pin: str = ""
    replace: bool = False
    shards: int = 1


class Registered(msgspec.Struct, frozen=True, array_like=True, tag=2):
    address: Address
    devices_version: int


class Attach(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Open the mailbox of this link key's device. → `Attached`; items follow as `Deliver`.

    A core names its shards, a phone none. Either moves its token from *token* to *next_token* (16 random bytes that it
    has already committed): the relay agrees when it knows *token* or already *next_token* (a retry), and when
    *commit_seq* is not below the highest it has seen; else `attach.superseded`. *force* is the owner's word after a
    restore. A phone that never had a token may leave it all at its defaults. A newer connection cuts the older one.
    """

    shards: list[int] = []
    token: bytes = b""
    next_token: bytes = b""
    commit_seq: int = 0
    force: bool = False


class Attached(msgspec.Struct, frozen=True, array_like=True, tag=4):
    address: Address
    devices_version: int
    one_time_left: int
    one_time_kem_left: int
    prekeys_wanted: bool = False
    """The relay was restored and dropped the one-time stock: upload a new one."""
    devices: list[int] = []
    """All devices of the account in list *devices_version*, this one among them."""


class PutPreKeys(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """→ `PreKeyCount`. Errors: `bundle.invalid`."""

    prekeys: PreKeyUpload


class PreKeyCount(msgspec.Struct, frozen=True, array_like=True, tag=6):
    one_time_left: int
    one_time_kem_left: int


class FetchBundle(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """→ `Bundle`; takes one one-time prekey of each kind from each device. Errors: `number.unknown`, `rate.limited`.

    The bundle of the caller's own number leaves out the caller, and may be empty.
    """

    number: str


class FindNumbers(msgspec.Struct, frozen=True, array_like=True, tag=37):
    """→ `FoundNumbers`; spends no prekey. At most 1,000 numbers. Errors: `parameter.invalid`, `rate.limited`."""

    numbers: list[str]


class FoundNumbers(msgspec.Struct, frozen=True, array_like=True, tag=38):
    """Those that are registered, in the order in which they were asked for."""

    numbers: list[str]


class Bundle(msgspec.Struct, frozen=True, array_like=True, tag=8):
    number: str
    identity: bytes
    devices_version: int
    devices: list[DeviceBundle]


class SetPin(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """Set or clear (empty) the pin that a later claim of this number must show. → `Done`."""

    pin: str


class Done(msgspec.Struct, frozen=True, array_like=True, tag=10):
    pass


# ── several devices of a number, calls and what the relay says unasked ─────────────────────────────────────────────


class OpenSlot(msgspec.Struct, frozen=True, array_like=True, tag=18):
    """From a number's first device: make a place where a new device can meet it, once. → `SlotOpened`.

    An older slot of the account closes. Errors: `device.not_first`, `device.full`, `rate.limited`, `overloaded`.
    """


class SlotOpened(msgspec.Struct, frozen=True, array_like=True, tag=19):
    slot: bytes
    life_ms: int


class JoinSlot(msgspec.Struct, frozen=True, array_like=True, tag=20):
    """From a link key that has no number: hand *message* to the slot's first device. → `SlotAnswer`.

    It uses the slot up, however it ends. Errors: `slot.closed`, `slot.refused`, `rate.limited`.
    """

    slot: bytes
    message: bytes


class SlotAnswer(msgspec.Struct, frozen=True, array_like=True, tag=21):
    message: bytes


class SlotJoined(msgspec.Struct, frozen=True, array_like=True, tag=22):
    """To the first device: the holder of *link_key* says *message*; one-way, and `AnswerSlot` answers."""

    slot: bytes
    link_key: bytes
    message: bytes


class AnswerSlot(msgspec.Struct, frozen=True, array_like=True, tag=23):
    """Hand *message* to who joined, and let exactly *link_key* become a device; an empty one refuses. → `Done`.

    Errors: `slot.closed`.
    """

    slot: bytes
    link_key: bytes
    message: bytes


class LinkDevice(msgspec.Struct, frozen=True, array_like=True, tag=24):
    """Become a device of the number whose first device approved this link key in *slot*. → `Registered`.

    The prekeys have to be signed by the number's identity. Repeating it is harmless. Errors: `slot.closed`,
    `bundle.invalid`, `device.full`.
    """

    slot: bytes
    registration_id: int
    prekeys: PreKeyUpload


class ListDevices(msgspec.Struct, frozen=True, array_like=True, tag=25):
    """→ `DeviceList` of the caller's number."""


class ListedDevice(msgspec.Struct, frozen=True, array_like=True):
    """*seen_ms* is when it attached last, to a day; 0 where that is not known."""

    device: int
    seen_ms: int


class DeviceList(msgspec.Struct, frozen=True, array_like=True, tag=26):
    devices_version: int
    devices: list[ListedDevice]


class UnlinkDevice(msgspec.Struct, frozen=True, array_like=True, tag=27):
    """From the first device: cut *device* off. → `DeviceList`. Errors: `device.not_first`, `device.unknown`."""

    device: int


class DevicesChanged(msgspec.Struct, frozen=True, array_like=True, tag=28):
    """To every attached device of a number whose list changed; one-way."""

    devices_version: int
    devices: list[int]


# ── posts and mailbox items, one-way ───────────────────────────────────────────────────────────────────────────────


class Part(msgspec.Struct, frozen=True, array_like=True):
    """The ciphertext for one device."""

    device: int
    kind: int
    body: bytes


class Post(msgspec.Struct, frozen=True, array_like=True):
    """One message for every device of *to* in list *devices_version*; *id* (16 bytes) makes a repeat harmless.

    A post to the sender's own number leaves out the sender.
    """

    id: bytes
    to: str
    devices_version: int
    parts: list[Part]
    expires_ms: int = 0
    """Unix time after which it is reported `EXPIRED`; 0 for the relay's own limit."""


class PostBatch(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """Posts in order, under the sender's *commit_seq* (0 from a phone). Each gets a `PostResult`, in any order."""

    commit_seq: int
    posts: list[Post]


class PostResult(msgspec.Struct, frozen=True, array_like=True):
    id: bytes
    state: int
    at_ms: int
    retry_after_ms: int = 0
    """With `REFUSED`: the sender was too fast (`rate.limited`) and may go on after this time."""


class PostResults(msgspec.Struct, frozen=True, array_like=True, tag=12):
    results: list[PostResult]


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One item of a mailbox.

    *seq* names it on this connection only. For a message *sender* is whom the relay authenticated and *body* the
    ciphertext. From the relay itself (`DELIVERED`, `EXPIRED`, `FAILED`) *sender* is the device that it is about.
    """

    seq: int
    id: bytes
    kind: int
    sender: Address
    at_ms: int
    body: bytes = b""


class Deliver(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """Items in the mailbox's order; at most `MAX_UNACKED_ITEMS` are unacked at a time."""

    items: list[Item]


class Ack(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """These items are stored here for good; the relay may forget them."""

    seqs: list[int]


class Drained(msgspec.Struct, frozen=True, array_like=True, tag=15):
    """The backlog is delivered; what follows is live."""


class Evicted(msgspec.Struct, frozen=True, array_like=True, tag=16):
    """The relay hangs up: another connection took this place (`attach.superseded`) or the number (`number.taken`), or
    the device is none of the number's any more (`device.unlinked`)."""

    code: str


class PreKeysLow(msgspec.Struct, frozen=True, array_like=True, tag=17):
    """The one-time stock fell to its floor."""

    one_time_left: int
    one_time_kem_left: int


Message = (
    Register
    | Registered
    | Attach
    | Attached
    | PutPreKeys
    | PreKeyCount
    | FetchBundle
    | FindNumbers
    | FoundNumbers
    | Bundle
    | SetPin
    | Done
    | PostBatch
    | PostResults
    | Deliver
    | Ack
    | Drained
    | Evicted
    | PreKeysLow
    | OpenSlot
    | SlotOpened
    | JoinSlot
    | SlotAnswer
    | SlotJoined
    | AnswerSlot
    | LinkDevice
    | ListDevices
    | DeviceList
    | UnlinkDevice
    | DevicesChanged
    | blob.Message
)
