"""Asking for messages that could not be decrypted, and answering such requests: the rules that both ends share.

Knows no store, no session and no socket. A peer is its number here.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

import msgspec

from corefast.errors import (
    CiphertextInvalid,
    ContentMalformed,
    GroupUnknown,
    MessageGapTooLarge,
    MessageMacInvalid,
    MessageMalformed,
    MessageReplayed,
    PreKeyUnknown,
    SessionMissing,
    SignatureInvalid,
)
from corefast.limits import (
    MAX_DEVICES,
    MAX_OPEN_ASKS,
    MAX_RESEND_ANSWERS,
    MAX_RESEND_IDS,
    MAX_RESENDS,
    RESEND_REQUESTS,
)
from corefast.wire.content import Content, decode_content

HOUR_MS = 3_600_000
ID_BYTES = 16
MARK_BYTES = 16

MAX_SERIAL = MAX_RESENDS * MAX_DEVICES
"""How often a message is encrypted once more, for all devices of a number together."""

RESENDS_AT_ONCE = 16
"""Messages resent by one unit."""

_FIRST_GAP_MS = 1_000
_FIRST_RETRY_MS, _LAST_RETRY_MS = 1_000, 300_000
_CURABLE = (
    SessionMissing,
    PreKeyUnknown,
    MessageMacInvalid,
    MessageGapTooLarge,
    CiphertextInvalid,
    MessageMalformed,
    MessageReplayed,
    SignatureInvalid,
    GroupUnknown,
)


class Outcome(StrEnum):
    """What became of an unreadable message (the first seven) or of one that we were asked for; labels of a metric."""

    DUE = "due"
    LIMITED = "limited"
    ASKED = "asked"
    REPAIRED = "repaired"
    UNASKED = "unasked"
    """A message resent that we did not ask for, not under this identity, or have already."""
    STRANGER = "stranger"
    """Not asked for: the peer's identity key has changed since."""
    LOST = "lost"
    """Asked for in vain until it was too old."""
    RESENT = "resent"
    OFF = "refused_off"
    RATE = "refused_rate"
    UNKNOWN = "refused_unknown"
    IDENTITY = "refused_identity"
    AGE = "refused_age"
    DONE = "refused_done"
    """It was read, or has failed."""
    LIMIT = "refused_limit"
    DAMAGED = "refused_damaged"


@lru_cache(65_536)
def identity_mark(identity: bytes) -> bytes:
    """Return 16 bytes that stand for a public identity key (33 bytes) in a row."""
    return sha256(b"corefast resend identity" + identity).digest()[:MARK_BYTES]


def derive_resend_id(message_id: bytes, serial: int) -> bytes:
    """Return the id of the envelope that carries a message for the *serial*-th time more, to whichever device.

    It is the same after a crash, so the relay passes it on once, and the one who asked recognises it unread. A resend
    goes to all devices of a number: what one of them has seen must not have the id of what another asks for later.
    """
    return sha256(b"corefast resend" + bytes([serial]) + message_id).digest()[:ID_BYTES]


def resend_of(content: Content, sent_as: bytes, serial: int) -> tuple[bytes, Content]:
    """Return the envelope's id and the content of the *serial*-th resend of what left under the id *sent_as*.

    A group's content keeps its own id, which is the same for all members.
    """
    envelope_id = derive_resend_id(sent_as, serial)
    own_id = envelope_id if content.group is None else content.id
    return envelope_id, msgspec.structs.replace(content, id=own_id, resent=sent_as)


def resend_from(stored: bytes | None, sent: "Sent | None", sent_as: bytes) -> tuple[bytes, Content] | None:
    """Return the next resend of an encoded content that left under the id *sent_as*; None where it is lost."""
    if stored is None or sent is None:
        return None
    try:
        content = decode_content(stored)
    except ContentMalformed:
        return None
    return resend_of(content, sent_as, sent.serial)


def retry_ms(failures: int) -> int:
    """Return how long to wait after so many failures in a row, from 1 on."""
    return int(min(_FIRST_RETRY_MS << min(failures - 1, 10), _LAST_RETRY_MS))


def awaited_ids(message_id: bytes) -> list[bytes]:
    """Return the ids of all envelopes that may carry a message once more."""
    return [derive_resend_id(message_id, serial) for serial in range(1, MAX_SERIAL + 1)]


