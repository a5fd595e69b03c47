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
from corefast.device.connection import FindRelay
from corefast.device.event import Stopped
from corefast.device.linking import link
from corefast.device.profile import Options
from corefast.device.script import Script
from corefast.device.terminal import Terminal
from corefast.endpoint.trust import Policy
from corefast.errors import BusyError, LinkCodeInvalid, NumberInvalid, PeerError, RemoteRefused, SetupError

EXIT_REPLACED = 3
"""The number belongs to another phone, or this one was started a second time."""

_REPLACED_CODES = ("number.taken", "attach.superseded", "device.unlinked")


class Face(Protocol):
    """What a phone shows itself by."""

    async def tell(self) -> None:
        """Show what happens, to the end of the device."""

    async def obey(self) -> None:
        """Do what is said, to the end of the input if that means to leave."""


async def _run(settings: PhoneConfig, stop: asyncio.Event) -> Stopped | None:
    """Run the phone until *stop*; return why the relay ended it, if that is how it ended."""
    number = _number(settings)
    find_relay = _find_relay(settings)
    home = home_of(settings, number)
    if settings.data:
        await UpFolder(_folder(settings)).wait()
    options = Options(
        name=settings.name,
        code=settings.code,
        pin=settings.pin,
        replace=settings.replace,
        adopt_restored=settings.adopt_restored,
        identity_policy=Policy(settings.identity_policy),
        resend_hours=settings.resend_hours,
        master_key_file=settings.master_key_file,
    )
    if settings.link:
        number = await _link(home, settings.link, options)
    device = await Device.open(home, find_relay, number, options)
    try:
        kind = Script if settings.json else Terminal
        face: Face = kind(device, has_echo=settings.echo, offers_link=settings.offer_link)
        await _until_first([face.tell(), face.obey(), stop.wait()])
    finally:
        await device.close()
    return device.end


def _number(settings: PhoneConfig) -> str:
    """Return the number in its one form; empty where the home knows it, or the first device."""
    if settings.link and settings.number:
        raise SetupError("--link says which number it is; leave --number out")
    try:
        return canonical_number(settings.number) if settings.number else ""
    except NumberInvalid as error:
        raise SetupError(f"--number: {error}") from None


def _find_relay(settings: PhoneConfig) -> FindRelay:
    try:
        return relay_of(settings)
    except LinkCodeInvalid as error:
        raise SetupError(f"--link: {error}") from None


async def _link(home: Path, code: str, options: Options) -> str:
    try:
        return await link(home, code, options)
    except (PeerError, RemoteRefused, BusyError) as error:
        raise SetupError(f"--link: {error} ({error.code})") from None


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
