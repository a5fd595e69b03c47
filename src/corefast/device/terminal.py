"""The phone for people: who wrote what and when, ticks for what you wrote, and a prompt."""

import asyncio
import sys
import time
import unicodedata
from collections import OrderedDict

from rich.console import Console
from rich.text import Text as Styled

from corefast.address import canonical_number, display_number
from corefast.device.client import Device
from corefast.device.echo import echo
from corefast.device.event import (
    DevicesNews,
    Event,
    IdentityNews,
    Limited,
    LinkFailed,
    LinkOffered,
    Offline,
    ReadElsewhere,
    Ready,
    StatusChanged,
    Stopped,
    TextReceived,
    TextSent,
    Unreadable,
)
from corefast.device.link_code import draw_qr
from corefast.device.profile import unix_ms
from corefast.device.stream import Lines
from corefast.errors import CorefastError
from corefast.wire.messages import ListedDevice

PROMPT = "> "
MAX_REMEMBERED = 1_000
"""Texts of ours whose beginnings are shown beside their ticks."""

_EXCERPT = 24
_NUMBER_SIGNS = set("0123456789+-()/.")
_TICKS = {"sent": "✓", "delivered": "✓✓", "read": "✓✓", "failed": "✗", "expired": "✗"}
_STYLES = {"sent": "dim", "delivered": "dim", "read": "bright_blue", "failed": "red", "expired": "red"}

HELP = """\
  type a text            it goes to the one you are talking with
  /to NUMBER [TEXT]      talk with NUMBER from now on
  /safety NUMBER         show the safety number that you and NUMBER compare
  /accept NUMBER         accept NUMBER's new identity key, once the safety numbers are the same
  /link                  show a code that makes another phone a device of your number
  /devices               list your number's devices
  /unlink N              cut one of them off
  /quit                  leave; what is under way goes on at the next start"""


