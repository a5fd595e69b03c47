"""What a delivery means for messages that could not be read, ours and theirs (docs/protocol.md)."""

from corefast import metrics
from corefast.device.profile import Profile
from corefast.endpoint.resend import Ask, Outcome, awaited_ids, identity_mark, is_curable
from corefast.store.database import Unit
from corefast.wire.content import ResendRequest
from corefast.wire.messages import Item


def count(outcome: Outcome, times: int = 1) -> None:
    """Count what became of a message that could not be decrypted."""
    metrics.device_resend.labels(outcome).inc(times)


class Repair:
    """Grows beside a unit: `done` after its commit, `undo` where it failed."""

    def __init__(self, profile: Profile, unit: Unit) -> None:
        self._profile = profile
        self._unit = unit
        self._asked: list[Ask] = []
        self._awaited: dict[tuple[str, bytes], Ask] = {}
        self._again: list[Ask] = []
        self._answered: list[Ask] = []
        self._debtors: set[str] = set()

    @property
    def peers(self) -> set[str]:
        """Peers to whom something is due after the commit."""
        return {ask.peer for ask in self._asked + self._again} | self._debtors

    def is_known_loss(self, item: Item, error: Exception) -> bool:
        """Take an unreadable *item* that was to bring a message which is recorded as unreadable: ask once more."""
        ask = self._profile.book.awaited(item.sender.id, item.id) or self._awaited.get((item.sender.id, item.id))
        if ask is None or not is_curable(error):
            return False
        self._profile.resends.set_ask(self._unit, ask, ask.identity, is_due=True)
        self._again.append(ask)
        return True

    def ask(self, item: Item, identity: bytes | None, error: Exception) -> None:
        """Ask for a message that was recorded as unreadable, where another copy of it could help."""
        profile, sender = self._profile, item.sender.id
        if not is_curable(error) or not profile.book.life_ms:
            return
        if not profile.book.may_ask(sender, sum(ask.peer == sender for ask in self._asked)):
            count(Outcome.LIMITED)
            return
        mark = identity_mark(identity) if identity else b""
        ask = Ask(sender, item.sender.device, item.id, len(profile.book), mark, profile.clock())
        profile.resends.put_ask(self._unit, ask)
        self._asked.append(ask)
        self._awaited |= dict.fromkeys(((ask.peer, envelope_id) for envelope_id in awaited_ids(ask.id)), ask)
        count(Outcome.DUE)

    def answer(self, sender: str, original: bytes, identity: bytes) -> Ask | None:
        """Return the ask that a message resent answers, once; None where it is to be passed over."""
        profile = self._profile
        ask = profile.book.find(sender, original, identity)
        if ask is None:
            count(Outcome.UNASKED)
            return None
        profile.book.remove(ask)
        profile.resends.delete_ask(self._unit, ask)
        self._answered.append(ask)
        count(Outcome.REPAIRED)
        return ask

    def owe(self, item: Item, request: ResendRequest) -> None:
        """Note which of our messages a device could not read."""
        profile, sender = self._profile, item.sender
        now_ms = profile.clock()
        ids, outcome = profile.book.take_request(sender.id, request.ids, now_ms)
        if outcome is not None:
            count(outcome)
        for message_id in ids:
            profile.resends.owe(self._unit, sender.id, sender.device, message_id, now_ms)
            self._debtors.add(sender.id)

    def done(self) -> None:
        book = self._profile.book
        for ask in self._asked:
            book.add(ask)
        for ask in self._again:
            ask.is_due = True
        book.debtors |= self._debtors

    def undo(self) -> None:
        for ask in self._answered:
            self._profile.book.add(ask)
