"""What a delivery means for messages that could not be read, ours and theirs (docs/protocol.md)."""

from corefast import metrics
from corefast.device.profile import Profile
from corefast.endpoint.resend import Ask, Draft, Outcome, identity_mark, is_curable
from corefast.store.database import Unit
from corefast.wire.content import ResendRequest
from corefast.wire.messages import Item


def count(outcome: Outcome, times: int = 1) -> None:
    """Count what became of a message that could not be decrypted."""
    metrics.device_resend.labels(outcome).inc(times)


class Repair(Draft):
    """The draft of the book that grows beside a unit."""

    def __init__(self, profile: Profile, unit: Unit) -> None:
        super().__init__(profile.book)
        self._profile = profile
        self._unit = unit

    def is_known_loss(self, item: Item, error: Exception) -> bool:
        """Take an unreadable *item* that was to bring a message which is recorded as unreadable: ask once more."""
        ask = self.awaited(item.sender.id, item.id)
        if ask is None or not is_curable(error):
            return False
        self._profile.resends.set_ask(self._unit, ask, ask.identity, is_due=True)
        self.add_again(ask)
        return True

    def ask(self, item: Item, identity: bytes | None, error: Exception) -> None:
        """Ask for a message that was recorded as unreadable, where another copy of it could help."""
        profile, sender = self._profile, item.sender.id
        if not is_curable(error) or not profile.book.life_ms:
            return
        if not self.may_ask(sender):
            count(Outcome.LIMITED)
            return
        mark = identity_mark(identity) if identity else b""
        ask = Ask(sender, item.sender.device, item.id, len(profile.book), mark, profile.clock())
        profile.resends.put_ask(self._unit, ask)
        self.add(ask)
        count(Outcome.DUE)

    def answer(self, sender: str, original: bytes, identity: bytes) -> Ask | None:
        """Return the ask that a message resent answers, once; None where it is to be passed over."""
        profile = self._profile
        ask = self.take(sender, original, identity)
        if ask is None:
            count(Outcome.UNASKED)
            return None
        profile.resends.delete_ask(self._unit, ask)
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
            self.add_debtor(sender.id)
