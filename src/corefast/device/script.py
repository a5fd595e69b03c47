"""The phone for programs: one JSON object a line, in both directions (docs/phone.md)."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from corefast.address import canonical_number
from corefast.device.client import Device
from corefast.device.command import Command, parse, saying_of
from corefast.device.echo import echo
from corefast.device.event import Event, MessageReceived, Ready
from corefast.device.groups import GroupView
from corefast.device.line import Fields, fields_of, group_fields, line_of, safety_fields
from corefast.device.name import decode_id, encode_id
from corefast.device.stream import Lines, Output
from corefast.errors import CorefastError, MessageUnknown
from corefast.wire.messages import ListedDevice

MAX_RUNNING = 256
"""Commands that are being carried out at a time; further lines wait in the pipe."""


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
            await self._output.write(b"".join(line_of(fields_of(event)) for event in batch))
            if self._has_echo:
                await self._echo(batch)
            if self._offers_link and any(isinstance(event, Ready) for event in batch):
                self._offers_link = False
                await self._room.acquire()
                self._start(self._run(b'{"link":true}'))
            await self._device.mark_shown(batch)

    async def _echo(self, batch: list[Event]) -> None:
        lines: list[bytes] = []
        await echo(self._device, batch, lambda text, answer_id: lines.append(line_of(_echo_fields(text, answer_id))))
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
            command = parse(line)
            if command.read is not None:
                await self._device.mark_read([decode_id(each) for each in command.read])
                return
            answer = await self._serve(command)
        except CorefastError as error:
            answer = {"event": "error", "code": error.code, "text": str(error)}
        await self._output.write(line_of(answer))

    async def _serve(self, command: Command) -> Fields:
        """Do what *command* says and return the line that answers it."""
        if command.link:
            offer = await self._device.offer_link()
            return {"event": "link", "code": offer.code, "expires_ms": offer.expires_ms}
        if command.devices:
            return self._device_fields(await self._device.devices())
        if command.unlink:
            return self._device_fields(await self._device.unlink(command.unlink))
        if command.save is not None:
            message = await self._device.message(command.save.peer, decode_id(command.save.message))
            if message is None:
                raise MessageUnknown("save: no message with this id is known between you and this number, or group")
            path = await self._device.save_file(message, command.save.path)
            return {"event": "saved", "id": command.save.message, "path": str(path)}
        if number := command.safety or command.accept:
            if command.accept:
                await self._device.accept_identity(number)
            return safety_fields(await self._device.safety(number))
        if (groups := await self._change_groups(command)) is not None:
            return {"event": "groups", "groups": [group_fields(group) for group in groups]}
        sent = await self._send(command)
        to = {"group": command.group} if command.group else {"to": canonical_number(command.to)}
        return {"event": "accepted", "id": encode_id(sent)} | to

    async def _change_groups(self, command: Command) -> list[GroupView] | None:
        """Do what *command* says about groups and return them; None where it says nothing about them."""
        groups = self._device.groups
        if command.groups:
            return await groups.known()
        if command.found is not None:
            return [await groups.found(command.found.subject, command.found.members, command.message_id)]
        if command.add is not None:
            return [await groups.add(decode_id(command.add.group), command.add.members)]
        if command.remove is not None:
            return [await groups.remove(decode_id(command.remove.group), command.remove.members)]
        if command.rename is not None:
            return [await groups.rename(decode_id(command.rename.group), command.rename.subject)]
        if command.leave:
            return [await groups.leave(decode_id(command.leave))]
        return None

    async def _send(self, command: Command) -> bytes:
        device, reply_to = self._device, command.reply_to
        if command.file is not None:
            file, said = command.file
            return await device.send_file(
                command.recipient,
                file.path,
                said,
                mime=file.mime_type,
                reply_to=reply_to,
                message_id=command.message_id,
            )
        if command.choose is None:
            return await device.send(
                command.recipient, saying_of(command), reply_to=reply_to, message_id=command.message_id
            )
        message = await device.message(command.recipient, decode_id(command.choose.message))
        if not isinstance(message, MessageReceived):
            raise MessageUnknown("choose: no message with this id came from this number, or in this group")
        return await device.choose(message, command.choose.option, command.message_id)

    def _device_fields(self, devices: list[ListedDevice]) -> Fields:
        ours = self._device.device
        listed = [{"device": d.device, "seen_ms": d.seen_ms, "is_this": d.device == ours} for d in devices]
        return {"event": "devices", "devices": listed}


def _echo_fields(event: MessageReceived, answer_id: bytes) -> Fields:
    return {"event": "accepted", "id": encode_id(answer_id), "to": event.sender, "text": event.text}
