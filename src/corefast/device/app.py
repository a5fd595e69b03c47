"""Puts the phone together and runs it until it is told to stop."""

import asyncio
import contextlib
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

from corefast import config, logs, process
from corefast.address import canonical_number
from corefast.device.client import Device
from corefast.device.config import PhoneConfig, UpFolder, home_of, relay_of
from corefast.device.event import Stopped
from corefast.device.profile import Options
from corefast.device.script import Script
from corefast.device.terminal import Terminal
from corefast.endpoint.trust import Policy
from corefast.errors import NumberInvalid, SetupError

EXIT_REPLACED = 3
"""The number belongs to another phone, or this one was started a second time."""

_REPLACED_CODES = ("number.taken", "attach.superseded")


class Face(Protocol):
    """What a phone shows itself by."""

    async def tell(self) -> None:
        """Show what happens, to the end of the device."""

    async def obey(self) -> None:
        """Do what is said, to the end of the input if that means to leave."""


async def _run(settings: PhoneConfig, stop: asyncio.Event) -> Stopped | None:
    """Run the phone until *stop*; return why the relay ended it, if that is how it ended."""
    try:
        number = canonical_number(settings.number)
    except NumberInvalid as error:
        raise SetupError(f"--number: {error}") from None
    find_relay = relay_of(settings)
    if settings.data:
        await UpFolder(_folder(settings)).wait()
    options = Options(
        name=settings.name,
        code=settings.code,
        pin=settings.pin,
        replace=settings.replace,
        identity_policy=Policy(settings.identity_policy),
        resend_hours=settings.resend_hours,
        master_key_file=settings.master_key_file,
    )
    device = await Device.open(home_of(settings, number), find_relay, number, options)
    try:
        face: Face = (Script if settings.json else Terminal)(device, has_echo=settings.echo)
        await _until_first([face.tell(), face.obey(), stop.wait()])
    finally:
        await device.close()
    return device.end


def _folder(settings: PhoneConfig) -> Path:
    return Path(settings.data).expanduser()


async def _until_first(chores: Sequence[Coroutine[Any, Any, Any]]) -> None:
    """Run *chores* together until one of them ends; its error is ours, the others are cut short."""
    tasks = [asyncio.create_task(chore) for chore in chores]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def main(argv: Sequence[str]) -> int:
    """Run `corefast phone` and return its exit code."""
    ended: list[Stopped] = []

    async def run(stop: asyncio.Event) -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more: what was not shown is told next time
            end = await _run(settings, stop)
            if end is not None:
                ended.append(end)

    try:
        settings = config.load(PhoneConfig, "phone", argv)
        logs.setup("phone", settings.log_level)
    except SetupError as error:
        print(f"corefast: {error}", file=sys.stderr)
        return process.EXIT_SETUP
    code = process.run(run)
    if not ended:
        return code
    print(f"corefast: {ended[0].text}", file=sys.stderr)
    return EXIT_REPLACED if ended[0].code in _REPLACED_CODES else process.EXIT_SETUP
