"""The phone for people: who wrote what and when, ticks for what you wrote, and a prompt."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.text import Text as Styled

from corefast.address import display_number
from corefast.device.choice import Choice, choices_of
from corefast.device.client import Device
from corefast.device.echo import echo
from corefast.device.event import (
    DevicesNews,
    Event,
    GroupChanged,
    IdentityNews,
    Limited,
    LinkFailed,
    LinkOffered,
    MessageReceived,
    MessageSent,
    Offline,
    ReadElsewhere,
    Ready,
    StatusChanged,
    Stopped,
    Unreadable,
)
from corefast.device.group_command import GroupCommands, describe, label
from corefast.device.groups import GroupView
from corefast.device.link_code import draw_qr
from corefast.device.memory import Memory
from corefast.device.profile import unix_ms
from corefast.device.stream import Lines
from corefast.device.typed import attachment_of, contact_of, file_of, location_of, split_number
from corefast.device.view import draw, excerpt, gist, printable
from corefast.errors import CorefastError, ParameterInvalid
from corefast.wire.body import Reaction, Saying, Text
from corefast.wire.messages import ListedDevice

PROMPT = "> "
MAX_NAME_CHARACTERS = 64

_TICKS = {"sent": "✓", "delivered": "✓✓", "read": "✓✓", "failed": "✗", "expired": "✗"}
_STYLES = {"sent": "dim", "delivered": "dim", "read": "bright_blue", "failed": "red", "expired": "red"}

HELP = """\
  type a text            it goes to the one you are talking with
  type a number          choose that button or row of the last message that offers some
  /to NUMBER [TEXT]      talk with NUMBER from now on
  /reply N TEXT          answer message #N
  /react N [EMOJI]       put an emoji on message #N; without one, take it back
  /choose [N] K          choose the Kth button or row, of message #N
  /location LAT LON [NAME]   send a place
  /contact NAME NUMBER   send a contact card
  /send FILE [CAPTION]   send a picture or any other file; a name with spaces goes in quotes
  /save N [PATH]         save the file of message #N, here or in PATH
  /safety NUMBER         show the safety number that you and NUMBER compare
  /accept NUMBER         accept NUMBER's new identity key, once the safety numbers are the same
  /link                  show a code that makes another phone a device of your number
  /devices               list your number's devices
  /unlink N              cut one of them off
  /groups                list your groups
  /group N [TEXT]        talk in group N of that list from now on
  /new SUBJECT: NUMBER, NUMBER …   found a group
  /members               list who is in the group that you talk in
  /add NUMBER, /remove NUMBER      change the group that you talk in; its founder only
  /rename SUBJECT        call it otherwise
  /leave                 leave it
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
        self._partners: list[str | bytes] = []
        self._partner: str | bytes = ""
        self._memory = Memory()
        self._menu: MessageReceived | None = None
        """The last message that offers something to choose from, until it was answered."""
        self._was_online = False
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "/help": self._help,
            "/to": self._turn_to,
            "/reply": self._reply,
            "/react": self._react,
            "/choose": self._choose,
            "/location": self._send_location,
            "/contact": self._send_contact,
            "/send": self._send_file,
            "/save": self._save_file,
            "/safety": self._show_safety,
            "/accept": self._accept,
            "/link": self._link,
            "/devices": self._list_devices,
            "/unlink": self._unlink,
            **GroupCommands(device, self._print, self._to, self._enter).commands,
        }

    async def tell(self) -> None:
        """Show events until the device ends; shown messages are reported as read."""
        async for batch in self._device.batches():
            for event in batch:
                await self._recall(event)
                self._show(event)
                if self._offers_link and isinstance(event, Ready):
                    self._offers_link = False
                    await self._try("/link")
            if self._has_echo:
                await echo(self._device, batch)
            await self._device.mark_shown(batch)
            await self._device.mark_read([event.id for event in batch if isinstance(event, MessageReceived)])

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
        word, _, rest = text.partition(" ")
        if text.startswith("/"):
            command = self._commands.get(word)
            if command is None:
                raise ParameterInvalid("unknown command; /help lists them")
            await command(rest.strip())
        elif self._menu is not None and self._menu.peer == self._to() and _is_within(text, choices_of(self._menu.body)):
            await self._choose(text)
        elif text:
            await self._send(Text(text))
        else:
            self._prompt()

    async def _help(self, rest: str) -> None:
        self._print(Styled(HELP))

    async def _turn_to(self, rest: str) -> None:
        number, text = split_number(rest)
        if not number:
            raise ParameterInvalid("write /to and a number in international form, such as /to +49 30 23125000")
        self._partner = number
        if text:
            await self._send(Text(text))
        else:
            self._print(Styled(f"you are talking with {display_number(number)}", style="dim"))

    async def _enter(self, group: GroupView, text: str) -> None:
        """Talk in a group from now on."""
        self._partner = group.id
        if text:
            await self._send(Text(text))
        else:
            self._print(Styled(f"you are talking in {label(group.subject)}", style="dim"))

    async def _reply(self, rest: str) -> None:
        number, _, text = rest.partition(" ")
        message = self._memory.get(number)
        await self._send(Text(text.strip()), message.peer, message.id)

    async def _react(self, rest: str) -> None:
        number, _, emoji = rest.partition(" ")
        message = self._memory.get(number)
        await self._send(Reaction(emoji.strip()), message.peer, message.id)

    async def _choose(self, rest: str) -> None:
        number, _, choice = rest.rpartition(" ")
        message = self._memory.get(number.strip()) if number else self._menu
        offered = choices_of(message.body) if isinstance(message, MessageReceived) else []
        if message is None or not offered:
            raise ParameterInvalid("there is nothing to choose from")
        if not _is_within(choice, offered):
            raise ParameterInvalid(f"choose by a number from 1 to {len(offered)}")
        await self._send(offered[int(choice) - 1].answer, message.peer, message.id)
        if message is self._menu:
            self._menu = None

    async def _send_location(self, rest: str) -> None:
        await self._send(location_of(rest))

    async def _send_contact(self, rest: str) -> None:
        await self._send(contact_of(rest))

    async def _send_file(self, rest: str) -> None:
        path, caption = file_of(rest)
        said = attachment_of(path, caption)
        partner = self._known_to()
        message_id = await self._device.send_file(partner, path, said)
        self._memory.note_sent(partner, message_id, gist(said))
        self._prompt()

    async def _save_file(self, rest: str) -> None:
        number, _, path = rest.partition(" ")
        saved = await self._device.save_file(self._memory.get(number), path.strip() or ".")
        self._print(Styled(f"saved {printable(str(saved))}", style="green"))

    async def _accept(self, number: str) -> None:
        await self._device.accept_identity(number)
        self._print(Styled("accepted", style="green"))

    async def _link(self, rest: str) -> None:
        self._show_code(await self._device.offer_link())

    async def _list_devices(self, rest: str) -> None:
        self._show_devices(await self._device.devices())

    async def _show_safety(self, number: str) -> None:
        partner = self._partner if isinstance(self._partner, str) else ""
        safety = await self._device.safety(number or partner)
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

    def _to(self) -> str | bytes:
        """Return whom we are talking with; empty where that is not clear."""
        return self._partner or (self._partners[0] if len(self._partners) == 1 else "")

    def _known_to(self) -> str | bytes:
        if not (partner := self._to()):
            raise ParameterInvalid("whom is that for? /to NUMBER says so")
        return partner

    async def _send(self, body: Saying, to: str | bytes = "", reply_to: bytes | None = None) -> None:
        partner = to or self._known_to()
        message_id = await self._device.send(partner, body, reply_to=reply_to)
        self._memory.note_sent(partner, message_id, gist(body))
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
            case MessageReceived():
                self._show_received(event)
            case StatusChanged():
                self._show_status(event)
            case Unreadable():
                who = display_number(event.sender)
                self._print(Styled(f"a message from {who} could not be decrypted ({event.code})", style="red"))
            case IdentityNews():
                who = display_number(event.sender)
                text = f"{who} has a new identity key: a new phone, or somebody else; /safety {event.sender} to compare"
                self._print(Styled(text, style="bold yellow"))
            case MessageSent():
                where = f"in {label(event.subject)}" if event.group else f"to {display_number(event.recipient)}"
                self._show_message(event, f"you {where}", "bold")
            case GroupChanged():
                self._print(Styled(describe(event, self._device.number), style="bold yellow"))
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

    async def _recall(self, event: Event) -> None:
        """Remember what *event* quotes, where it was shown or sent by an earlier run."""
        if isinstance(event, MessageReceived | MessageSent) and event.reply_to is not None:
            if not self._memory.words(event.peer, event.reply_to):
                quoted = await self._device.message(event.peer, event.reply_to)
                if quoted is not None:
                    self._memory.note(quoted)

    def _show_received(self, event: MessageReceived) -> None:
        if event.peer not in self._partners:
            self._partners.append(event.peer)
        if choices_of(event.body):
            self._menu = event
        who, name = display_number(event.sender), excerpt(event.name, MAX_NAME_CHARACTERS)
        who = f"{name} ({who})" if name else who
        self._show_message(event, f"{label(event.subject)} {who}" if event.group else who, "bold cyan")

    def _show_message(self, event: MessageReceived | MessageSent, who: str, style: str) -> None:
        quoted = ""
        if event.reply_to is not None:
            quoted = self._memory.words(event.peer, event.reply_to) or "an earlier message"
        at = time.strftime("%H:%M", time.localtime(event.at_ms / 1_000))
        line = Styled().append(f"{at} #{self._memory.add(event)} ", style="dim")
        line.append(who, style=style).append("  ")
        self._print(line.append_text(draw(event.body, quoted, event.media)))

    def _show_status(self, event: StatusChanged) -> None:
        said = self._memory.sent(event.group or event.recipient, event.id)
        to = f"to {display_number(event.recipient)}" if event.group else ""
        words = [_TICKS[event.status], event.status, to, said, f"({event.code})" if event.code else ""]
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


def _is_within(number: str, offered: list[Choice]) -> bool:
    """Tell whether *number*, as it was typed, is that of one of the choices *offered*."""
    is_number = number.isascii() and number.isdecimal() and len(number) < 4
    return is_number and 1 <= int(number) <= len(offered)