def is_curable(error: Exception) -> bool:
    """Tell whether the same message under a new session would be readable: not after a wrong content.

    The owner has passed over messages that it knows. A used counter under a new id is a sender whose sessions are
    those of an older copy.
    """
    return isinstance(error, _CURABLE)


class Ask(msgspec.Struct):
    """A message of *peer* that we could not read and want: `row` is ours, `id` its author's."""

    peer: str
    device: int
    id: bytes
    row: int
    identity: bytes
    """Mark of the identity that its author had; empty while we know none."""
    made_ms: int
    is_due: bool = True


class Budget(msgspec.Struct):
    """How often one peer was asked, in the hour that began at `window_ms`."""

    window_ms: int = 0
    requests: int = 0
    session_ms: int = 0
    """When a new session was last made for a request."""

    def wait_ms(self, now_ms: int) -> int:
        """Return how long the next request has to wait."""
        if not 0 <= now_ms - self.window_ms < HOUR_MS:
            return 0
        gap = HOUR_MS if self.requests >= RESEND_REQUESTS else _FIRST_GAP_MS * ((1 << self.requests) - 1)
        return max(0, self.window_ms + gap - now_ms)

    def wants_session(self, now_ms: int) -> bool:
        """Tell whether a request may, and so should, come in a session of its own."""
        return not 0 <= now_ms - self.session_ms < HOUR_MS

    def spend(self, now_ms: int, *, has_new_session: bool) -> "Budget":
        """Return the budget after a request."""
        is_open = 0 <= now_ms - self.window_ms < HOUR_MS
        session_ms = now_ms if has_new_session else self.session_ms
        return Budget(self.window_ms if is_open else now_ms, self.requests + 1 if is_open else 1, session_ms)


class Sent(msgspec.Struct, frozen=True):
    """A message of ours that a peer asks for: to whom it was first encrypted, and what became of it since."""

    identity: bytes | None
    at_ms: int
    is_done: bool
    times: int
    """Which resend to the device that asks this would be."""
    serial: int
    """Which resend to any device this would be; the same for all that ask now."""


def refusal(sent: Sent | None, their_identity: bytes | None, now_ms: int, life_ms: int) -> Outcome | None:
    """Return why a message is not resent to the one whose identity key is *their_identity*; None where it is."""
    if sent is None:
        return Outcome.UNKNOWN
    if sent.identity is None or their_identity is None or sent.identity != identity_mark(their_identity):
        return Outcome.IDENTITY
    if not now_ms - life_ms < sent.at_ms <= now_ms + life_ms:
        return Outcome.AGE
    if sent.is_done:
        return Outcome.DONE
    return Outcome.LIMIT if sent.times > MAX_RESENDS or sent.serial > MAX_SERIAL else None


