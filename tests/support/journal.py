"""Finds chain positions used twice in a relay's journal; parses libsignal's message formats by itself."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

PREKEY, SENDER_KEY = 3, 7

EVERYBODY = ""

Position = tuple[str, str, int, bytes, int]
"""Sender, recipient, device, ratchet key, counter; under a sender key `EVERYBODY`, 0, group and chain, iteration."""


def positions_used_twice(journal: Path) -> list[Position]:
    """Return the chain positions that encrypted more than one ciphertext; a repeat of the same bytes is a resend."""
    seen: dict[Position, bytes] = {}
    wrong = []
    for position, ciphertext in read(journal):
        if seen.setdefault(position, ciphertext) != ciphertext:
            wrong.append(position)
    return wrong


def read(journal: Path) -> Iterator[tuple[Position, bytes]]:
    """Yield position and ciphertext of each envelope; a last line cut by a kill is left out."""
    for line in journal.read_text().splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        message = base64.b64decode(entry["body"])
        if entry["kind"] == SENDER_KEY:
            header = fields(message[1:-64])
            yield (entry["from"], EVERYBODY, 0, header[1] + header[2].to_bytes(4, "big"), header[3]), header[4]
            continue
        if entry["kind"] == PREKEY:
            message = fields(message[1:])[4]
        header = fields(message[1:-8])
        position = (entry["from"], entry["to"], entry["device"], header[1], header[2])
        yield position, header[4]


def fields(data: bytes) -> dict[int, bytes | int]:
    """Return the fields of a protobuf message: varints and byte strings."""
    found: dict[int, bytes | int] = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            found[tag >> 3], at = data[at : at + value], at + value
        else:
            found[tag >> 3] = value
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
