"""The canonical form of a peer's address, used by front, core, relay and phone alike."""

from functools import lru_cache

import msgspec

from corefast.errors import NumberInvalid
from corefast.limits import MAX_DEVICE_ID

CHANNEL_SIGNAL = "signal"

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK = (1 << 64) - 1
_MAX_INPUT = 64
_MAX_DIGITS = 32


class Address(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One device of one peer on one channel; `id` is the canonical number, digits without a plus."""

    id: str
    device: int = 1
    channel: str = CHANNEL_SIGNAL

    @property
    def is_sound(self) -> bool:
        """Whether this may be a device's address: what a relay names is stored, shown and told only then."""
        digits = self.id.isascii() and self.id.isdecimal() and len(self.id) <= _MAX_DIGITS
        return digits and 0 < self.device <= MAX_DEVICE_ID and self.channel == CHANNEL_SIGNAL


@lru_cache(maxsize=65_536)
def canonical_number(text: str, *, development: bool = True) -> str:
    """Return the digits of *text* in E.164 without the plus; raise `NumberInvalid` where no number can be read.

    `possible` is enough, not `valid`: numbers for fiction and new ranges pass. The unassigned country code 999 is
    for tests and passes only with *development*.
    """
    import phonenumbers  # 10 MiB and 0.1 s: only programs that read numbers pay

    if not 0 < len(text) <= _MAX_INPUT:
        raise NumberInvalid("a phone number has 1 to 64 characters")
    if any(character.isalpha() for character in text):
        raise NumberInvalid("a phone number has no letters")  # the library would dial them: TWO is 896
    plain = text.strip()
    if plain.startswith("00"):
        plain = "+" + plain[2:]
    elif not plain.startswith(("+", "\uff0b")):
        plain = "+" + plain
    try:
        number = phonenumbers.parse(plain)
    except phonenumbers.NumberParseException:
        return _development_number(plain, development)
    if number.extension:
        raise NumberInvalid("a number with an extension cannot receive messages; leave the extension out")
    if not phonenumbers.is_possible_number(number):
        raise NumberInvalid("write the number in international form, such as +49 30 23125000")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]


def _development_number(plain: str, development: bool) -> str:
    digits = "".join(c for c in plain if c.isdecimal() and c.isascii())
    is_written_as_number = not set(plain) - set("+0123456789 -()./")
    if development and digits.startswith("999") and 7 <= len(digits) <= 15 and is_written_as_number:
        return digits
    raise NumberInvalid("write the number in international form, such as +49 30 23125000")


@lru_cache(maxsize=65_536)
def shard_of(number: str, shards: int, channel: str = CHANNEL_SIGNAL) -> int:
    """Return the shard that owns the peer: FNV-1a-64 of `channel NUL number`, modulo *shards*."""
    value = _FNV_OFFSET
    for byte in f"{channel}\0{number}".encode():
        value = ((value ^ byte) * _FNV_PRIME) & _MASK
    return value % shards


def display_number(number: str) -> str:
    """Return the number as people write it, such as `+49 30 23125000`."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse("+" + number)
    except phonenumbers.NumberParseException:
        return "+" + number
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    code, _, rest = written.partition(" ")
    # A range without a plan of its own comes as one run of digits.
    return f"{code} {rest[:3]} {rest[3:]}" if rest.isdecimal() and len(rest) > 6 else written