class Terminal:
    """Shows events and takes what is typed."""

    def __init__(
        self, device: Device, *, has_echo: bool, offers_link: bool = False, console: Console | None = None
    ) -> None:
        self._device = device
        self._has_echo = has_echo
        self._offers_link = offers_link
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._is_typing = sys.stdin.isatty()
        self._partners: list[str] = []
        self._partner = ""
        self._texts: OrderedDict[bytes, str] = OrderedDict()
        self._was_online = False

    async def tell(self) -> None:
        """Show events until the device ends; shown messages are reported as read."""
        async for batch in self._device.batches():
            for event in batch:
                self._show(event)
                if self._offers_link and isinstance(event, Ready):
                    self._offers_link = False
                    await self._try("/link")
            if self._has_echo:
                await echo(self._device, batch)
            await self._device.mark_shown(batch)
            await self._device.mark_read([event.id for event in batch if isinstance(event, TextReceived)])

    async def obey(self) -> None:
        """Do what is typed, until /quit or the end of a terminal's input."""
        self._print(Styled("type /help for help", style="dim"))
        async for line in Lines():
            text = line.decode(errors="replace").strip()
            if text in ("/quit", "/exit"):
                return
            await self._try(text)
        if not self._is_typing:
            await asyncio.Event().wait()

    async def _try(self, text: str) -> None:
        try:
            await self._do(text)
        except CorefastError as error:
            self._print(Styled(str(error), style="red"))

    async def _do(self, text: str) -> None:
        if text == "/help":
            self._print(Styled(HELP))
        elif text == "/to" or text.startswith("/to "):
            await self._turn_to(text[3:].strip())
        elif text == "/safety" or text.startswith("/safety "):
            await self._show_safety(text[7:].strip() or self._partner)
        elif text == "/accept" or text.startswith("/accept "):
            await self._device.accept_identity(text[7:].strip())
            self._print(Styled("accepted", style="green"))
        elif text == "/link":
            self._show_code(await self._device.offer_link())
        elif text == "/devices":
            self._show_devices(await self._device.devices())
        elif text.startswith("/unlink "):
            await self._unlink(text[8:].strip())
        elif text.startswith("/"):
            self._print(Styled("unknown command; /help lists them", style="yellow"))
        elif text:
            await self._say(text)
        else:
            self._prompt()

    async def _turn_to(self, rest: str) -> None:
        """Read `NUMBER` or `NUMBER TEXT`; a number may have spaces, so the longest start that is one counts."""
        words = rest.split(" ")
        spelled = next((at for at, word in enumerate(words) if set(word) - _NUMBER_SIGNS), len(words))
        for count in range(spelled, 0, -1):
            try:
                self._partner = canonical_number(" ".join(words[:count]))
            except CorefastError:
                continue
            text = " ".join(words[count:]).strip()
            if text:
                await self._say(text)
            else:
                self._print(Styled(f"you are talking with {display_number(self._partner)}", style="dim"))
            return
        self._print(Styled("write /to and a number in international form, such as /to +49 30 23125000", style="yellow"))

    async def _show_safety(self, number: str) -> None:
        safety = await self._device.safety(number)
        groups = safety.safety_number.split(" ")
        lines = [" ".join(groups[at : at + 4]) for at in range(0, len(groups), 4)]
        who = display_number(safety.number)
        self._print(Styled(f"you and {who} see the same digits, or somebody stands between you:", style="dim"))
        self._print(Styled("  " + "\n  ".join(lines), style="bold"))
        if not safety.is_accepted:
            self._print(
                Styled(f"this identity key is new; /accept {safety.number} if the digits agree", style="yellow")
            )

    async def _unlink(self, number: str) -> None:
        if number.isascii() and number.isdecimal() and len(number) < 4:
            self._show_devices(await self._device.unlink(int(number)))
        else:
            self._print(Styled("write /unlink and the number of a device; /devices lists them", style="yellow"))

    async def _say(self, text: str) -> None:
        partner = self._partner or (self._partners[0] if len(self._partners) == 1 else "")
        if not partner:
            self._print(Styled("whom is that for? /to NUMBER says so", style="yellow"))
            return
        message_id = await self._device.send_text(partner, text)
        self._texts[message_id] = _excerpt(text)
        if len(self._texts) > MAX_REMEMBERED:
            self._texts.popitem(last=False)
        self._prompt()

    # ── showing ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _show(self, event: Event) -> None:
        match event:
            case Ready():
                self._show_ready()
            case Offline():
                self._was_online = False
                self._print(Styled(f"offline: {event.text}", style="yellow"))
            case Limited():
                self._print(Styled("sending faster than the relay allows; messages wait their turn", style="yellow"))
            case TextReceived():
                self._show_text(event)
            case StatusChanged():
                self._show_status(event)
            case Unreadable():
                who = display_number(event.sender)
                self._print(Styled(f"a message from {who} could not be decrypted ({event.code})", style="red"))
            case IdentityNews():
                who = display_number(event.sender)
                text = f"{who} has a new identity key: a new phone, or somebody else; /safety {event.sender} to compare"
                self._print(Styled(text, style="bold yellow"))
            case TextSent():
                line = Styled(time.strftime("%H:%M ", time.localtime(event.at_ms / 1_000)), style="dim")
                line.append(f"you to {display_number(event.recipient)}", style="bold")
                self._print(line.append(f"  {printable(event.text)}", style="default"))
            case DevicesNews():
                words = ", ".join(map(str, event.devices))
                self._print(Styled(f"your number's devices are now {words}", style="bold yellow"))
            case LinkFailed():
                self._print(Styled(f"linking failed: {event.text}", style="bold red"))
            case ReadElsewhere():
                pass
            case Stopped():
                self._print(Styled(printable(event.text), style="red"))

    def _show_ready(self) -> None:
        if not self._was_online:
            self._was_online = True
            self._print(Styled(f"{display_number(self._device.number)} is online", style="green"))

    def _show_text(self, event: TextReceived) -> None:
        if event.sender not in self._partners:
            self._partners.append(event.sender)
        who = display_number(event.sender)
        name = printable(event.name)
        line = Styled(time.strftime("%H:%M ", time.localtime(event.at_ms / 1_000)), style="dim")
        line.append(f"{name} ({who})" if name else who, style="bold cyan")
        line.append(f"  {printable(event.text)}", style="default")
        self._print(line)

    def _show_status(self, event: StatusChanged) -> None:
        excerpt = self._texts.get(event.id, "")
        words = [_TICKS[event.status], event.status, excerpt, f"({event.code})" if event.code else ""]
        self._print(Styled("      " + " ".join(filter(None, words)), style=_STYLES[event.status]))

    def _show_code(self, offer: LinkOffered) -> None:
        """Show a code as a picture and as text, on lines of its own so that it can be copied."""
        minutes = max(0, offer.expires_ms - unix_ms()) // 60_000
        self._print(Styled(f"give this to your other phone; it works once, for {minutes} minutes:", style="bold"))
        self._console.file.write(f"{draw_qr(offer.code)}\n{offer.code}\n")
        self._print(Styled("there: corefast phone --link CODE --home DIR. Whoever reads it reads along.", style="dim"))

    def _show_devices(self, devices: list[ListedDevice]) -> None:
        for each in devices:
            seen = time.strftime("last here %Y-%m-%d", time.localtime(each.seen_ms / 1_000)) if each.seen_ms else ""
            words = [str(each.device), "(first)" if each.device == 1 else "", seen]
            words.append("this one" if each.device == self._device.device else "")
            self._print(Styled("  ".join(filter(None, words))))

    def _print(self, line: Styled) -> None:
        """Print above the prompt. What is half typed stays in the terminal's own line buffer."""
        if self._is_typing and self._console.is_terminal:
            self._console.file.write("\r\x1b[K")
        self._console.print(line)
        self._prompt()

    def _prompt(self) -> None:
        if self._is_typing and self._console.is_terminal:
            self._console.file.write(PROMPT)
        self._console.file.flush()


def printable(text: str) -> str:
    """Return *text* without control characters: whoever writes to us must not steer our terminal."""
    return "".join(
        each if each == "\n" or unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Co") else "�" for each in text
    )


def _excerpt(text: str) -> str:
    line = printable(text).replace("\n", " ")
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"
