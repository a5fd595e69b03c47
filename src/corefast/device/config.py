"""The phone's settings, and where it finds its home and its relay."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from corefast.device.connection import FindRelay
from corefast.device.link_code import LinkCode
from corefast.errors import LinkLost, SetupError
from corefast.net.client import RelayUrl, parse_relay_url

UP_FILE = "up.json"
UP_WAIT_S = 10.0
"""How long a phone that was started together with `corefast up` waits for it."""

_POLL_S = 0.1


class PhoneConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A phone in the terminal: it registers a number at the relay, receives, and sends what you type."""

    number: Annotated[str, Meta(description="the phone's own number, in international form; --home may know it")] = ""
    relay: Annotated[str, Meta(description="the relay's URL, corefast://host:port/#key")] = ""
    data: Annotated[str, Meta(description="folder of a running `corefast up`, instead of --relay")] = ""
    home: Annotated[str, Meta(description="folder for keys and messages; your data folder unless given")] = ""
    link: Annotated[str, Meta(description="become a further device of a number, by its first device's code")] = ""
    offer_link: Annotated[bool, Meta(description="show a code for a further device once online")] = False
    json: Annotated[bool, Meta(description="speak JSON lines on stdin and stdout")] = False
    echo: Annotated[bool, Meta(description="answer each text with the same text")] = False
    name: Annotated[str, Meta(description="profile name that goes with each message")] = ""
    code: Annotated[str, Meta(description="registration code, where the relay wants one")] = ""
    pin: Annotated[str, Meta(description="pin of the number, where it has one")] = ""
    replace: Annotated[bool, Meta(description="take the number over from another phone")] = False
    adopt_restored: Annotated[
        bool, Meta(description="let this restored copy of a home go on in place of the one it was copied from")
    ] = False
    identity_policy: Annotated[
        Literal["flag", "block"],
        Meta(description="when a peer's identity key changes: tell and go on, or send nothing until you accept it"),
    ] = "flag"
    resend_hours: Annotated[
        int, Meta(description="hours in which a message that could not be decrypted is sent once more; 0 never", ge=0)
    ] = 24
    master_key_file: Annotated[str, Meta(description="file of the key that seals the home")] = ""
    log_level: Annotated[str, Meta(description="debug, info, warning or error")] = "warning"


def home_of(config: PhoneConfig, number: str) -> Path:
    """Return the phone's folder: `--home`, or the number's below the user's data folder."""
    if config.home:
        return Path(config.home).expanduser()
    if not number:
        raise SetupError("phone needs --number, or --home with the folder of a phone")
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "corefast" / "phones" / number


def relay_of(config: PhoneConfig) -> FindRelay:
    """Return what finds the relay; raise `SetupError` unless exactly one of the two ways is given."""
    if config.link and not (config.relay or config.data):
        return _given(LinkCode.parse(config.link).relay)
    if bool(config.relay) == bool(config.data):
        raise SetupError("phone needs --relay URL, or --data DIR with the folder of a running `corefast up`")
    if config.relay:
        return _given(parse_relay_url(config.relay))
    return UpFolder(Path(config.data).expanduser()).find


def _given(url: RelayUrl) -> FindRelay:
    async def find() -> RelayUrl:
        return url

    return find


class _Up(msgspec.Struct):
    relay: str


class UpFolder:
    """The folder of a `corefast up`, which writes there where its relay is."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / UP_FILE

    async def find(self) -> RelayUrl:
        """Return the relay's URL as the file has it now; raise `LinkLost` while there is none."""
        try:
            return parse_relay_url(msgspec.json.decode(self._file.read_bytes(), type=_Up).relay)
        except (OSError, msgspec.DecodeError):
            raise LinkLost(f"{self._file} cannot be read; is `corefast up` running?") from None

    async def wait(self, wait_s: float = UP_WAIT_S) -> None:
        """Return once the file is there; raise `SetupError` after *wait_s*."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while not self._file.exists():
            if loop.time() > deadline:
                raise SetupError(f"there is no {self._file}; start `corefast up --data {self._file.parent}` first")
            await asyncio.sleep(_POLL_S)
