"""What people type behind a command, read as what they mean."""

import re
from pathlib import Path

from corefast.address import canonical_number
from corefast.device.file import kind_of, mime_of
from corefast.errors import NumberInvalid, ParameterInvalid
from corefast.wire.body import Attachment, ContactCard, ContactCards, Location, MediaKind, PersonName, Phone

_NUMBER_SIGNS = set("0123456789+-()/.")


def split_number(text: str) -> tuple[str, str]:
    """Read `NUMBER` or `NUMBER WORDS`; a number may have spaces, so the longest start that is one counts.

    Return the number in its one form, empty where there is none, and the words.
    """
    words = text.split(" ")
    spelled = next((at for at, word in enumerate(words) if set(word) - _NUMBER_SIGNS), len(words))
    for count in range(spelled, 0, -1):
        try:
            return canonical_number(" ".join(words[:count])), " ".join(words[count:]).strip()
        except NumberInvalid:
            continue
    return "", text


def location_of(text: str) -> Location:
    """Read `LAT LON` or `LAT LON NAME`, in degrees; raise `ParameterInvalid`."""
    words = text.replace(",", " ", 1).split(maxsplit=2)
    try:
        return Location(float(words[0]), float(words[1]), words[2] if len(words) > 2 else "")
    except (ValueError, IndexError):
        raise ParameterInvalid("write a latitude and a longitude, such as /location 52.52 13.405 Berlin") from None


def contact_of(text: str) -> ContactCards:
    """Read `NAME NUMBER`; raise `ParameterInvalid`."""
    words = text.split()
    for at in range(1, len(words)):
        if not set("".join(words[at:])) - _NUMBER_SIGNS:
            spelled = " ".join(words[at:])
            name = PersonName(" ".join(words[:at]), words[0], " ".join(words[1:at]))
            return ContactCards([ContactCard(name, phones=[Phone(spelled, "CELL", _wa_id(spelled))])])
    raise ParameterInvalid("write /contact, a name and a number, such as /contact Ada Lovelace +49 30 23125000")


def file_of(text: str) -> tuple[Path, str]:
    """Read `FILE` or `FILE CAPTION`; a name with spaces goes in quotes. Raise `ParameterInvalid`."""
    quoted = re.fullmatch(r"""(["'])(.+?)\1\s*(.*)""", text, re.DOTALL)
    name, caption = quoted.group(2, 3) if quoted else (text.partition(" ")[0], text.partition(" ")[2].strip())
    if not name:
        raise ParameterInvalid("write /send and a file, such as /send boat.png our boat")
    return Path(name).expanduser(), caption


def attachment_of(path: Path, caption: str) -> Attachment:
    """Return as what a file is sent; raise `ParameterInvalid`."""
    kind = kind_of(mime_of(path))
    return Attachment(kind, caption, path.name if kind is MediaKind.DOCUMENT else "")


def _wa_id(number: str) -> str:
    try:
        return canonical_number(number)
    except NumberInvalid:
        raise ParameterInvalid("write the contact's number in international form, such as +49 30 23125000") from None
