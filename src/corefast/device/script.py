"""The phone for programs: one JSON object a line, in both directions (docs/phone.md)."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from corefast.address import canonical_number
from corefast.device.client import Device
from corefast.device.echo import echo
from corefast.device.event import (
    DevicesNews,
    Event,
    IdentityNews,
    Limited,
    LinkFailed,
    Offline,
    ReadElsewhere,
    Ready,
    Safety,
    StatusChanged,
    Stopped,
    TextReceived,
    TextSent,
    Unreadable,
)
from corefast.device.name import decode_id, encode_id
from corefast.device.stream import MAX_LINE_BYTES, Lines, Output
from corefast.errors import CorefastError, ParameterInvalid, RateLimited
from corefast.wire.messages import ListedDevice

MAX_RUNNING = 256
"""Commands that are being carried out at a time; further lines wait in the pipe."""


class Command(msgspec.Struct, frozen=True):
    """A line of the input: a text to send (an `id` of yours makes a repeat harmless), ids that were read, or a number.

    Of *safety* the safety number is told; the identity key that *accept* has is accepted. *link*, *devices* and
    *unlink* are about our own number's devices.
    """

    to: str = ""
    text: str = ""
    id: str = ""
    read: list[str] | None = None
    safety: str = ""
    accept: str = ""
    link: bool = False
    devices: bool = False
    unlink: int = 0


_decode_command = msgspec.json.Decoder(Command).decode
_encode = msgspec.json.Encoder().encode


class Script:
    """Tells what happens on stdout and takes commands from stdin."""

    def __init__(self, device: Device, *, has_echo: bool, offers_link: bool = False) -> None:
        self._device = device
        self._has_echo = has_echo
        self._offers_link = offers_link
        self._output = Output()
        self._running: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(MAX_RUNNING)

    async def tell(self) -> None:
        """Write events until the device ends; what was written counts as shown."""
        async for batch in self._device.batches():
            await self._output.write(b"".join(_line(fields_of(event)) for event in batch))
            if self._has_echo:
                await self._echo(batch)
            if self._offers_link and any(isinstance(event, Ready) for event in batch):
                self._offers_link = False
                await self._room.acquire()
                self._start(self._run(b'{"link":true}'))
            await self._device.mark_shown(batch)

    async def _echo(self, batch: list[Event]) -> None:
        lines: list[bytes] = []
        await echo(self._device, batch, lambda text, answer_id: lines.append(_line(_echo_fields(text, answer_id))))
        await self._output.write(b"".join(lines))

    async def obey(self) -> None:
        """Carry out the lines of stdin, in order; its end is no reason to stop."""
        async for line in Lines():
            if line.strip():
                await self._room.acquire()
                self._start(self._run(line))
        await asyncio.Event().wait()

    def _start(self, command: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(command)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._room.release()

    async def _run(self, line: bytes) -> None:
        try:
            command = _parse(line)
            if command.read is not None:
                await self._device.mark_read([decode_id(each) for each in command.read])
                return
            answer = await self._serve(command)
        except CorefastError as error:
            answer = {"event": "error", "code": error.code, "text": str(error)}
        await self._output.write(_line(answer))

    async def _serve(self, command: Command) -> dict[str, Any]:
        """Do what *command* says and return the line that answers it."""
        if command.link:
            offer = await self._device.offer_link()
            return {"event": "link", "code": offer.code, "expires_ms": offer.expires_ms}
        if command.devices:
            return self._device_fields(await self._device.devices())
        if command.unlink:
            return self._device_fields(await self._device.unlink(command.unlink))
        if number := command.safety or command.accept:
            if command.accept:
                await self._device.accept_identity(number)
            return _safety_fields(await self._device.safety(number))
        message_id = decode_id(command.id) if command.id else None
        sent = await self._device.send_text(command.to, command.text, message_id)
        return {"event": "accepted", "id": encode_id(sent), "to": canonical_number(command.to)}

    def _device_fields(self, devices: list[ListedDevice]) -> dict[str, Any]:
        ours = self._device.device
        listed = [{"device": d.device, "seen_ms": d.seen_ms, "is_this": d.device == ours} for d in devices]
        return {"event": "devices", "devices": listed}


def _parse(line: bytes) -> Command:
    """Return the command in *line*; raise `ParameterInvalid`."""
    if len(line) > MAX_LINE_BYTES:
        raise ParameterInvalid(f"a line has at most {MAX_LINE_BYTES} bytes")
    try:
        command = _decode_command(line)
    except (msgspec.DecodeError, RecursionError):
        raise ParameterInvalid('a line is {"to": number, "text": text} or {"read": [ids]}; see docs/phone.md') from None
    about = (command.safety, command.accept, command.link, command.devices, command.unlink)
    if sum(map(bool, (command.to, command.read is not None, *about))) != 1 or not 0 <= command.unlink < 1 << 16:
        raise ParameterInvalid(
            'a line has one of "to" with "text", "read", "safety", "accept", "link", "devices", "unlink"'
        )
    return command


def _line(fields: dict[str, Any]) -> bytes:
    return _encode(fields) + b"\n"


# ── events as JSON ─────────────────────────────────────────────────────────────────────────────────────────────────


def fields_of(event: Event) -> dict[str, Any]:
    """Return the JSON object of *event*."""
    writers: dict[type, Callable[[Any], dict[str, Any]]] = {
        Ready: lambda e: {"event": "ready", "number": e.number, "device": e.device},
        Offline: lambda e: {"event": "error", "code": e.code, "text": e.text},
        Limited: lambda e: {"event": "limited", "code": RateLimited.code, "retry_after_ms": e.retry_after_ms},
        Stopped: lambda e: {"event": "error", "code": e.code, "text": e.text},
        TextReceived: _text_fields,
        TextSent: _sent_fields,
        ReadElsewhere: lambda e: {"event": "read", "from": e.sender, "ids": [encode_id(each) for each in e.ids]},
        DevicesNews: lambda e: {"event": "devices_changed", "devices": e.devices},
        LinkFailed: lambda e: {"event": "link_failed", "code": e.code, "text": e.text},
        StatusChanged: _status_fields,
        Unreadable: lambda e: _stored_fields("unreadable", e) | {"code": e.code},
        IdentityNews: lambda e: _stored_fields("identity_changed", e),
    }
    return writers[type(event)](event)


def _text_fields(event: TextReceived) -> dict[str, Any]:
    fields: dict[str, Any] = {"event": "message", "from": event.sender, "id": encode_id(event.id), "type": "text"}
    fields |= {"text": event.text, "at_ms": event.at_ms}
    return fields | ({"name": event.name} if event.name else {})


def _sent_fields(event: TextSent) -> dict[str, Any]:
    fields: dict[str, Any] = {"event": "sent", "to": event.recipient, "id": encode_id(event.id), "type": "text"}
    return fields | {"text": event.text, "at_ms": event.at_ms, "device": event.device}


def _echo_fields(event: TextReceived, answer_id: bytes) -> dict[str, Any]:
    return {"event": "accepted", "id": encode_id(answer_id), "to": event.sender, "text": event.text}


def _safety_fields(safety: Safety) -> dict[str, Any]:
    return {"event": "safety"} | msgspec.structs.asdict(safety)


def _status_fields(event: StatusChanged) -> dict[str, Any]:
    fields: dict[str, Any] = {"event": "status", "id": encode_id(event.id), "to": event.recipient}
    fields |= {"status": event.status, "at_ms": event.at_ms}
    return fields | ({"code": event.code} if event.code else {})


def _stored_fields(name: str, event: Unreadable | IdentityNews) -> dict[str, Any]:
    return {"event": name, "from": event.sender, "id": encode_id(event.id), "at_ms": event.at_ms}
