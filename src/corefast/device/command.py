"""A line that a program writes to its phone: one JSON object, with the field names of the on-premises API."""

from functools import cache
from typing import Any, TypeVar

import msgspec

from corefast.device.name import decode_id
from corefast.device.stream import MAX_LINE_BYTES
from corefast.errors import ParameterInvalid
from corefast.wire import body as bodies
from corefast.wire.body import Saying

T = TypeVar("T")


class Words(msgspec.Struct, frozen=True):
    body: str


class Context(msgspec.Struct, frozen=True):
    message_id: str


class Reaction(msgspec.Struct, frozen=True):
    message_id: str
    emoji: str = ""


class File(msgspec.Struct, frozen=True):
    """A file to send; what it is follows from its name where *mime_type* says nothing."""

    path: str
    caption: str = ""
    filename: str = ""
    mime_type: str = ""


class Saved(msgspec.Struct, frozen=True):
    """Of *message*, which came from *sender*, the file, to *path*: a file or a folder."""

    message: str
    sender: str = msgspec.field(name="from", default="")
    path: str = "."
    group: str = ""
    """In place of *sender* for what was said in a group."""

    @property
    def peer(self) -> str | bytes:
        return decode_id(self.group) if self.group else self.sender


class Chosen(msgspec.Struct, frozen=True):
    """Of *message* the *option* with this id, or title."""

    message: str
    option: str


class Founded(msgspec.Struct, frozen=True):
    """A group to found."""

    subject: str
    members: list[str]


class Revised(msgspec.Struct, frozen=True):
    """What becomes another in a group; *members* are added or removed."""

    group: str
    members: list[str] = []
    subject: str = ""


class Command(msgspec.Struct, frozen=True):
    """A message to send (an `id` of yours makes a repeat harmless), ids that were read, or something to be told.

    It goes to the number *to* or into the *group*. *found*, *add*, *remove*, *rename*, *leave* and *groups* are about
    groups.

    Of *safety* the safety number is told; the identity key that *accept* has is accepted. *link*, *devices* and
    *unlink* are about our own number's devices.
    """

    to: str = ""
    group: str = ""
    id: str = ""
    type: str = ""
    context: Context | None = None
    text: str | Words | None = None
    location: dict[str, Any] | None = None
    contacts: list[dict[str, Any]] | None = None
    reaction: Reaction | None = None
    interactive: dict[str, Any] | None = None
    button: dict[str, Any] | None = None
    choose: Chosen | None = None
    image: File | None = None
    video: File | None = None
    audio: File | None = None
    voice: File | None = None
    document: File | None = None
    sticker: File | None = None
    save: Saved | None = None
    read: list[str] | None = None
    safety: str = ""
    accept: str = ""
    link: bool = False
    devices: bool = False
    unlink: int = 0
    found: Founded | None = None
    add: Revised | None = None
    remove: Revised | None = None
    rename: Revised | None = None
    leave: str = ""
    groups: bool = False

    @property
    def message_id(self) -> bytes | None:
        return decode_id(self.id) if self.id else None

    @property
    def recipient(self) -> str | bytes:
        """The number or the group that a message goes to."""
        return decode_id(self.group) if self.group else self.to

    @property
    def file(self) -> tuple[File, bodies.Attachment] | None:
        """The file to send, and as what; None for a message without one."""
        for kind in bodies.MediaKind:
            file: File | None = getattr(self, kind)
            if file is not None:
                return file, bodies.Attachment(kind, file.caption, file.filename)
        return None

    @property
    def reply_to(self) -> bytes | None:
        """Id of the message that this one quotes or reacts to."""
        if self.reaction is not None:
            return decode_id(self.reaction.message_id)
        return decode_id(self.context.message_id) if self.context is not None else None


_decode_command = msgspec.json.Decoder(Command).decode

_ABOUT = (
    "to",
    "group",
    "save",
    "safety",
    "accept",
    "link",
    "devices",
    "unlink",
    "found",
    "add",
    "remove",
    "rename",
    "leave",
    "groups",
)
_SAYINGS = ("text", "location", "contacts", "reaction", "interactive", "button", "choose", *bodies.MediaKind)