class Book:
    """The open asks in memory, and how much each peer was asked and may ask; the store holds the same."""

    def __init__(self, life_ms: int) -> None:
        self.life_ms = life_ms
        """How long a message may be asked for; 0 turns all of it off."""
        self.budgets: dict[str, Budget] = {}
        self.debtors: set[str] = set()
        """Peers to whom a resend is due."""
        self._asks: dict[tuple[str, bytes], Ask] = {}
        self._awaited: dict[tuple[str, bytes], Ask] = {}
        self._of_peer: dict[str, set[bytes]] = {}
        self._answers: dict[str, Budget] = {}

    def __len__(self) -> int:
        return len(self._asks)

    def may_ask(self, peer: str, more: int) -> bool:
        """Tell whether another message of *peer* may be asked for, with *more* about to be added."""
        if not self.life_ms or len(self._asks) + more >= MAX_OPEN_ASKS:
            return False
        return len(self._of_peer.get(peer, ())) + more < MAX_RESEND_IDS

    def add(self, ask: Ask) -> None:
        self._asks[ask.peer, ask.id] = ask
        for envelope_id in awaited_ids(ask.id):
            self._awaited[ask.peer, envelope_id] = ask
        self._of_peer.setdefault(ask.peer, set()).add(ask.id)

    def remove(self, ask: Ask) -> None:
        if self._asks.pop((ask.peer, ask.id), None) is None:
            return
        for envelope_id in awaited_ids(ask.id):
            self._awaited.pop((ask.peer, envelope_id), None)
        theirs = self._of_peer[ask.peer]
        theirs.discard(ask.id)
        if not theirs:
            del self._of_peer[ask.peer]

    def has(self, ask: Ask) -> bool:
        """Tell whether *ask* is still open."""
        return self._asks.get((ask.peer, ask.id)) is ask

    def find(self, peer: str, message_id: bytes, identity: bytes) -> Ask | None:
        """Return the ask that a message resent under *identity* answers."""
        ask = self._asks.get((peer, message_id))
        return ask if ask is not None and ask.identity == identity_mark(identity) else None

    def awaited(self, peer: str, envelope_id: bytes) -> Ask | None:
        """Return the ask that this envelope, which we cannot read, should have answered."""
        return self._awaited.get((peer, envelope_id))

    def due(self, peer: str) -> list[Ask]:
        """Return what has to be asked for."""
        asks = (self._asks[peer, message_id] for message_id in self._of_peer.get(peer, ()))
        return sorted((ask for ask in asks if ask.is_due), key=lambda ask: ask.row)

    def busy(self) -> set[str]:
        """Return the peers to whom something is due."""
        return {ask.peer for ask in self._asks.values() if ask.is_due} | self.debtors

    def old(self, now_ms: int) -> list[Ask]:
        """Return the asks that nobody needs to answer any more."""
        return [ask for ask in self._asks.values() if now_ms - ask.made_ms > self.life_ms]

    def take_request(self, peer: str, ids: Iterable[bytes], now_ms: int) -> tuple[list[bytes], Outcome | None]:
        """Return which of the *ids* that *peer* asks for are to be looked up, and why the others are not."""
        if not self.life_ms:
            return [], Outcome.OFF
        budget = self._answers.get(peer, Budget())
        is_open = 0 <= now_ms - budget.window_ms < HOUR_MS
        if is_open and budget.requests >= MAX_RESEND_ANSWERS:
            return [], Outcome.RATE
        if len(self._answers) >= MAX_OPEN_ASKS and peer not in self._answers:
            self._answers = {each: spent for each, spent in self._answers.items() if now_ms - spent.window_ms < HOUR_MS}
        if len(self._answers) >= MAX_OPEN_ASKS and peer not in self._answers:
            return [], Outcome.RATE
        self._answers[peer] = budget.spend(now_ms, has_new_session=False)
        return list(dict.fromkeys(each for each in ids if len(each) == ID_BYTES)), None


class Draft:
    """What received items change in a book: `done` after the commit of their unit, `undo` where that failed."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._asked: list[Ask] = []
        self._awaited: dict[tuple[str, bytes], Ask] = {}
        self._again: list[Ask] = []
        self._answered: list[Ask] = []
        self._debtors: set[str] = set()

    @property
    def peers(self) -> set[str]:
        """Peers to whom something is due after the commit."""
        return {ask.peer for ask in self._asked + self._again} | self._debtors

    def awaited(self, peer: str, envelope_id: bytes) -> Ask | None:
        """Return the ask that this envelope, which we cannot read, should have answered."""
        return self._book.awaited(peer, envelope_id) or self._awaited.get((peer, envelope_id))

    def may_ask(self, peer: str) -> bool:
        """Tell whether another message of *peer* may be asked for."""
        return self._book.may_ask(peer, sum(ask.peer == peer for ask in self._asked))

    def add(self, ask: Ask) -> None:
        self._asked.append(ask)
        self._awaited |= dict.fromkeys(((ask.peer, envelope_id) for envelope_id in awaited_ids(ask.id)), ask)

    def add_again(self, ask: Ask) -> None:
        """Ask once more: what came for *ask* was unreadable, too."""
        self._again.append(ask)

    def add_debtor(self, peer: str) -> None:
        self._debtors.add(peer)

    def take(self, peer: str, message_id: bytes, identity: bytes) -> Ask | None:
        """Return the ask that a message resent under *identity* answers, once: it is out of the book then."""
        ask = self._book.find(peer, message_id, identity)
        if ask is not None:
            self._book.remove(ask)
            self._answered.append(ask)
        return ask

    def done(self) -> None:
        for ask in self._asked:
            self._book.add(ask)
        for ask in self._again:
            ask.is_due = True
        self._book.debtors |= self._debtors

    def undo(self) -> None:
        for ask in self._answered:
            self._book.add(ask)
