"""Slots: where a new device of a number meets the first one. In memory only: they live for minutes.

A slot carries one message each way, opaque here, and remembers which link key the first device approved.
"""

import asyncio
from collections.abc import Callable

from corefast.errors import Overloaded, ParameterInvalid, SlotClosed, SlotRefused
from corefast.limits import MAX_SLOT_MESSAGE_BYTES, MAX_SLOTS, SLOT_LIFE_MS
from corefast.relay.mailbox import Device
from corefast.wire.messages import AnswerSlot

SLOT_BYTES = 16

MAX_JOIN_BYTES = 512
"""Bytes of what a new device says: a handshake message and its link key."""

ANSWER_WAIT_S = 20.0
"""How long the first device may take to answer; a call waits for 30 s."""


class Slot:
    """One meeting: open, then joined by one link key, then approved; or closed at any point."""

    def __init__(self, id: bytes, owner: Device, expires_ms: int) -> None:
        self.id = id
        self.owner = owner
        self.expires_ms = expires_ms
        self.link_key = b""
        self.is_joined = self.is_approved = False
        self.answer: asyncio.Future[bytes] | None = None
        """What the first device will say, while somebody waits for it."""

    def join(self, link_key: bytes, message: bytes) -> "asyncio.Future[bytes]":
        """Use the slot up for *link_key*; return what the first device's answer will be."""
        if self.is_joined:
            raise SlotClosed("this code was used already; have the first device show a new one")
        if len(message) > MAX_JOIN_BYTES:
            raise ParameterInvalid(f"a slot takes at most {MAX_JOIN_BYTES} bytes of who joins")
        self.link_key, self.is_joined = link_key, True
        self.answer = asyncio.get_running_loop().create_future()
        return self.answer


class Slots:
    """All slots, in the order of their ends; at most one for each first device."""

    def __init__(self, clock: Callable[[], int], random: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random = random
        self._slots: dict[bytes, Slot] = {}
        self._of_owner: dict[int, Slot] = {}

    def open(self, owner: Device) -> bytes:
        """Return the id of a new slot of *owner*, whose older one closes."""
        now_ms = self._clock()
        self._expire(now_ms)
        if (old := self._of_owner.get(owner.row)) is not None:
            self.close(old)
        if len(self._slots) >= MAX_SLOTS:
            raise Overloaded("too many devices are being linked", retry_after_ms=60_000)
        slot = Slot(self._random(SLOT_BYTES), owner, now_ms + SLOT_LIFE_MS)
        self._slots[slot.id] = self._of_owner[owner.row] = slot
        return slot.id

    def find(self, id: bytes) -> Slot:
        """Return an open slot; raise `SlotClosed`."""
        self._expire(self._clock())
        slot = self._slots.get(id)
        if slot is None or slot.owner.is_gone:
            raise SlotClosed("this code was used already or is too old; have the first device show a new one")
        return slot

    async def answer(self, slot: Slot, answer: "asyncio.Future[bytes]") -> bytes:
        """Return what the first device says to who joined; raise `SlotRefused`."""
        try:
            message = await asyncio.wait_for(answer, ANSWER_WAIT_S)
        except TimeoutError:
            self.close(slot)
            message = b""
        slot.answer = None
        if not message:
            raise SlotRefused("the first device did not agree; have it show a new code")
        return message

    def settle(self, owner: Device, said: AnswerSlot) -> None:
        """Take the first device's answer to who joined; raise `SlotClosed` where nobody waits for it."""
        slot = self.find(said.slot)
        if slot.owner is not owner or slot.link_key != said.link_key or slot.answer is None or slot.answer.done():
            raise SlotClosed("nobody waits for this answer")
        if len(said.message) > MAX_SLOT_MESSAGE_BYTES:
            raise ParameterInvalid(f"a slot takes at most {MAX_SLOT_MESSAGE_BYTES} bytes of the first device")
        slot.is_approved = bool(said.message)
        slot.answer.set_result(said.message)
        if not slot.is_approved:
            self.close(slot)

    def approved(self, id: bytes, link_key: bytes) -> Slot:
        """Return the slot whose first device approved *link_key*; raise `SlotClosed`."""
        slot = self.find(id)
        if not slot.is_approved or slot.link_key != link_key:
            raise SlotClosed("the first device did not approve this link key")
        return slot

    def close(self, slot: Slot) -> None:
        """Forget a slot; who still waits in it is refused."""
        self._slots.pop(slot.id, None)
        if self._of_owner.get(slot.owner.row) is slot:
            del self._of_owner[slot.owner.row]
        if slot.answer is not None and not slot.answer.done():
            slot.answer.set_result(b"")

    def _expire(self, now_ms: int) -> None:
        while self._slots:
            oldest = next(iter(self._slots.values()))
            if oldest.expires_ms > now_ms:
                return
            self.close(oldest)