def parse(line: bytes) -> Command:
    """Return the command in *line*; raise `ParameterInvalid`."""
    if len(line) > MAX_LINE_BYTES:
        raise ParameterInvalid(f"a line has at most {MAX_LINE_BYTES} bytes")
    try:
        command = _decode_command(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ParameterInvalid(f"a line is one JSON object, see docs/phone.md: {_reason(error)}") from None
    about = [getattr(command, name) for name in _ABOUT]
    if sum(map(bool, (*about, command.read is not None))) != 1 or not 0 <= command.unlink < 1 << 16:
        raise ParameterInvalid(f'a line has one of {", ".join(map(_quoted, _ABOUT))}, "read"')
    if command.to or command.group:
        _check_message(command)
    return command


def saying_of(command: Command) -> Saying:
    """Return what *command*, which is no choice and no file, says; raise `ParameterInvalid`."""
    if command.text is not None:
        return bodies.Text(command.text if isinstance(command.text, str) else command.text.body)
    if command.location is not None:
        return make(bodies.Location, command.location, "location")
    if command.contacts is not None:
        cards = [make(bodies.ContactCard, card, f"contacts[{at}]") for at, card in enumerate(command.contacts)]
        return bodies.ContactCards(cards)
    if command.reaction is not None:
        return bodies.Reaction(command.reaction.emoji)
    if command.button is not None:
        return make(bodies.QuickReply, command.button, "button")
    assert command.interactive is not None, "checked by `parse`"
    return _interactive(command.interactive)


def make(kind: type[T], value: Any, name: str) -> T:
    """Return the JSON object *value* as the struct *kind*; raise `ParameterInvalid` that names the field."""
    shape: Any = kind
    try:
        return msgspec.convert(msgspec.convert(value, _shape(shape)), kind, from_attributes=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ParameterInvalid(f"{name}: {_reason(error)}") from None


def _check_message(command: Command) -> None:
    given = [name for name in _SAYINGS if getattr(command, name) is not None]
    if len(given) != 1:
        raise ParameterInvalid(f'beside "to" or "group" there is one of {", ".join(_SAYINGS)}')
    if command.type not in ("", given[0]):
        raise ParameterInvalid(f'"type" is {given[0]} where there is a "{given[0]}"')
    if command.context is not None and (command.reaction is not None or command.choose is not None):
        raise ParameterInvalid('a reaction and a choice name their message themselves, without "context"')


def _interactive(value: dict[str, Any]) -> Saying:
    kind = value.get("type")
    if kind == "button_reply":
        return make(bodies.ButtonReply, value.get(kind), "interactive.button_reply")
    if kind == "list_reply":
        return make(bodies.ListReply, value.get(kind), "interactive.list_reply")
    raise ParameterInvalid("interactive.type is button_reply or list_reply; lists and buttons come from businesses")


def _quoted(name: str) -> str:
    return f'"{name}"'


def _reason(error: Exception) -> str:
    """Return what is wrong, without the words of the line; msgspec tells types, names and places only."""
    return str(error) if isinstance(error, msgspec.ValidationError) else "it is malformed"


@cache
def _shape(kind: Any) -> Any:
    """Return a struct like *kind*, which is an array on the wire, that is an object in JSON."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        if field.required:
            fields.append((field.name, _plain(field.type)))
        else:
            default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            fields.append((field.name, _plain(field.type), default))
    return msgspec.defstruct(kind.__name__, fields, frozen=True)


def _plain(kind: Any) -> Any:
    """Return the type *kind* with each struct in it replaced by its shape."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _shape(kind)
    arguments = getattr(kind, "__args__", ())
    if not arguments:
        return kind
    if getattr(kind, "__origin__", None) is list:
        return list[_plain(arguments[0])]  # type: ignore[misc]
    return _plain(arguments[0]) | None
