"""Answers each text with the same text, once for each message, whatever dies in between."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable

from corefast.device.client import Device
from corefast.device.event import Event, MessageReceived
from corefast.device.name import ID_BYTES
from corefast.errors import BusyError
from corefast.limits import MAX_TEXT_CHARACTERS


def echo_id(our_number: str, message: MessageReceived) -> bytes:
    """Return the id of the answer: the same one whenever the same message is told again."""
    text = f"corefast echo\0{our_number}\0{message.sender}\0".encode()
    return hashlib.sha256(text + message.id).digest()[:ID_BYTES]


Tell = Callable[[MessageReceived, bytes], None]


async def echo(device: Device, events: Iterable[Event], tell: Tell = lambda text, answer_id: None) -> None:
    """Answer the texts among *events*, durably, and report all messages as read.

    Not what is said in a group: two that echo there would never come to an end.

    Waits while too much waits for the relay. *tell* hears of each text that is answered and of the answer's id.
    """
    messages = [event for event in events if isinstance(event, MessageReceived)]
    texts = [message for message in messages if message.text and message.group is None]
    while messages:
        try:
            await asyncio.gather(*(_answer(device, text) for text in texts))
            await device.mark_read([message.id for message in messages])
            for text in texts:
                tell(text, echo_id(device.number, text))
            return
        except BusyError as busy:
            await asyncio.sleep(busy.retry_after_ms / 1_000)


async def _answer(device: Device, message: MessageReceived) -> None:
    text = message.text[:MAX_TEXT_CHARACTERS]
    await device.send_text(message.sender, text, echo_id(device.number, message))
