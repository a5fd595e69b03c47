"""What a terminal has shown: messages by their numbers on the screen, and a few words of each by its id."""

from collections import OrderedDict
from typing import Any

from corefast.device.event import MessageReceived, MessageSent
from corefast.device.view import gist
from corefast.errors import ParameterInvalid

MAX_REMEMBERED = 1_000

Message = MessageReceived | MessageSent


class Memory:
    """Remembers the last `MAX_REMEMBERED` messages, and what we sent besides."""

    def __init__(self) -> None:
        self._count = 0
        self._shown: OrderedDict[int, Message] = OrderedDict()
        self._ours: OrderedDict[tuple[str | bytes, bytes], str] = OrderedDict()
        self._theirs: OrderedDict[tuple[str | bytes, bytes], str] = OrderedDict()

    def add(self, message: Message) -> int:
        """Return the number that *message* has from now on."""
        self._count += 1
        self._shown[self._count] = message
        _trim(self._shown)
        self.note(message)
        return self._count

    def get(self, number: str) -> Message:
        """Return the message that was shown as *number*, with or without a `#`; raise `ParameterInvalid`."""
        digits = number.removeprefix("#")
        found = self._shown.get(int(digits)) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None
        if found is None:
            raise ParameterInvalid("say which message: the number behind the # before it")
        return found

    def note(self, message: Message) -> None:
        """Remember what a message says, in a few words; nobody else's message takes the place of ours."""
        memory = self._ours if isinstance(message, MessageSent) else self._theirs
        memory[message.peer, message.id] = gist(message.body)
        _trim(memory)

    def note_sent(self, recipient: str | bytes, message_id: bytes, words: str) -> None:
        """Remember what we sent."""
        self._ours[recipient, message_id] = words
        _trim(self._ours)

    def sent(self, recipient: str | bytes, message_id: bytes) -> str:
        """Return the words of a message of ours; empty where they are not remembered."""
        return self._ours.get((recipient, message_id), "")

    def words(self, peer: str | bytes, message_id: bytes) -> str:
        """Return the words of a message between us and *peer*, or in it; empty where they are not remembered."""
        return self.sent(peer, message_id) or self._theirs.get((peer, message_id), "")


def _trim(memory: OrderedDict[Any, Any]) -> None:
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)
